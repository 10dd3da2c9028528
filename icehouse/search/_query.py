"""Vectors of files that are asked about, whether or not the store knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from icehouse.embedder import decode, enough, probe, read_file, reopen_encoder
from icehouse.errors import ImageError
from icehouse.store import FeatureMatrix, Store, VectorRows, ids_from_bytes, image_id, parts_of

BATCH = 32


@dataclass(frozen=True)
class Vectors:
    """Vectors of files.

    Attributes
    ----------
    paths : list of Path
        The files that are pictures, in the order asked.
    features : FeatureMatrix
        One row for each of them; an image asked twice stands twice.
    errors : dict
        What is wrong with the others.
    """

    paths: list[Path]
    features: FeatureMatrix
    errors: dict[Path, ImageError]


def vectors_of(
    store: Store, encoder_id: str, paths: Sequence[Path], known: VectorRows | None = None
) -> Vectors:
    """Return the vectors of files; those that the store lacks are encoded, but not stored.

    Parameters
    ----------
    store : Store
    encoder_id : str
        Or several joined, as an ensemble may have.
    paths : sequence of Path
    known : VectorRows, optional
        The encoder's vectors, if they are open already.

    Raises
    ------
    WeightsError, CanaryError
        The encoder is needed and is not what it was.
    """
    parts = parts_of(encoder_id)
    if len(parts) > 1:
        return _side_by_side(encoder_id, [vectors_of(store, part, paths) for part in parts])
    known = known or store.features(encoder_id).rows()
    errors: dict[Path, ImageError] = {}
    data: dict[Path, bytes] = {}
    for path in paths:
        try:
            content = read_file(path).data
            probe(content)
            data[path] = content
        except ImageError as error:
            errors[path] = error
    readable = [path for path in paths if path in data]
    ids = ids_from_bytes(image_id(data[path]) for path in readable)
    where = known.find(ids)
    dim = int(store.features(encoder_id).card["spec"]["dim"])
    vectors = np.empty((len(readable), dim), known.dtype if len(known) else np.float32)
    if len(known):
        vectors[where >= 0] = known.at(where[where >= 0])
    failed = _encode(store, encoder_id, readable, data, np.flatnonzero(where < 0), vectors, errors)
    keep = np.setdiff1d(np.arange(len(readable)), failed)
    features = FeatureMatrix(encoder_id, ids[keep], vectors[keep])
    return Vectors([readable[i] for i in keep], features, errors)


def _side_by_side(encoder_id: str, found: list[Vectors]) -> Vectors:
    """Join the vectors of the same files by several encoders."""
    errors = {path: error for each in found for path, error in each.errors.items()}
    read = [np.array([path not in errors for path in each.paths], np.bool_) for each in found]
    vectors = [each.features.vectors[rows] for each, rows in zip(found, read, strict=True)]
    ids, paths = found[0].features.ids[read[0]], [p for p in found[0].paths if p not in errors]
    return Vectors(paths, FeatureMatrix(encoder_id, ids, np.concatenate(vectors, axis=1)), errors)


def _encode(
    store: Store,
    encoder_id: str,
    paths: list[Path],
    data: dict[Path, bytes],
    rows: npt.NDArray[np.int64],
    vectors: npt.NDArray[np.floating],
    errors: dict[Path, ImageError],
) -> list[int]:
    """Fill rows of ``vectors``; return the rows whose file turned out to be no picture."""
    if not len(rows):
        return []
    encoder = reopen_encoder(store, encoder_id)
    small = enough(encoder.spec.preprocess)
    failed = []
    for start in range(0, len(rows), BATCH):
        good, pixels = [], []
        for row in rows[start : start + BATCH].tolist():
            try:
                pixels.append(encoder.preprocess(decode(data[paths[row]], enough=small)))
                good.append(row)
            except ImageError as error:
                errors[paths[row]] = error
                failed.append(row)
        if good:
            vectors[good] = encoder.encode(np.stack(pixels))
    return failed
