"""Tables that hold the images themselves: Parquet with bytes, datasets of Hugging Face."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from icehouse.embedder.sources._cells import SAID, extra_of, labels_of, split_of
from icehouse.embedder.sources._listing import SPLITS, Entry, Listing, printable
from icehouse.embedder.sources._origins import Blob, LocalBlob
from icehouse.embedder.sources._recent import Recent
from icehouse.embedder.sources._table_file import (
    GROUPS_KEPT,
    TableCell,
    TableFile,
    class_names,
    features_of,
)
from icehouse.errors import SourceError

PATH = "path"
_SPLIT_FILE = re.compile(rf"({'|'.join(SPLITS)})(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class _Part:
    """One file, and what is known of it beside its columns."""

    name: str
    table: TableFile
    features: dict[str, Any]


def list_tables(
    blobs: Sequence[tuple[str, Blob]],
    source: str,
    name: str,
    *,
    labels: bool = True,
    image_column: str | None = None,
) -> Listing:
    """List the images of the files of a table.

    Parameters
    ----------
    blobs : sequence of (str, Blob)
        The files, and their names inside the source.
    source, name : str
    labels : bool
        Whether to take the labels.
    image_column : str, optional
        By default it is found by its type.

    Raises
    ------
    SourceError
        No table, no image column or several, no rows, or files that do not fit together.
    """
    recent: Recent[pa.ChunkedArray] = Recent(GROUPS_KEPT)
    parts = [_open(name, blob, recent) for name, blob in blobs]
    column = image_column or find_images(parts[0].table.schema, source)
    for part in parts:
        if column not in _candidates(part.table.schema):
            raise SourceError(
                f"{part.table.blob.name} has no column {column!r} of image bytes. It has: "
                f"{', '.join(part.table.schema.names)}. Name the right one with --image-column"
            )
    keys = _keys(parts, column)
    entries = [
        entry
        for part, names in zip(parts, keys, strict=True)
        for entry in _entries(part, column, names, labels)
    ]
    if not entries:
        raise SourceError(f"{source} holds no rows")
    many = any(_is_many(part) for part in parts)
    return Listing(f"{source}#{column}", name, entries, many and labels)


def holds_images(schema: pa.Schema) -> bool:
    """Tell a table of images from a manifest, which has a column ``path`` and no bytes."""
    return bool(_candidates(schema)) or PATH not in schema.names


def find_images(schema: pa.Schema, source: str) -> str:
    """Return the name of the column that holds the images.

    Raises
    ------
    SourceError
        None, or several.
    """
    found = _candidates(schema)
    structs = [name for name in found if pa.types.is_struct(schema.field(name).type)]
    if "image" in found:
        return "image"
    for some in (structs, found):
        if len(some) == 1:
            return some[0]
    if found:
        raise SourceError(
            f"{source} has several columns that may hold images: {', '.join(found)}. "
            "Choose one with --image-column"
        )
    raise SourceError(
        f"{source} has neither a column 'path' of file names nor a column of image bytes. It "
        f"has: {', '.join(schema.names)}"
    )


def _open(name: str, blob: Blob, recent: Recent[pa.ChunkedArray]) -> _Part:
    table = TableFile(blob, recent)
    features = features_of(table.schema)
    if not features and isinstance(blob, LocalBlob):
        try:
            info = json.loads((Path(blob.name).parent / "dataset_info.json").read_text("utf-8"))
            features = info.get("features") or {}
        except (OSError, ValueError, AttributeError):
            features = {}
    return _Part(name, table, features)


def _candidates(schema: pa.Schema) -> list[str]:
    paths = PATH in schema.names and _is_text(schema.field(PATH).type)
    found = []
    for column in schema:
        if column.name in (PATH, *SAID):
            continue
        if _inner(column) or (_is_bytes(column.type) and (column.name == "image" or not paths)):
            found.append(column.name)
    return found


def _inner(column: pa.Field) -> bool:
    kind = column.type
    return pa.types.is_struct(kind) and any(
        kind.field(i).name == "bytes" and _is_bytes(kind.field(i).type)
        for i in range(kind.num_fields)
    )


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _keys(parts: Sequence[_Part], column: str) -> list[list[str]]:
    """Name the rows by their paths, if these are unique and complete, or else by their numbers."""
    paths: list[list[str | None]] = []
    for part in parts:
        field = _path_field(part.table.schema, column)
        read = part.table.columns([field])[field].to_pylist() if field else []
        paths.append(read or [None] * sum(part.table.group_sizes))
    flat = [path for some in paths for path in some]
    if all(flat) and len(set(flat)) == len(flat):
        return [[printable(str(path)) for path in some] for some in paths]
    prefixes = [f"{part.name.rpartition('.')[0]}/" if len(parts) > 1 else "" for part in parts]
    return [
        [f"{prefix}{row:08d}" for row in range(len(some))]
        for prefix, some in zip(prefixes, paths, strict=True)
    ]


def _path_field(schema: pa.Schema, column: str) -> str | None:
    kind = schema.field(column).type
    if pa.types.is_struct(kind) and kind.get_field_index(PATH) >= 0:
        return f"{column}.{PATH}"
    return PATH if PATH in schema.names and _is_text(schema.field(PATH).type) else None


def _entries(part: _Part, column: str, keys: list[str], labels: bool) -> Iterator[Entry]:
    table = part.table
    said = [name for name in SAID if name in table.schema.names]
    if {"label", "labels"} <= set(said):
        raise SourceError(
            f"{table.blob.name} has both 'label' and 'labels'; keep 'label' (one for each image) "
            "or 'labels' (any number)"
        )
    further = [
        each.name
        for each in table.schema
        if each.name not in (*SAID, PATH, column) and not _holds_bytes(each.type)
    ]
    records = table.columns([*said, *further]).to_pylist() if said or further else [{}] * len(keys)
    names = {name: class_names(part.features.get(name)) for name in ("label", "labels")}
    split = _split_by_name(part.name)
    cell = f"{column}.bytes" if _inner(table.schema.field(column)) else column
    places = ((group, row) for group, size in enumerate(table.group_sizes) for row in range(size))
    for key, record, (group, row) in zip(keys, records, places, strict=True):
        for name, known in names.items():
            if known and record.get(name) is not None:
                record[name] = _named(record[name], known)
        yield Entry(
            key=key,
            origin=TableCell(table, cell, group, row),
            mtime_ns=table.blob.stamp,
            labels=labels_of(record) if labels else None,
            split=split_of(record.get("split")) or split,
            extra=extra_of(record, further),
        )


def _named(value: Any, names: list[str]) -> Any:
    """Put names for the numbers of classes; -1 stands for no label."""
    if isinstance(value, list):
        return [_named(each, names) for each in value]
    if isinstance(value, int):
        return names[value] if 0 <= value < len(names) else None
    return value


def _is_many(part: _Part) -> bool:
    schema = part.table.schema
    if "labels" not in schema.names:
        return False
    kind = schema.field("labels").type
    return _is_text(kind) or bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _holds_bytes(kind: pa.DataType) -> bool:
    inner = [kind.field(i).type for i in range(kind.num_fields)]
    return _is_bytes(kind) or any(_holds_bytes(each) for each in inner)


def _split_by_name(name: str) -> str | None:
    """Return the split that a folder at the top, or the beginning of a file's name, says."""
    folder, _, file = name.rpartition("/")
    top = folder.partition("/")[0].lower()
    found = _SPLIT_FILE.match(file)
    return SPLITS.get(top) or (SPLITS[found[1].lower()] if found else None)
