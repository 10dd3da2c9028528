"""A table that lists images: CSV or Parquet with a column ``path``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from icehouse.embedder._sources import SPLITS, Listing, inspect, list_folder, printable
from icehouse.errors import SourceError

SUFFIXES = (".csv", ".parquet")
LABELS_SEPARATOR = ";"
_TEXT = ("path", "label", "labels", "split")


def list_source(path: str | Path, *, labels: bool = True) -> Listing:
    """List a folder, or the images of a manifest (a file .csv or .parquet)."""
    path = Path(path).expanduser().absolute()
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        return list_manifest(path, labels=labels)
    return list_folder(path, labels=labels)


def list_manifest(manifest: Path, *, labels: bool = True) -> Listing:
    """List the images of a manifest.

    Parameters
    ----------
    manifest : Path
        Columns: ``path`` (relative to the manifest, or absolute); optionally ``label`` or
        ``labels`` (in CSV separated by semicolons; a semicolon alone says that no class
        applies); optionally ``split`` (train, val, test). An empty cell says nothing.
        Further columns are kept with the image.
    labels : bool
        Whether to take the labels.

    Raises
    ------
    SourceError
        No such file, not a table, no column ``path``, an empty or repeated path, or both
        ``label`` and ``labels``.
    """
    manifest = manifest.expanduser().absolute()
    table = _read(manifest)
    names = set(table.column_names)
    if "path" not in names:
        raise SourceError(
            f"{manifest} has no column 'path'. It has: {', '.join(table.column_names)}. "
            "Name the column of file names 'path'"
        )
    if {"label", "labels"} <= names:
        raise SourceError(
            f"{manifest} has both 'label' and 'labels'; keep 'label' (one for each image) "
            "or 'labels' (any number)"
        )
    records = table.to_pylist()
    _refuse_bad_paths(manifest, [record["path"] for record in records])
    extra_names = [name for name in table.column_names if name not in _TEXT]
    entries = [
        inspect(
            manifest.parent / record["path"],
            printable(record["path"]),
            _labels(record) if labels else None,
            _split(record.get("split")),
            _extra(record, extra_names),
        )
        for record in records
    ]
    entries.sort(key=lambda entry: entry.key)
    return Listing(str(manifest), printable(manifest.stem), entries, "labels" in names and labels)


def _read(manifest: Path) -> pa.Table:
    if not manifest.is_file():
        raise SourceError(f"there is no manifest {manifest}")
    try:
        if manifest.suffix.lower() == ".parquet":
            table = pa.parquet.read_table(manifest)
        else:
            types = {name: pa.string() for name in _TEXT}
            convert = pa.csv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=True
            )
            table = pa.csv.read_csv(manifest, convert_options=convert)
        if len(set(table.column_names)) < len(table.column_names):
            raise SourceError(f"{manifest} has two columns of one name: {table.column_names}")
        table = _as_text(table)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{manifest} cannot be read as a table: {error}") from error
    if not len(table):
        raise SourceError(f"{manifest} lists no images")
    return table


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


def _refuse_bad_paths(manifest: Path, paths: list[str | None]) -> None:
    seen: dict[str, int] = {}
    for row, path in enumerate(paths, start=1):
        if not path:
            raise SourceError(f"{manifest}: row {row} has no path")
        if path in seen:
            raise SourceError(
                f"{manifest}: rows {seen[path]} and {row} are both {path!r}; keep one row an image"
            )
        seen[path] = row


def _labels(record: dict[str, Any]) -> tuple[str, ...] | None:
    if record.get("label"):
        return (record["label"],)
    many: str | Iterable[Any] | None = record.get("labels")
    if many is None or many == "":
        return None
    if isinstance(many, str):
        parts = many.split(LABELS_SEPARATOR)
    else:
        parts = [str(each) for each in many if each is not None]
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _split(text: str | None) -> str | None:
    return SPLITS.get(text.lower(), text) if text else None


def _extra(record: dict[str, Any], names: list[str]) -> str | None:
    if not names:
        return None
    kept = {name: record[name] for name in names if record[name] is not None}
    return json.dumps(kept, default=str, ensure_ascii=False, sort_keys=True)
