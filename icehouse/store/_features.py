"""Vectors of one encoder: immutable Parquet shards under ``features/<encoder_id>/``.

A vector column is ``FixedSizeList<float16 or float32, D>`` with no nulls, no dictionary, no
statistics and no compression, so that a shard loads at about the speed of ``np.load``.
Each shard carries its own row count and the SHA-256 of its rows in the Parquet footer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.errors import LookupFailed, StoreCorrupt, VectorError
from icehouse.store._files import Files, readable
from icehouse.store._ids import ID_DTYPE, ID_TYPE, IdArray, ids_from_arrow, ids_to_arrow

ROW_GROUP_ROWS = 16_384
DTYPES = {"float16": np.float16, "float32": np.float32}


@dataclass(frozen=True)
class FeatureMatrix:
    """Vectors and the images that they belong to, row by row.

    Attributes
    ----------
    encoder_id : str
    ids : array of V32, shape (n,)
        Without duplicates.
    vectors : array of float16 or float32, shape (n, D)
        C-contiguous.
    """

    encoder_id: str
    ids: IdArray
    vectors: npt.NDArray[np.floating[Any]]

    def __len__(self) -> int:
        return len(self.ids)


class FeatureShards:
    """All the vectors of one encoder.

    Parameters
    ----------
    files : Files
    encoder_id : str
    """

    def __init__(self, files: Files, encoder_id: str) -> None:
        self._files = files
        self.encoder_id = encoder_id
        self.folder = f"features/{encoder_id}"

    def describe(self, card: Mapping[str, Any]) -> None:
        """Write ``encoder.json``, what there is to know of the encoder, where that is news.

        The encoder itself never changes under its encoder_id, but where it was loaded from may.
        """
        name = f"{self.folder}/encoder.json"
        if not self.exists or self.card["request"] != card["request"]:
            text = json.dumps(card, indent=2, ensure_ascii=False)
            self._files.commit(name, text.encode())

    @property
    def card(self) -> dict[str, Any]:
        """What ``encoder.json`` says.

        Raises
        ------
        LookupFailed
            The store has never met this encoder.
        """
        path = self._files.path(f"{self.folder}/encoder.json")
        try:
            with readable(path):
                card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LookupFailed(f"the store has no features of encoder {self.encoder_id}") from None
        except ValueError as error:
            raise StoreCorrupt(f"{path} is not JSON: {error}") from error
        return card

    @property
    def exists(self) -> bool:
        """Whether the store has met this encoder."""
        path = self._files.path(f"{self.folder}/encoder.json")
        with readable(path):
            return path.exists()

    def shards(self) -> list[str]:
        """Return the committed shards, sorted, as names relative to the store."""
        return self._files.names(self.folder, ".parquet")

    def append(self, ids: IdArray, vectors: npt.NDArray[np.floating[Any]], dtype: str) -> str:
        """Commit vectors as one shard.

        Parameters
        ----------
        ids : array of V32, shape (n,)
        vectors : array, shape (n, D)
        dtype : {"float16", "float32"}
            How they are stored.

        Returns
        -------
        str
            The shard's name. It is made from the content: the same rows make the same file.

        Raises
        ------
        VectorError
            Not one vector for each id; or a vector that is not finite, or too large for
            float16. Nothing is written.
        """
        if vectors.ndim != 2 or len(vectors) != len(ids) or not vectors.size:
            raise VectorError(
                f"{len(ids)} images take vectors of shape ({len(ids)}, D), got {vectors.shape}"
            )
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(vectors, dtype=DTYPES[dtype])
        _refuse_non_finite(ids, vectors, stored, dtype)
        ids = np.ascontiguousarray(ids, dtype=ID_DTYPE)
        digest = _digest(ids, stored)
        field = pa.field("element", pa.from_numpy_dtype(stored.dtype), nullable=False)
        schema = pa.schema(
            [
                pa.field("image_id", ID_TYPE, nullable=False),
                pa.field("view", pa.int16(), nullable=False),
                pa.field("vector", pa.list_(field, stored.shape[1]), nullable=False),
            ],
            metadata={"icehouse.rows": str(len(ids)), "icehouse.sha256": digest},
        )
        flat = pa.array(stored.reshape(-1))
        columns = [
            ids_to_arrow(ids),
            pa.array(np.zeros(len(ids), np.int16)),
            pa.FixedSizeListArray.from_arrays(flat, type=schema.field("vector").type),
        ]
        sink = pa.BufferOutputStream()
        pq.write_table(
            pa.Table.from_arrays(columns, schema=schema),
            sink,
            row_group_size=ROW_GROUP_ROWS,
            use_dictionary=False,
            write_statistics=["image_id", "view"],
            compression="none",
        )
        name = f"{self.folder}/{digest[:24]}.parquet"
        self._files.commit(name, memoryview(sink.getvalue()))
        return name

    def ids(self) -> IdArray:
        """Return the identities of all images that have a vector, shape (n,), unique."""
        found = [np.empty(0, ID_DTYPE)]
        for name in self.shards():
            table = self._read(name, self._open(name), None, ["image_id", "view"])
            found.append(ids_from_arrow(table["image_id"])[table["view"].to_numpy() == 0])
        return np.unique(np.concatenate(found))

    def load(self) -> FeatureMatrix:
        """Read all vectors of view 0 into one array.

        Returns
        -------
        FeatureMatrix
            One row an image, in the order of the shards' names.

        Raises
        ------
        StoreCorrupt
            A shard is damaged, or is none of this encoder.
        """
        opened = [(name, self._open(name)) for name in self.shards()]
        rows = sum(shard.metadata.num_rows for _, shard in opened)
        kinds = {shard.schema_arrow.field("vector").type for _, shard in opened}
        if len(kinds) > 1:
            raise StoreCorrupt(f"{self.folder} holds vectors of several types: {kinds}")
        kind = kinds.pop() if kinds else pa.list_(pa.float16(), 0)
        ids = np.empty(rows, ID_DTYPE)
        views = np.empty(rows, np.int16)
        vectors = np.empty((rows, kind.list_size), kind.value_type.to_pandas_dtype())
        end = 0
        for name, shard in opened:
            for group in range(shard.metadata.num_row_groups):
                table = self._read(name, shard, group, ["image_id", "view", "vector"])
                start, end = end, end + len(table)
                ids[start:end] = ids_from_arrow(table["image_id"])
                views[start:end] = table["view"].to_numpy()
                flat = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=True)
                vectors[start:end] = flat.reshape(-1, kind.list_size)
        # Two writers at work at once may both have stored an image: keep its first row.
        plain = np.flatnonzero(views == 0)
        _, first = np.unique(ids[plain], return_index=True)
        if len(first) < rows:
            keep = plain[np.sort(first)]
            ids, vectors = ids[keep], np.ascontiguousarray(vectors[keep])
        return FeatureMatrix(self.encoder_id, ids, vectors)

    def _open(self, name: str) -> pq.ParquetFile:
        try:
            path = self._files.path(name)
            with readable(path):
                shard = pq.ParquetFile(path, memory_map=True)
            schema = shard.schema_arrow
            rows = int((schema.metadata or {})[b"icehouse.rows"])
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise StoreCorrupt(f"shard {name} is damaged: {error!r}") from error
        if schema.names != ["image_id", "view", "vector"] or rows != shard.metadata.num_rows:
            raise StoreCorrupt(f"shard {name} has not the {rows} rows and columns that it states")
        return shard

    def _read(
        self, name: str, shard: pq.ParquetFile, group: int | None, columns: list[str]
    ) -> pa.Table:
        try:
            if group is None:
                return shard.read(columns)
            return shard.read_row_group(group, columns)
        except (pa.ArrowException, OSError) as error:
            raise StoreCorrupt(f"shard {name} is damaged: {error}") from error


def _digest(ids: IdArray, vectors: npt.NDArray[np.floating[Any]]) -> str:
    digest = hashlib.sha256(ids.view(np.uint8).data)
    digest.update(vectors.view(np.uint8).data)
    return digest.hexdigest()


def _refuse_non_finite(
    ids: IdArray,
    vectors: npt.NDArray[np.floating[Any]],
    stored: npt.NDArray[np.floating[Any]],
    dtype: str,
) -> None:
    bad = ~np.isfinite(stored).all(axis=1)
    if not bad.any():
        return
    first = ids[int(np.argmax(bad))].tobytes().hex()[:12]
    if np.isfinite(vectors[bad]).all():
        raise VectorError(
            f"{int(bad.sum())} vectors (first: image {first}) are too large for {dtype}. "
            "Store them with --vector-dtype float32"
        )
    raise VectorError(
        f"{int(bad.sum())} vectors (first: image {first}) hold NaN or infinity. "
        "The encoder's weights are broken, or its precision is too low: try --precision float32"
    )
