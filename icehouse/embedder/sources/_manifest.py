"""A table that lists images: CSV or Parquet with a column ``path``."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from icehouse.embedder.sources._box import box_text, boxed
from icehouse.embedder.sources._cells import SAID, extra_of, labels_of, split_of
from icehouse.embedder.sources._listing import Entry, Listing, printable
from icehouse.embedder.sources._network import Network
from icehouse.embedder.sources._paths import inspect_paths
from icehouse.errors import SourceError

Inspect = Callable[[Sequence[str]], list[Entry]]
_TEXT = ("path", "box", *SAID)
_LIKE_BOX = ("bbox", "bboxes", "boundingbox", "box", "boxes")


def list_manifest(
    manifest: Path, *, labels: bool = True, network: Network | None = None
) -> Listing:
    """List the images of a manifest.

    Parameters
    ----------
    manifest : Path
        Columns: ``path`` (relative to the manifest, absolute, or a URL); optionally ``label`` or
        ``labels`` (in CSV separated by semicolons; a semicolon alone says that no class
        applies); optionally ``split`` (train, val, test); optionally ``box``
        (``x,y,width,height``: the part of the picture that is meant). An empty cell says nothing.
        Further columns are kept with the image.
    labels : bool
        Whether to take the labels.
    network : Network, optional
        With URLs among the paths.

    Raises
    ------
    SourceError
        No such file, not a table, no column ``path``, an empty or repeated path, or both
        ``label`` and ``labels``.
    """
    manifest = manifest.expanduser().absolute()
    if not manifest.is_file():
        raise SourceError(f"there is no manifest {manifest}")

    def inspect(paths: Sequence[str]) -> list[Entry]:
        return inspect_paths(paths, str(manifest.parent), network)

    try:
        data = manifest.read_bytes()
    except OSError as error:
        raise SourceError(f"{manifest} cannot be read as a table: {error}") from error
    return list_rows(data, str(manifest), printable(manifest.stem), inspect, labels=labels)


def list_rows(
    data: bytes, source: str, name: str, inspect: Inspect, *, labels: bool = True
) -> Listing:
    """List the images of a manifest whose bytes were read.

    Parameters
    ----------
    data : bytes
    source : str
        Its path or URL; whether it is Parquet is told by its end.
    name : str
    inspect : callable
        Returns an entry for each of some paths.
    labels : bool
    """
    table = _read(data, source)
    names = set(table.column_names)
    if "path" not in names:
        raise SourceError(
            f"{source} has no column 'path'. It has: {', '.join(table.column_names)}. "
            "Name the column of file names 'path'"
        )
    if {"label", "labels"} <= names:
        raise SourceError(
            f"{source} has both 'label' and 'labels'; keep 'label' (one for each image) "
            "or 'labels' (any number)"
        )
    records = table.to_pylist()
    paths = [record["path"] for record in records]
    boxes = [box_text(record.get("box")) for record in records]
    further = [column for column in table.column_names if column not in _TEXT]
    notes = [] if "box" in names else _meant_as_box(further)
    _refuse_bad_paths(source, paths, boxes, notes)
    entries = [
        replace(
            boxed(entry, box),
            labels=labels_of(record) if labels else None,
            split=split_of(record.get("split")),
            extra=extra_of(record, further),
        )
        for entry, box, record in zip(inspect(paths), boxes, records, strict=True)
    ]
    entries.sort(key=lambda entry: entry.key)
    return Listing(source, name, entries, "labels" in names and labels, notes=tuple(notes))


def _meant_as_box(columns: Sequence[str]) -> list[str]:
    """Return a note for each column that others may call ``box``."""
    return [
        f"the column {column!r} is kept as data and cuts nothing; where parts of the pictures are "
        "meant, call it 'box', and write x,y,width,height in pixels"
        for column in columns
        if re.sub("[^a-z]", "", column.lower()) in _LIKE_BOX
    ]


def _read(data: bytes, source: str) -> pa.Table:
    try:
        if source.lower().endswith(".parquet"):
            table = pa.parquet.read_table(pa.BufferReader(data))
        else:
            types = {name: pa.string() for name in _TEXT}
            convert = pa.csv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=True
            )
            table = pa.csv.read_csv(io.BytesIO(data), convert_options=convert)
        if len(set(table.column_names)) < len(table.column_names):
            raise SourceError(f"{source} has two columns of one name: {table.column_names}")
        table = _as_text(table)
    except (pa.ArrowException, OSError) as error:
        hint = _unquoted(data, str(error))
        raise SourceError(f"{source} cannot be read as a table: {error}{hint}") from error
    if not len(table):
        raise SourceError(f"{source} lists no images")
    return table


def _unquoted(data: bytes, error: str) -> str:
    """Say what is the matter where the commas of a box made columns of their own."""
    header = re.findall(rb"\w+", data.partition(b"\n")[0])
    if b"box" in header and re.search(r"Expected \d+ columns", error):
        return '. A box has commas, so it has to stand in quotes: "x,y,width,height"'
    return ""


def _as_text(table: pa.Table) -> pa.Table:
    for position, name in enumerate(table.column_names):
        kind = table[name].type
        if name in ("path", "label", "split") and kind != pa.string():
            try:
                table = table.set_column(position, name, table[name].cast(pa.string()))
            except pa.ArrowException as error:
                raise pa.ArrowInvalid(f"column {name!r} is no text: {error}") from error
        elif name == "labels" and not (pa.types.is_string(kind) or pa.types.is_list(kind)):
            raise pa.ArrowInvalid(f"'labels' is of type {kind}, not text or a list of text")
    return table


def _refuse_bad_paths(
    source: str, paths: list[str | None], boxes: list[str], notes: list[str]
) -> None:
    seen: dict[tuple[str, str], int] = {}
    for row, (path, box) in enumerate(zip(paths, boxes, strict=True), start=1):
        if not path:
            raise SourceError(f"{source}: row {row} has no path")
        before = seen.setdefault((path, box), row)
        if before != row:
            raise SourceError(
                f"{source}: rows {before} and {row} are both {path!r}"
                f"{f' with the box {box}' if box else ''}; keep one row an image"
                f"{''.join(f'. Note that {note}' for note in notes)}"
            )
