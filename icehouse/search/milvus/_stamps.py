"""Stamps: rows of a collection that say which shards of the store it holds, and how much of them.

To ask a collection for all its keys takes as long as many searches. But shards never change under
their names, so it is enough to know which of them have been pushed as a whole. That is said by one
row for each, written after those of its images: its key is the identity of no image, as it begins
with 16 zero bytes, and in the place of the fingerprint stands how many images the shard had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from icehouse.search.milvus._collection import Collection, Held
from icehouse.store import IdArray, VectorRows, ids_from_bytes

Stamps = dict[bytes, int]
ZEROS = 16  # bytes


def wanted(rows: VectorRows) -> Stamps:
    """Return the stamps of a collection that holds all rows of a store."""
    return of_shards(rows, range(len(rows.shards)))


def of_shards(rows: VectorRows, shards: Iterable[int]) -> Stamps:
    """Return the stamps of some shards, by their numbers, once all of their rows are there."""
    images = np.bincount(rows.shard, minlength=len(rows.shards)).tolist()
    return {_key(rows.shards[number]): images[number] for number in shards if images[number]}


def covered(rows: VectorRows, stamps: Stamps) -> npt.NDArray[np.bool_]:
    """Return which rows of a store lie in shards that a collection holds, bool of shape (n,).

    A shard that had fewer rows than now is none of them. It had more where some were forgotten.
    """
    now = wanted(rows)
    keys = map(_key, rows.shards)
    whole = [0 < now.get(key, 0) <= stamps.get(key, 0) for key in keys]
    return np.array(whole, np.bool_)[rows.shard]


def rows_of(stamps: Stamps) -> int:
    """Return how many rows a collection has with all that stamps say, and with themselves."""
    return sum(stamps.values()) + len(stamps)


def read(collection: Collection, limit: float) -> Stamps:
    """Ask for the stamps of a collection."""
    held = collection.held(limit, start="00" * ZEROS)
    return {key.tobytes(): n for key, n in zip(held.ids, held.prints.tolist(), strict=True)}


def write(collection: Collection, stamps: Stamps, limit: float) -> None:
    """Add stamps to a collection; those of the same shards go."""
    if stamps:
        numbers = np.array(list(stamps.values()), np.uint64)
        nowhere = np.zeros((len(stamps), collection.dim), np.float32)
        collection.upsert(keys_of(stamps), numbers, nowhere, limit)


def keys_of(stamps: Iterable[bytes]) -> IdArray:
    """Return the keys of stamps as an array."""
    return ids_from_bytes(stamps)


def images_of(held: Held) -> Held:
    """Return the rows that are no stamps."""
    heads = held.ids.view(np.uint64).reshape(-1, held.ids.itemsize // 8)[:, : ZEROS // 8]
    image = heads.any(axis=1)
    return Held(held.ids[image], held.prints[image])


def _key(shard: str) -> bytes:
    return bytes(ZEROS) + hashlib.sha256(shard.encode()).digest()[:ZEROS]
