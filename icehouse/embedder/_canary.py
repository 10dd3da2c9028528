"""Eight small pictures that code draws, kept with the vectors that an encoder gave for them.

Whenever an encoder is opened for a store that knows it, it encodes them again. Whatever
changed since (a default of a library, an activation, a filter) shows here, before it can
poison the store. An encoder that runs in another precision encodes them in float32 as well, where
no rounding hides a change: the canary is float32 of shape (8, D), or (2, 8, D) where the second
are those. A folder of weights may hold a ``canary.npy`` too, of shape (8, D), computed in float32:
then the encoder has to give the vectors of those who made it from the first day on.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from icehouse.store import Store

CANARY = "canary.npy"
Song = npt.NDArray[np.float32]


def sing(encoder: Encoder) -> Song:
    """Return the vectors of the eight pictures, float32 of shape (8, D)."""
    return encoder.encode(np.stack([encoder.preprocess(picture) for picture in draw()]))


def check_canary(store: Store, encoder: Encoder) -> None:
    """Compare an encoder with what the store knows of it, or make it known.

    Raises
    ------
    CanaryError
        A picture's vector has a cosine below 0.999 to the one stored, or below 0.99 with the
        mean of all eight subtracted (0.9995 in float32).
    """
    name = f"features/{encoder.spec.encoder_id}/{CANARY}"
    in_float32 = encoder.spec.precision == "float32"
    songs, exact = [sing(encoder)], None if in_float32 else _sung_in_float32(encoder)
    if exact is not None:
        songs.append(exact)
    if not store.files.exists(name):
        buffer = io.BytesIO()
        np.save(buffer, np.stack(songs) if len(songs) > 1 else songs[0], allow_pickle=False)
        store.files.commit(name, buffer.getvalue())
        return
    known = _load(store.files.read(name), name, StoreCorrupt)
    remedy = "Install the versions that encoder.json names, or embed into a new store"
    kept = list(known) if known.ndim == 3 else [known]  # one, where icehouse wrote no second yet
    for number, (song, before) in enumerate(zip(songs, kept, strict=False)):
        _refuse_other(before, song, name, StoreCorrupt)
        if not agree(song, before, exact=in_float32 or number == 1):
            raise CanaryError(
                _words(encoder, name, song, before, in_float32 or number == 1, remedy)
            )


def check_folder(folder: Path, encoder: Encoder) -> None:
    """Compare an encoder with what the folder of its weights says of it, if it does.

    Raises
    ------
    CanaryError
        As in :func:`check_canary`.
    WeightsError
        The folder's canary is damaged.
    """
    path = folder / CANARY
    if not path.exists():
        return
    known = _load(path.read_bytes(), str(path), WeightsError)
    exact = _sung_in_float32(encoder)
    song = sing(encoder) if exact is None else exact
    _refuse_other(known, song, str(path), WeightsError)
    if not agree(song, known, exact=exact is not None):
        remedy = (
            "Or config.json or the weights beside it were changed: bring back what was published, "
            "or remove canary.npy if the change is meant"
        )
        raise CanaryError(_words(encoder, str(path), song, known, exact is not None, remedy))


def _sung_in_float32(encoder: Encoder) -> Song | None:
    """Return the vectors of the eight pictures as float32 gives them, where the encoder can say."""
    if encoder.spec.precision == "float32":
        return sing(encoder)
    return getattr(encoder, "sung_in_float32", None)


def _load(data: bytes, name: str, damaged: type[IcehouseError]) -> Song:
    try:
        return np.asarray(np.load(io.BytesIO(data), allow_pickle=False), np.float32)
    except (ValueError, EOFError, OSError, SyntaxError) as error:
        raise damaged(f"{name} is damaged: {error}") from error


def _refuse_other(known: Song, song: Song, name: str, damaged: type[IcehouseError]) -> None:
    if known.shape != song.shape:
        raise damaged(
            f"{name} is damaged: it holds an array of shape {known.shape}, not {song.shape}"
        )


def _words(encoder: Encoder, name: str, song: Song, known: Song, exact: bool, remedy: str) -> str:
    least = MIN_EXACT_COSINE if exact else MIN_CENTRED_COSINE
    mean = known.mean(axis=0)
    lowest, centred = similarity(song, known).min(), similarity(song - mean, known - mean).min()
    return (
        f"encoder {encoder.spec.encoder_id} does not give the vectors that {name} holds: on "
        f"test pictures their cosine falls to {lowest:.4f}, and {centred:.4f} about the mean "
        f"(at least {MIN_COSINE} and {least} are asked for). A library or the "
        f"hardware computes something else than before. {remedy}"
    )
