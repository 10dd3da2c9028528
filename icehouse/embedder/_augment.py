"""Augmented views of a picture, drawn by chance that is the same on every run and machine.

``flip``
    Left for right, every second time.
``rotate``
    By up to 20 degrees either way, cut to the largest upright rectangle without empty corners.
``crop``
    A part of 60 to 100 % of the area, of the picture's own shape, anywhere in it.
``colour``
    Brightness, contrast and saturation, each times 0.7 to 1.3.

They are done in this order, whatever order they were asked for in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image, ImageEnhance

from icehouse.embedder._decode import Pixels

DEGREES = 20.0
LEAST_AREA = 0.6
LEAST_FACTOR, MOST_FACTOR = 0.7, 1.3


def augment(pixels: Pixels, names: Iterable[str], image: bytes, view: int) -> Pixels:
    """Return a view of a picture.

    Parameters
    ----------
    pixels : array of uint8, shape (height, width, 3)
    names : iterable of str
    image : bytes
        The image_id, and with the view the seed.
    view : int
        From 1 on; 0 is the plain picture.

    Returns
    -------
    array of uint8, shape (height, width, 3)
        Of another height and width, where it was cut.
    """
    if view == 0:
        return pixels
    random = np.random.default_rng([view, *np.frombuffer(image, "<u4").tolist()])
    for name in names:
        pixels = AUGMENTATIONS[name](pixels, random)
    return np.ascontiguousarray(pixels)


def _flip(pixels: Pixels, random: np.random.Generator) -> Pixels:
    return pixels[:, ::-1] if random.random() < 0.5 else pixels


def _rotate(pixels: Pixels, random: np.random.Generator) -> Pixels:
    angle = random.uniform(-DEGREES, DEGREES)
    turned = Image.fromarray(np.ascontiguousarray(pixels)).rotate(
        angle, resample=Image.Resampling.BILINEAR
    )
    height, width = pixels.shape[:2]
    sine, cosine = abs(math.sin(math.radians(angle))), math.cos(math.radians(angle))
    # An upright rectangle of the same shape, s times as large, turned back by the angle, is
    # s * (w cos + h sin) wide and s * (w sin + h cos) high, and has to fit into the picture.
    scale = min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))
    return _part(np.asarray(turned), scale, 0.5, 0.5)


def _crop(pixels: Pixels, random: np.random.Generator) -> Pixels:
    scale = math.sqrt(random.uniform(LEAST_AREA, 1))
    return _part(pixels, scale, random.random(), random.random())


def _part(pixels: Pixels, scale: float, down: float, right: float) -> Pixels:
    height, width = (max(1, int(side * scale)) for side in pixels.shape[:2])
    top, left = int((pixels.shape[0] - height) * down), int((pixels.shape[1] - width) * right)
    return pixels[top : top + height, left : left + width]


def _colour(pixels: Pixels, random: np.random.Generator) -> Pixels:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(random.uniform(LEAST_FACTOR, MOST_FACTOR))
    return np.asarray(image)


AUGMENTATIONS: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "flip": _flip,
    "rotate": _rotate,
    "crop": _crop,
    "colour": _colour,
}
