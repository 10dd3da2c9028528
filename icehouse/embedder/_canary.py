"""Eight small pictures that code draws, kept in the store with their vectors.

Whenever an encoder is opened for a store that knows it, it encodes them again. Whatever
changed since (a default of a library, an activation, a filter) shows here, before it can
poison the store.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from icehouse.embedder._encoder import Encoder
from icehouse.embedder._pictures import (
    MIN_CENTRED_COSINE,
    MIN_COSINE,
    agree,
    draw,
    similarity,
)
from icehouse.errors import CanaryError, StoreCorrupt
from icehouse.store import Store


def sing(encoder: Encoder) -> npt.NDArray[np.float32]:
    """Return the vectors of the eight pictures, float32 of shape (8, D)."""
    return encoder.encode(np.stack([encoder.preprocess(picture) for picture in draw()]))


def check(store: Store, encoder: Encoder) -> None:
    """Compare an encoder with what the store knows of it, or make it known.

    Raises
    ------
    CanaryError
        A picture's vector has a cosine below 0.999 to the one stored, or below 0.99 with the
        mean of all eight subtracted.
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
    if known.shape != vectors.shape:
        raise StoreCorrupt(
            f"{path} is damaged: it holds an array of shape {known.shape}, not {vectors.shape}"
        )
    if not agree(vectors, known):
        lowest = similarity(vectors, known).min()
        mean = known.mean(axis=0)
        centred = similarity(vectors - mean, known - mean).min()
        raise CanaryError(
            f"encoder {encoder_id} no longer gives the vectors that this store holds: on test "
            f"pictures their cosine falls to {lowest:.4f}, and {centred:.4f} about the mean (at "
            f"least {MIN_COSINE} and {MIN_CENTRED_COSINE} are asked for). A library or the "
            "hardware computes something else than before. Install the versions that "
            "encoder.json names, or embed into a new store"
        )
