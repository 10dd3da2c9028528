"""Open a source by what it is: folder, manifest, tars, tables, or any of these at a URL."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.embedder.sources._folder import files_below, list_files
from icehouse.embedder.sources._kinds import Kind, files_of, kind_of_file, kind_of_folder, stem
from icehouse.embedder.sources._listing import Listing, printable
from icehouse.embedder.sources._manifest import list_manifest
from icehouse.embedder.sources._network import Network
from icehouse.embedder.sources._origins import LocalBlob
from icehouse.embedder.sources._paths import is_url
from icehouse.embedder.sources._table import holds_images, list_tables
from icehouse.embedder.sources._tar import expand, list_tars
from icehouse.embedder.sources._urls import list_url
from icehouse.errors import SourceError

TARS_BELOW = "/*.tar"
"""Recorded after a folder of tars, so that nobody takes a key for a file below the folder."""


def list_source(
    source: str | Path,
    *,
    labels: bool = True,
    image_column: str | None = None,
    network: Network | None = None,
) -> Listing:
    """List the images of a source; none is read.

    Parameters
    ----------
    source : str or Path
        A folder of images; a manifest (.csv, .parquet); a tar, a folder of tars or a pattern
        such as ``train-{000..009}.tar``; a table with image bytes (.parquet, .arrow, or a
        folder of these); a zip; or a URL of any of these.
    labels : bool
        Whether to take the labels.
    image_column : str, optional
        Of a table; by default it is found by its type.
    network : Network, optional
        With URLs.

    Raises
    ------
    SourceError
        Nothing there, or nothing that holds images.
    MissingExtra
        A package for the URL is not installed.
    """
    text, column = _with_column(os.fspath(source).removeprefix("file://"))
    column = image_column or column
    if is_url(text):
        return list_url(text, labels=labels, image_column=column, network=network)
    path = Path(text.removesuffix(TARS_BELOW)).expanduser().absolute()
    if path.is_dir():
        return _folder(path, labels, column)
    names = expand(str(path))
    if len(names) > 1 and not path.exists():
        return _tars(names, [f"{stem(name)}/" for name in names], str(path), labels)
    kind = kind_of_file(path.name)
    if kind is Kind.CSV or (kind is Kind.PARQUET and not (column or _holds_images(path))):
        return list_manifest(path, labels=labels, network=network)
    if kind is Kind.TARS:
        return _tars([str(path)], [""], str(path), labels)
    if kind in (Kind.PARQUET, Kind.TABLES):
        return _tables(path.parent, [path.name], path, labels, column)
    if kind is Kind.ZIP and path.is_file():
        return list_source(f"zip://::{path}", labels=labels, image_column=column)
    return list_files(path, files_below(path), labels=labels)


def _folder(folder: Path, labels: bool, column: str | None) -> Listing:
    found = files_below(folder)
    kind = kind_of_folder(found)
    names = files_of(kind, found)
    if kind is Kind.TARS:
        prefixes = [f"{name.rpartition('.')[0]}/" for name in names]
        return _tars([f"{folder}/{name}" for name in names], prefixes, str(folder), labels)
    if kind is Kind.TABLES:
        return _tables(folder, names, folder, labels, column)
    return list_files(folder, found, labels=labels)


def _tars(paths: list[str], prefixes: list[str], source: str, labels: bool) -> Listing:
    recorded = source + TARS_BELOW if Path(source).is_dir() else source
    name = printable(stem(source.partition("{")[0].rstrip("-_.")) or stem(source))
    return list_tars([_blob(p) for p in paths], prefixes, recorded, name, labels=labels)


def _tables(
    folder: Path, names: list[str], source: Path, labels: bool, column: str | None
) -> Listing:
    blobs = [(name, _blob(f"{folder}/{name}")) for name in _without_caches(folder, names)]
    called = printable(source.name if source.is_dir() else source.stem)
    return list_tables(blobs, str(source), called, labels=labels, image_column=column)


def _without_caches(folder: Path, names: list[str]) -> list[str]:
    """Leave out what ``datasets`` put beside the files of a dataset that it saved."""
    saved: dict[str, set[str]] = {}
    for place in {name.rpartition("/")[0] for name in names}:
        try:
            state = json.loads((folder / place / "state.json").read_text("utf-8"))
            saved[place] = {file["filename"] for file in state["_data_files"]}
        except (OSError, ValueError, KeyError, TypeError):
            continue
    parts = [name.rpartition("/") for name in names]
    return ["".join(part) for part in parts if part[2] in saved.get(part[0], {part[2]})]


def _blob(path: str) -> LocalBlob:
    try:
        return LocalBlob.open(path)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error


def _holds_images(path: Path) -> bool:
    try:
        return path.is_file() and holds_images(pq.read_schema(path))
    except (pa.ArrowException, OSError):
        return False  # the manifest's reader says what is wrong


def _with_column(text: str) -> tuple[str, str | None]:
    """Take apart ``SOURCE#COLUMN``, as the catalog records a table of images."""
    source, sign, column = text.rpartition("#")
    if not sign or "/" in column or "." in column or Path(text).exists():
        return text, None
    return source, column
