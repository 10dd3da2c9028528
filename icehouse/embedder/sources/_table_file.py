"""One file of a table that holds images: Parquet, or Arrow as ``datasets`` saves it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from icehouse.embedder.sources._origins import Blob, FileBytes, LocalBlob
from icehouse.embedder.sources._recent import Recent
from icehouse.errors import ImageError, ImageErrorKind, SourceError

GROUPS_KEPT = 3
ARROW_FILE = b"ARROW1"


class TableFile:
    """A table in groups of rows, of which only the last few that were read are in memory.

    Parameters
    ----------
    blob : Blob
    recent : Recent
        Groups of images of all files of the source.

    Raises
    ------
    SourceError
        It is no such table.
    """

    def __init__(self, blob: Blob, recent: Recent[pa.ChunkedArray]) -> None:
        self.blob = blob
        self._recent = recent
        try:
            if blob.name.lower().endswith(".arrow"):
                self._parquet = None
                self.schema: pa.Schema = self._batches[1]
                self.group_sizes = [len(batch) for batch in self._batches[0]]
            else:
                with pq.ParquetFile(blob.file()) as file:
                    self._parquet = file.metadata
                    self.schema = file.schema_arrow
                groups = range(self._parquet.num_row_groups)
                self.group_sizes = [self._parquet.row_group(i).num_rows for i in groups]
        except (pa.ArrowException, OSError, ImageError) as error:
            raise SourceError(f"{blob.name} cannot be read as a table: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what another process reads anew: both may hold images, the one all of them,
        the other the first and the last of each group as its statistics."""
        return {k: v for k, v in vars(self).items() if k not in ("_batches", "_parquet")}

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Read whole columns; ``a.b`` is a field of a struct, and called so in the result."""
        try:
            if self._parquet is None:
                table = pa.Table.from_batches(*self._batches)
            else:
                with pq.ParquetFile(self.blob.file(), metadata=self._parquet) as file:
                    table = file.read(columns=list(names))
            return pa.table({name: _column(table, name) for name in names})
        except (pa.ArrowException, OSError, ImageError) as error:
            raise SourceError(f"{self.blob.name} cannot be read as a table: {error}") from error

    def image(self, column: str, group: int, row: int) -> bytes | None:
        """Return one cell; its group is read at once, and kept for those who ask next."""
        try:
            cells = self._recent.get(
                (self.blob.name, group, column), lambda: self._read(column, group)
            )
            data: bytes | None = cells[row].as_py()
        except (pa.ArrowException, OSError) as error:
            detail = f"its part of the table: {' '.join(str(error).split())}"
            raise ImageError(ImageErrorKind.CORRUPT, detail) from error
        return data

    def _read(self, column: str, group: int) -> pa.ChunkedArray:
        if self._parquet is None:
            return _column(pa.Table.from_batches([self._batches[0][group]]), column)
        if isinstance(self.blob, LocalBlob):
            self.blob.read(0, 1)  # that it is the file that was listed
        with pq.ParquetFile(self.blob.file(), metadata=self._parquet, pre_buffer=False) as file:
            table = file.read_row_group(group, columns=[column], use_threads=False)
        return _column(table, column)

    @cached_property
    def _parquet(self) -> pq.FileMetaData | None:
        if self.blob.name.lower().endswith(".arrow"):
            return None
        with pq.ParquetFile(self.blob.file()) as file:
            return file.metadata

    @cached_property
    def _batches(self) -> tuple[list[pa.RecordBatch], pa.Schema]:
        """Batches and schema of an Arrow file; mapped, so that they take no memory."""
        if not isinstance(self.blob, LocalBlob):
            raise OSError("Arrow files are read from a local disk only; copy it, or give Parquet")
        mapped = pa.memory_map(self.blob.name)
        if self.blob.read(0, len(ARROW_FILE)) == ARROW_FILE:
            file = pa.ipc.open_file(mapped)
            return [file.get_batch(i) for i in range(file.num_record_batches)], file.schema
        stream = pa.ipc.open_stream(mapped)
        return list(stream), stream.schema


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell of a table that holds the bytes of an image."""

    table: TableFile
    column: str
    group: int
    row: int

    def read(self) -> FileBytes:
        """Read the cell with its group of rows."""
        data = self.table.image(self.column, self.group, self.row)
        if not data:
            what = "0 bytes" if data is not None else "null; the row holds no image"
            raise ImageError(ImageErrorKind.EMPTY, what)
        return FileBytes(data, self.table.blob.stamp)


def class_names(feature: object) -> list[str] | None:
    """Return the names of a ClassLabel of ``datasets``, also inside a list of them."""
    if isinstance(feature, list) and feature:
        return class_names(feature[0])
    if not isinstance(feature, dict):
        return None
    if feature.get("_type") == "ClassLabel" and feature.get("names"):
        return [str(name) for name in feature["names"]]
    return class_names(feature.get("feature"))


def features_of(schema: pa.Schema) -> dict[str, Any]:
    """Return what ``datasets`` noted of the columns in a schema, if anything."""
    try:
        noted = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = noted["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name in table.column_names:
        return table[name]
    outer, _, inner = name.rpartition(".")
    return pc.struct_field(table[outer], inner)
