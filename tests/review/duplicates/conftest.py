"""Pictures that have nothing to do with each other, drawn by code, and copies of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps


def scene(number: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A picture of soft shapes in colour; no two numbers are alike."""
    random = np.random.default_rng([7, number])
    coarse = random.integers(0, 256, size=(7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def jpeg(picture: Image.Image, quality: int = 92) -> bytes:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return data.getvalue()


def _cropped(picture: Image.Image) -> Image.Image:
    x, y = round(picture.width * 0.05), round(picture.height * 0.05)
    return picture.crop((x, y, picture.width - x, picture.height - y))


COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "same": jpeg,
    "recompressed": lambda picture: jpeg(picture, 50),
    "resized": lambda picture: jpeg(picture.resize((61, 46))),
    "cropped": lambda picture: jpeg(_cropped(picture)),
    "mirrored": lambda picture: jpeg(ImageOps.mirror(picture)),
    "png": lambda picture: _png(picture.resize((192, 144))),
}


def _png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def plant() -> Callable[..., None]:
    """A function that writes files of numbered scenes: ``plant(folder, {"a/1.jpg": (1, "same")})``.

    A number alone is the scene itself.
    """

    def plant(folder: Path, files: dict[str, int | tuple[int, str]]) -> None:
        for name, what in files.items():
            number, kind = what if isinstance(what, tuple) else (what, "same")
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(COPIES[kind](scene(number)))

    return plant
