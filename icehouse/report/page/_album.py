"""The pictures of a page: read again, made small, and put into its text."""

from __future__ import annotations

import base64
import io
from collections import Counter

import numpy as np
import numpy.typing as npt
from PIL import Image

from icehouse.embedder import decode
from icehouse.errors import IcehouseError, ImageError, ImageErrorKind
from icehouse.report._look_again import look_again
from icehouse.report.page._blocks import Picture, named
from icehouse.store import Place, image_id

SIDE = 112
QUALITY = 80
COARSE = 32  # up to so many pixels a picture is kept without loss, and shown with its pixels
# A server that is away takes its time to say so, for every picture again.
PATIENCE = 5

Colour = tuple[int, int, int]


class Album:
    """Small pictures of images, each read once.

    Parameters
    ----------
    places : dict of bytes to Place
        Where images are, by image_id.

    Attributes
    ----------
    read, missing : set of bytes
        The images that could be read, and those that could not.
    """

    def __init__(self, places: dict[bytes, Place]) -> None:
        self._places = places
        self._small: dict[bytes, Image.Image | None] = {}
        self._failures: Counter[str | None] = Counter()
        self.read: set[bytes] = set()
        self.missing: set[bytes] = set()

    def picture(self, image: bytes, *lines: tuple[str, str]) -> Picture:
        """Return the picture of an image, or a gap where it cannot be read any more."""
        place, small = self._places.get(image), self._look(image)
        name = named(place.key, 120) if place else image.hex()[:12]
        if small is None:
            return Picture(None, SIDE, SIDE, False, image.hex(), name, lines)
        coarse = max(small.size) <= COARSE
        scale = SIDE / max(small.size)
        width, height = (max(1, round(side * scale)) for side in small.size)
        return Picture(_data_uri(small), width, height, coarse, image.hex(), name, lines)

    def colour(self, image: bytes) -> Colour | None:
        """Return the mean colour of an image; None where it cannot be read any more."""
        small = self._look(image)
        if small is None:
            return None
        red, green, blue = np.asarray(small).reshape(-1, 3).mean(axis=0).round().astype(int)
        return int(red), int(green), int(blue)

    def _look(self, image: bytes) -> Image.Image | None:
        if image not in self._small:
            self._small[image] = self._read(image)
            (self.missing if self._small[image] is None else self.read).add(image)
        return self._small[image]

    def _read(self, image: bytes) -> Image.Image | None:
        place = self._places.get(image)
        if place is None or (place.path is None and self._failures[place.source] >= PATIENCE):
            return None
        try:
            data = look_again(str(place.path) if place.path else None, place.source, place.key)
            if image_id(data) != image:
                raise ImageError(ImageErrorKind.UNREADABLE, "another picture stands there now")
            pixels = decode(data, enough=_twice)
        except IcehouseError:
            self._failures[place.source] += 1
            return None
        self._failures[place.source] = 0
        return _reduced(pixels)


def _twice(height: int, width: int) -> tuple[int, int]:
    ratio = min(1.0, 2 * SIDE / max(height, width))
    return round(height * ratio), round(width * ratio)


def _reduced(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(pixels)
    ratio = SIDE / max(image.size)
    if ratio >= 1:
        return image
    size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    return image.resize(size, Image.Resampling.LANCZOS)


def _data_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    if max(image.size) <= COARSE:
        image.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
        kind = "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
