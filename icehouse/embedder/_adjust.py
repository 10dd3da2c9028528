"""Adjustments of a picture, after its resize, for encoders that are to see it otherwise.

``denoise``
    Non-local means (Buades, Coll and Morel 2005), by OpenCV, strength 10.
``equalise``
    The histogram of the luminance made flat; colours keep their chrominance.
``grayscale``
    Luminance (ITU-R BT.601) in all three channels.

They are done in this order, whatever order they were asked for in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image, ImageOps

from icehouse.embedder._decode import Pixels
from icehouse.errors import MissingExtra

STRENGTH, TEMPLATE, SEARCH = 10, 7, 21


def adjust(pixels: Pixels, names: Iterable[str]) -> Pixels:
    """Adjust a picture, uint8 (height, width, 3), by the adjustments named."""
    for name in names:
        pixels = ADJUSTMENTS[name](pixels)
    return pixels


def _denoise(pixels: Pixels) -> Pixels:
    try:
        import cv2
    except ImportError:
        raise MissingExtra("opencv-python-headless", "opencv") from None
    denoised = cv2.fastNlMeansDenoisingColored(pixels, None, STRENGTH, STRENGTH, TEMPLATE, SEARCH)
    return np.asarray(denoised, np.uint8)


def _equalise(pixels: Pixels) -> Pixels:
    luminance, blue, red = Image.fromarray(pixels).convert("YCbCr").split()
    equalised = Image.merge("YCbCr", (ImageOps.equalize(luminance), blue, red))
    return np.array(equalised.convert("RGB"))


def _grayscale(pixels: Pixels) -> Pixels:
    return np.array(Image.fromarray(pixels).convert("L").convert("RGB"))


ADJUSTMENTS: dict[str, Callable[[Pixels], Pixels]] = {
    "denoise": _denoise,
    "equalise": _equalise,
    "grayscale": _grayscale,
}
