"""Images are divided by a hash of their identity: into splits, and into folds.

Rows of one identity are never divided: who wants the copies of a picture to stay together gives
all of them the identity of the first.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.heads._fractions import Fractions
from icehouse.store import IdArray

TRAIN, VAL, TEST = "train", "val", "test"
SPLITS = (TRAIN, VAL, TEST)

IntArray = npt.NDArray[np.int64]


def make_split(
    ids: IdArray, strata: npt.NDArray[Any], fractions: Fractions, seed: int
) -> npt.NDArray[np.str_]:
    """Divide images by a hash of their identity, class by class.

    The same image is on the same side on every machine, and stays there when others are added,
    but for those at the border.

    Parameters
    ----------
    ids : array of V32, shape (n,)
        Rows of one identity stay together, and count as of the class of the first of them. More
        than there is room for on a side are trained on.
    strata : array, shape (n,)
        Classes, each of which is divided by the fractions.
    fractions : Fractions
    seed : int

    Returns
    -------
    array of str, shape (n,)
        "train", "val" or "test". Every class keeps at least one image for training.
    """
    ids, first, of_row, rows = _identities(ids)
    strata = strata[first]
    split = np.full(len(ids), TRAIN, dtype="<U5")
    order = hash_order(ids, seed)
    for stratum in np.unique(strata):
        members = order[strata[order] == stratum]
        images = int(rows[members].sum())
        test = round(images * fractions.test)
        val = round(images * fractions.val)
        if test + val >= images:
            val, test = 0, min(test, images - 1)
        for side, room in ((TEST, test), (VAL, val)):
            taken = _fitting(rows[members], room)
            split[members[taken]] = side
            members = members[~taken]
    return split[of_row]


def make_folds(ids: IdArray, strata: npt.NDArray[Any], folds: int, seed: int) -> IntArray:
    """Deal images out to folds by a hash of their identity, class by class; shape (n,).

    Rows of one identity are in one fold.
    """
    ids, first, of_row, _ = _identities(ids)
    strata = strata[first]
    fold = np.empty(len(ids), np.int64)
    order = hash_order(ids, seed)
    dealt = 0
    for stratum in np.unique(strata):
        members = order[strata[order] == stratum]
        # Going on where the last class ended keeps the folds of equal size.
        fold[members] = (np.arange(len(members)) + dealt) % folds
        dealt += len(members)
    return fold[of_row]


def hash_order(ids: IdArray, seed: int) -> IntArray:
    """Return the order of images by a hash of their identity, another for each seed."""
    salt = str(seed).encode()
    keys = [hashlib.blake2b(i.tobytes(), digest_size=8, salt=salt[:16]).digest() for i in ids]
    return np.argsort(np.array(keys, dtype="S8").view(">u8"), kind="stable")


def _identities(ids: IdArray) -> tuple[IdArray, IntArray, IntArray, IntArray]:
    """Return each identity once, its first row, the identity of each row, and how many rows."""
    return np.unique(ids, return_index=True, return_inverse=True, return_counts=True)


def _fitting(rows: IntArray, room: int) -> npt.NDArray[np.bool_]:
    """Say which come first and fit into so much room, leaving out those that are too large."""
    taken = np.zeros(len(rows), np.bool_)
    for number, size in enumerate(rows.tolist()):
        if not room:
            break
        if size <= room:
            taken[number] = True
            room -= size
    return taken
