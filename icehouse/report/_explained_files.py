"""Explanations and first layers as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from icehouse.report._explained import explained_png, explained_sheet
from icehouse.report._files import commit_file
from icehouse.report._first_layer import first_layer_png

PNG = "a PNG"

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
    data = explained_png(several[0]) if alone else explained_sheet(several)
    return commit_file(path, data, PNG)


def write_first_layer(layer: FirstLayer, path: str) -> str:
    """Write the first layer of an encoder beside the explanation at ``path``, likewise."""
    beside = f"{path.removesuffix('.png')}-features.png"
    return commit_file(beside, first_layer_png(layer), PNG)
