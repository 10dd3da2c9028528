"""Eight pictures that code draws, to see whether an encoder still gives the same vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icehouse.embedder._decode import Pixels

MIN_COSINE = 0.999
"""Below this, two vectors of one picture are not the same vector."""

MIN_CENTRED_COSINE = 0.99
"""The same with the mean of all pictures subtracted, which shows what a vector that is much the
same for every picture hides."""

MIN_EXACT_COSINE = 0.9995
"""The same where both were computed in float32, which hardware rounds alike: rounding to
bfloat16 would hide another activation."""

SIZES = (
    (240, 320),
    (320, 240),
    (64, 64),
    (224, 224),
    (97, 131),
    (300, 300),
    (180, 260),
    (256, 200),
)


def draw() -> list[Pixels]:
    """Return the eight pictures: uint8, (height, width, 3), of integer arithmetic alone."""
    pictures = []
    for number, (height, width) in enumerate(SIZES):
        y, x = np.mgrid[0:height, 0:width].astype(np.int64)
        ramp = x * 255 // (width - 1), y * 255 // (height - 1)
        disc = (x - width // 2) ** 2 + (y - height // 2) ** 2 < (min(height, width) // 3) ** 2
        checks = ((x // (4 + 3 * number)) + (y // (5 + 2 * number))) % 2 * 255
        # A multiplicative hash of the pixel's place: noise that is the same everywhere.
        noise = (x * 73856093 ^ y * 19349663 ^ number * 83492791) >> 7 & 255
        stripes = (x * (number + 1) + y * (8 - number)) // 9 % 32 * 8
        red, green, blue = (
            np.where(disc, ramp[number % 2], checks if number % 3 else noise),
            np.where(disc, stripes, ramp[(number + 1) % 2]),
            np.where(disc, noise if number % 2 else 255 - ramp[0], stripes),
        )
        pictures.append(np.stack([red, green, blue], axis=2).astype(np.uint8))
    return pictures


def similarity(
    one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the cosine of each row of one array to the same row of the other, shape (n,)."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.maximum(lengths, 1e-12), np.float32)


def agree(
    vectors: npt.NDArray[np.float32], known: npt.NDArray[np.float32], *, exact: bool = False
) -> bool:
    """Return whether vectors of the eight pictures, (8, D), are those that are known.

    ``exact`` says that both were computed in float32.
    """
    if (vectors == known).all():  # also where all pictures have one vector, and no direction
        return True
    least = MIN_EXACT_COSINE if exact else MIN_CENTRED_COSINE
    mean = known.mean(axis=0)
    plain, centred = similarity(vectors, known), similarity(vectors - mean, known - mean)
    return bool((plain >= MIN_COSINE).all() and (centred >= least).all())
