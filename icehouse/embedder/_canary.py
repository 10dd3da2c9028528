"""Eight small pictures that code draws, kept with the vectors that an encoder gave for them.

Whenever an encoder is opened for a store that knows it, it encodes them again. Whatever
changed since (a default of a library, an activation, a filter) shows here, before it can
poison the store. An encoder that runs in another precision encodes them in float32 as well, where
no rounding hides a change. A folder of weights may hold a ``canary.npy`` too, computed in float32,
(8, D): then the encoder has to give the vectors of those who made it from the first day on.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from icehouse.embedder._encoder import Encoder
from icehouse.embedder._pictures import (
    MIN_CENTRED_COSINE,
    MIN_COSINE,
    MIN_EXACT_COSINE,
    agree,
    draw,
    similarity,
)
from icehouse.errors import CanaryError, IcehouseError, StoreCorrupt, WeightsError
from icehouse.store import Store

CANARY, EXACT_CANARY = "canary.npy", "canary-float32.npy"


def sing(encoder: Encoder) -> npt.NDArray[np.float32]:
    """Return the vectors of the eight pictures, float32 of shape (8, D)."""
    return encoder.encode(np.stack([encoder.preprocess(picture) for picture in draw()]))


def check(store: Store, encoder: Encoder) -> None:
    """Compare an encoder with what the store knows of it, or make it known.

    Raises
    ------
    CanaryError
        A picture's vector has a cosine below 0.999 to the one stored, or below 0.99 with the
        mean of all eight subtracted (0.9995 in float32).
    """
    exact = _sung_in_float32(encoder)
    songs = {CANARY: sing(encoder)}
    if exact is not None and encoder.spec.precision != "float32":
        songs[EXACT_CANARY] = exact
    for file, song in songs.items():
        name = f"features/{encoder.spec.encoder_id}/{file}"
        path = store.files.path(name)
        if path.exists():
            remedy = "Install the versions that encoder.json names, or embed into a new store"
            in_float32 = file == EXACT_CANARY or encoder.spec.precision == "float32"
            _compare(encoder, song, path, StoreCorrupt, remedy, exact=in_float32)
        else:
            buffer = io.BytesIO()
            np.save(buffer, song, allow_pickle=False)
            store.files.commit(name, buffer.getvalue())


def check_folder(folder: Path, encoder: Encoder) -> None:
    """Compare an encoder with what the folder of its weights says of it, if it does.

    Raises
    ------
    CanaryError
        As in :func:`check`.
    WeightsError
        The folder's canary is damaged.
    """
    if (path := folder / CANARY).exists():
        remedy = (
            "Or config.json or the weights beside it were changed: bring back what was published, "
            "or remove canary.npy if the change is meant"
        )
        song = _sung_in_float32(encoder)
        exact = song is not None
        song = sing(encoder) if song is None else song
        _compare(encoder, song, path, WeightsError, remedy, exact=exact)


def _sung_in_float32(encoder: Encoder) -> npt.NDArray[np.float32] | None:
    """Return the vectors of the eight pictures as float32 gives them, where the encoder can say."""
    if encoder.spec.precision == "float32":
        return sing(encoder)
    return getattr(encoder, "sung_in_float32", None)


def _compare(
    encoder: Encoder,
    vectors: npt.NDArray[np.float32],
    path: Path,
    damaged: type[IcehouseError],
    remedy: str,
    *,
    exact: bool,
) -> None:
    try:
        known = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise damaged(f"{path} is damaged: {error}") from error
    if known.shape != vectors.shape:
        raise damaged(
            f"{path} is damaged: it holds an array of shape {known.shape}, not {vectors.shape}"
        )
    if not agree(vectors, known, exact=exact):
        least = MIN_EXACT_COSINE if exact else MIN_CENTRED_COSINE
        lowest = similarity(vectors, known).min()
        mean = known.mean(axis=0)
        centred = similarity(vectors - mean, known - mean).min()
        raise CanaryError(
            f"encoder {encoder.spec.encoder_id} does not give the vectors that {path} holds: on "
            f"test pictures their cosine falls to {lowest:.4f}, and {centred:.4f} about the mean "
            f"(at least {MIN_COSINE} and {least} are asked for). A library or the "
            f"hardware computes something else than before. {remedy}"
        )
