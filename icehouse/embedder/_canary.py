"""Eight small pictures that code draws, kept in the store with their vectors.

Whenever an encoder is opened for a store that knows it, it encodes them again. Whatever
changed since (a default of a library, an activation, a filter) shows here, before it can
poison the store.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from icehouse.embedder._decode import Pixels
from icehouse.embedder._encoder import Encoder
from icehouse.errors import CanaryError, StoreCorrupt
from icehouse.store import Store

MIN_COSINE = 0.999
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


def sing(encoder: Encoder) -> npt.NDArray[np.float32]:
    """Return the vectors of the eight pictures, float32 of shape (8, D)."""
    return encoder.encode(np.stack([encoder.preprocess(picture) for picture in draw()]))


def check(store: Store, encoder: Encoder) -> None:
    """Compare an encoder with what the store knows of it, or make it known.

    Raises
    ------
    CanaryError
        A picture's vector has a cosine below 0.999 to the one stored.
    """
    encoder_id = encoder.spec.encoder_id
    name = f"features/{encoder_id}/canary.npy"
    path = store.files.path(name)
    vectors = sing(encoder)
    if not path.exists():
        buffer = io.BytesIO()
        np.save(buffer, vectors, allow_pickle=False)
        store.files.commit(name, buffer.getvalue())
        return
    try:
        known = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise StoreCorrupt(f"{path} is damaged: {error}") from error
    cosine = similarity(vectors, known)
    if not cosine.min() >= MIN_COSINE:
        raise CanaryError(
            f"encoder {encoder_id} no longer gives the vectors that this store holds: on "
            f"{int((cosine < MIN_COSINE).sum())} of {len(SIZES)} test pictures the cosine is below "
            f"{MIN_COSINE} (lowest {cosine.min():.4f}). A library or the hardware computes "
            "something else than before. Install the versions that encoder.json names, or embed "
            "into a new store"
        )


def similarity(
    one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the cosine of each row of one array to the same row of the other, shape (n,)."""
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.maximum(lengths, 1e-12), np.float32)
