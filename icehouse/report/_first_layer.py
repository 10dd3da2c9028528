"""The first layer of a network as a picture: kernels, and below each what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from icehouse.report._canvas import FAINT, INK, PAPER, as_png

if TYPE_CHECKING:
    from icehouse.explain import FirstLayer

COLUMNS, MOST = 8, 64
KERNEL, MAP, GAP, HEADER = 48, 112, 12, 56


def first_layer_png(layer: FirstLayer) -> bytes:
    """Draw kernels, each with its map of the picture; return a PNG.

    Each is scaled to its own largest value; 64 channels at most.
    """
    shown = min(MOST, len(layer.kernels))
    columns = min(COLUMNS, shown)
    wide, high = MAP + GAP, KERNEL + MAP + 2 * GAP
    size = columns * wide + GAP, HEADER + -(-shown // columns) * high
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    of = f"{shown} of {len(layer.kernels)}" if shown < len(layer.kernels) else str(shown)
    words = f"{layer.name}: {of} kernels", "below each its map; black: least, white: most"
    pen.text((GAP, 8), words[0], fill=INK, font=ImageFont.load_default(17))
    pen.text((GAP, 32), words[1], fill=FAINT, font=ImageFont.load_default(13))
    for number in range(shown):
        left = GAP + number % columns * wide
        top = HEADER + number // columns * high
        kernel = layer.kernels[number]
        sheet.paste(_picture(0.5 + kernel / (2 * _most(kernel)), KERNEL), (left, top))
        found = layer.maps[number] - layer.maps[number].min()
        sheet.paste(_picture(found / _most(found), MAP), (left, top + KERNEL + 4))
    return as_png(sheet)


def _most(values: npt.NDArray[Any]) -> float:
    return float(np.abs(values).max()) or 1.0


def _picture(shares: npt.NDArray[Any], side: int) -> Image.Image:
    """Return shares of white, 0 to 1, as a picture that fits into a square, pixel by pixel."""
    image = Image.fromarray(np.round(255 * shares).astype(np.uint8))
    ratio = side / max(image.size)
    size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    return image.resize(size, Image.Resampling.NEAREST).convert("RGB")
