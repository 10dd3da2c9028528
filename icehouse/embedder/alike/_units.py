"""Which images are one picture, so that no split divides them."""

from __future__ import annotations

import numpy as np

from icehouse.embedder._choose import find_request
from icehouse.embedder._encoder import THUMBNAIL, EncoderRequest
from icehouse.embedder.alike._find import clusters_of, find_alike
from icehouse.embedder.alike._looks import Looks
from icehouse.errors import TrainingDataError
from icehouse.store import IdArray, Store, positions


def units_of(store: Store, ids: IdArray) -> tuple[IdArray, int]:
    """Return for each image the first one that it is a duplicate of, which may be itself.

    Parameters
    ----------
    store : Store
    ids : array of V32, shape (n,)
        Sorted. Only duplicates among these count, so the answer depends on nothing else.

    Returns
    -------
    units : array of V32, shape (n,)
    missing : int
        How many of them have no thumbnail, so that nobody knows their duplicates.

    Raises
    ------
    TrainingDataError
        None of them has.
    """
    encoder_id = find_request(store, EncoderRequest(THUMBNAIL))
    missing = len(ids)
    if encoder_id is not None:
        thumbnails = store.features(encoder_id).load()
        where = positions(ids, thumbnails.ids)
        known = np.flatnonzero(where >= 0)
        missing = len(ids) - len(known)
    if encoder_id is None or missing == len(ids):
        raise TrainingDataError(
            "the store has no thumbnails of these images, by which duplicates are found. Make "
            f"them with: icehouse duplicates --store {store.path}"
        )
    pairs = find_alike(Looks(thumbnails.vectors[where[known]]))
    cluster = clusters_of(len(known), pairs)
    _, first, of_each = np.unique(cluster, return_index=True, return_inverse=True)
    units = ids.copy()
    units[known] = ids[known[first[of_each]]]
    return units, missing
