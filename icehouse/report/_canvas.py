"""A sheet to draw figures on, in smooth lines, with Pillow."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

INK, FAINT, RULE, PAPER = "#1b1f24", "#6a737d", "#d8dee4", "#ffffff"
DRAWN, SAVED = 4, 2  # pixels for a unit, when drawn and when saved: reducing smooths the edges

Point = tuple[float, float]


class Canvas:
    """White paper, measured in units of two pixels.

    Parameters
    ----------
    width, height : float
    """

    def __init__(self, width: float, height: float) -> None:
        size = round(width * DRAWN), round(height * DRAWN)
        self._image = Image.new("RGB", size, PAPER)
        self._pen = ImageDraw.Draw(self._image)

    def text(
        self, at: Point, text: str, size: float, colour: str = INK, anchor: str = "lm"
    ) -> None:
        """Write one line; the anchor is Pillow's: l, m, r with a, m, d."""
        font = ImageFont.load_default(size * DRAWN)
        self._pen.text(_scaled(at), text, fill=colour, font=font, anchor=anchor)

    def halo(self, at: Point, text: str, size: float) -> None:
        """Write one line in the middle of a point, on a rim of paper."""
        font, rim = ImageFont.load_default(size * DRAWN), round(2 * DRAWN)
        self._pen.text(_scaled(at), text, INK, font, "mm", stroke_width=rim, stroke_fill=PAPER)

    def dots(
        self, at: npt.NDArray[np.floating], colours: npt.NDArray[np.uint8], radius: float
    ) -> None:
        """Draw many discs: places, shape (n, 2), and colours, shape (n, 3); the last is on top."""
        pixels = np.array(self._image)
        high, wide = pixels.shape[:2]
        on_top = np.full((high, wide), -1, np.int32)  # which disc is seen at each pixel
        x, y = np.round(at * DRAWN).astype(np.int64).T
        r = max(radius * DRAWN, 0.5)
        reach = np.arange(-int(r), int(r) + 1)
        for across, down in itertools.product(reach, reach):
            if across**2 + down**2 <= r**2:
                inside = np.flatnonzero(
                    (x + across >= 0) & (x + across < wide) & (y + down >= 0) & (y + down < high)
                )
                here = y[inside] + down, x[inside] + across
                on_top[here] = np.maximum(on_top[here], inside)  # they rise: of equals the last
        seen = on_top >= 0
        pixels[seen] = colours[on_top[seen]]
        self._image = Image.fromarray(pixels)
        self._pen = ImageDraw.Draw(self._image)

    def line(self, points: Sequence[Point], colour: str, width: float = 1.0) -> None:
        """Draw a line through points."""
        scaled = [_scaled(point) for point in points]
        self._pen.line(scaled, fill=colour, width=round(width * DRAWN), joint="curve")

    def area(self, points: Sequence[Point], colour: str, strength: float) -> None:
        """Lay a colour over the inside of a polygon; strength 1 hides what is below."""
        mask = Image.new("L", self._image.size)
        inside = [_scaled(point) for point in points]
        ImageDraw.Draw(mask).polygon(inside, fill=round(255 * strength))
        self._image.paste(Image.new("RGB", mask.size, colour), (0, 0), mask)

    def mark(
        self, at: Point, shape: Sequence[Point] | None, radius: float, colour: str, filled: bool
    ) -> None:
        """Draw a point: a disc, or a polygon of corners in units of the radius."""
        x, y = _scaled(at)
        r, width = radius * DRAWN, round(1.6 * DRAWN)
        fill = colour if filled else PAPER
        if shape is None:
            self._pen.ellipse([x - r, y - r, x + r, y + r], fill=fill, outline=colour, width=width)
            return
        corners = [(x + r * across, y + r * down) for across, down in shape]
        self._pen.polygon(corners, fill=fill, outline=colour, width=width)

    def png(self) -> bytes:
        """Return the picture."""
        width, height = (side * SAVED // DRAWN for side in self._image.size)
        return as_png(self._image.resize((width, height), Image.Resampling.BOX))


def as_png(image: Image.Image) -> bytes:
    """Return the bytes of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def text_width(text: str, size: float) -> float:
    """Return how wide a line is, in units."""
    return float(ImageFont.load_default(size * DRAWN).getlength(text)) / DRAWN


def _scaled(point: Point) -> Point:
    return point[0] * DRAWN, point[1] * DRAWN
