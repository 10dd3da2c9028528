"""Seeded views of images, as PNG files of 64 by 64: what teacher and student both look at.

View 0 is the image itself. The others are cropped, turned and coloured at random, and the same
on every run: the seed of a view is the name of its image and its number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

SIZE = 64


def write_views(images: Iterable[Path], root: Path, out: Path, number: int, turns: bool) -> None:
    """Write one view of many images under the names that they have in a folder.

    Parameters
    ----------
    images : iterable of Path
        Files under ``root``.
    root, out : Path
    number : int
        0 is the image itself.
    turns : bool
        Whether up and down mean nothing, as in pictures from above.
    """
    for path in images:
        name = path.relative_to(root).as_posix()
        target = (out / name).with_suffix(".png")
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            made = view(image.convert("RGB"), name, number, turns)
        part = target.with_suffix(".part")
        made.save(part, "PNG", compress_level=1)
        part.replace(target)


def view(image: Image.Image, name: str, number: int, turns: bool) -> Image.Image:
    """Return one view of an RGB image, 64 by 64."""
    if number == 0:
        return image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    digest = hashlib.sha256(f"{name}#{number}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    image = _cropped(image, random)
    if random.random() < 0.5:
        image = ImageOps.mirror(image)
    if turns:
        image = image.rotate(90 * int(random.integers(4)))
    if number % 2:  # half of the views keep their colours
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = enhance(image).enhance(random.uniform(0.7, 1.3))
    return image


def _cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    width, height = image.size
    scale, aspect = random.uniform(0.45, 1), np.exp(random.uniform(-0.2, 0.2))
    w, h = min(1, np.sqrt(scale * aspect)) * width, min(1, np.sqrt(scale / aspect)) * height
    left, top = random.uniform(0, width - w), random.uniform(0, height - h)
    box = (left, top, left + w, top + h)
    return image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)
