"""Explanations and first layers as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from icehouse.errors import UsageError
from icehouse.report._explained import explained_png, explained_sheet
from icehouse.report._first_layer import first_layer_png
from icehouse.store import files_at

if TYPE_CHECKING:
    from icehouse.explain import Explained, FirstLayer


def write_explained(several: Sequence[Explained], path: str) -> str:
    """Write one explanation, or a sheet of several, as a PNG; return where it is.

    Raises
    ------
    UsageError
        There is a folder where the file is to be.
    """
    alone = len(several) == 1
    return _write(path, explained_png(several[0]) if alone else explained_sheet(several))


def write_first_layer(layer: FirstLayer, path: str) -> str:
    """Write the first layer of an encoder beside the explanation at ``path``, likewise."""
    return _write(f"{path.removesuffix('.png')}-features.png", first_layer_png(layer))


def _write(path: str, data: bytes) -> str:
    folder, slash, name = path.rpartition("/")
    files = files_at(folder or slash or ".")
    if not name or Path(files.where(name)).is_dir():
        raise UsageError(f"{path} is a folder; give the name of a PNG in it")
    return files.commit(name, data)
