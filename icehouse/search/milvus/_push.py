"""Bringing a collection of Milvus to where the store is: what is new is added, what is gone goes.

What the collection holds is asked first, so it does not matter how far a run before this one came.
Before anything is changed, the stamps of shards that it changes are removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.errors import LookupFailed, MilvusError, UsageError
from icehouse.search.milvus import _stamps
from icehouse.search.milvus._address import Address
from icehouse.search.milvus._client import Client
from icehouse.search.milvus._collection import Collection, Held
from icehouse.store import Store, VectorRows, fingerprints, parts_of, positions, unit

PATIENCE = 30.0  # seconds that Milvus may take for one step
LONGEST = 600.0  # that it may take to have all on disk, or in memory
NUMBERS_AT_ONCE = 1_000_000  # of vectors that are sent: 4 MB
REMOVED_AT_ONCE = 1000
PRINTED_AT_ONCE = 65_536
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes
    ----------
    encoder_id, where, collection : str
    rows : int
        That the collection has now: all vectors of the store.
    added, removed : int
    seconds : float
    """

    encoder_id: str
    where: str
    collection: str
    rows: int
    added: int
    removed: int
    seconds: float


@dataclass(frozen=True)
class PushedState:
    """How far a collection is behind the store.

    Attributes
    ----------
    encoder_id, where, collection : str
    vectors, lacks, gone : int
        Vectors that the store has; of these, that the collection does not have; and rows of the
        collection that the store does not have.
    """

    encoder_id: str
    where: str
    collection: str
    vectors: int
    lacks: int
    gone: int


def push_index(
    store: Store,
    encoder_id: str,
    where: str,
    *,
    progress: Progress = lambda *_: None,
    patience: float = PATIENCE,
) -> Pushed:
    """Make a collection of Milvus hold the vectors of an encoder, and no others.

    Parameters
    ----------
    store : Store
    encoder_id : str
    where : str
        ``milvus:photos.db`` or ``milvus:http://host:19530``.
    progress : callable, optional
        Is told how many of how many vectors were sent.
    patience : float
        Seconds that Milvus may take for one step.

    Raises
    ------
    LookupFailed
        There are no vectors.
    UsageError
        It is no address of Milvus; or the collection there was made for another encoder, dimension
        or store.
    MilvusError
        Milvus cannot be reached, or went amid it; what was sent stays.
    MissingExtra
        pymilvus or milvus-lite is not installed.
    """
    started = time.perf_counter()
    rows, address = _rows(store, encoder_id), Address.of(where)
    with closing(Collection(Client(address, patience), encoder_id, rows.dim)) as collection:
        if not collection.exists():
            collection.create(patience)
        collection.load(LONGEST)
        try:
            added, removed = _brought(collection, rows, where, progress, patience)
            if added or removed:
                collection.flush(LONGEST)
        except MilvusError as error:
            stays = "What was pushed until then stays, and the next push goes on from there"
            raise MilvusError(f"{error}. {stays}") from error
    return Pushed(
        encoder_id=encoder_id,
        where=str(address),
        collection=collection.name,
        rows=len(rows),
        added=added,
        removed=removed,
        seconds=time.perf_counter() - started,
    )


def _brought(
    collection: Collection, rows: VectorRows, where: str, progress: Progress, patience: float
) -> tuple[int, int]:
    """Return how many rows were added and removed."""
    known, wanted = _stamps.read(collection, patience), _stamps.wanted(rows)
    if known == wanted and collection.count(patience) == _stamps.rows_of(wanted):
        return 0, 0
    held = _stamps.images_of(collection.held(patience))
    gone = held.ids[positions(held.ids, rows.ids) < 0]
    if len(held.ids) and len(gone) == len(held.ids):
        raise UsageError(
            f"no image of the collection {collection.name} is in this store, so it seems to be "
            "another one's. Take another file or database of Milvus for it, or drop the "
            f"collection: icehouse index drop --index {where}"
        )
    new = np.flatnonzero(~_same(rows, held))
    incomplete = _stamps.of_shards(rows, np.unique(rows.shard[new]))
    valid = {key for key, n in known.items() if wanted.get(key) == n and key not in incomplete}
    stale = _stamps.keys_of(key for key in known if key not in valid)
    for ids in (stale, gone):
        for start in range(0, len(ids), REMOVED_AT_ONCE):
            collection.remove(ids[start : start + REMOVED_AT_ONCE], patience)
    missing = {key: n for key, n in wanted.items() if key not in valid}
    _send(collection, rows, new, missing, progress, patience)
    return len(new), len(gone)


def _send(
    collection: Collection,
    rows: VectorRows,
    new: npt.NDArray[np.int64],
    missing: _stamps.Stamps,
    progress: Progress,
    patience: float,
) -> None:
    """Add rows, in the order of their shards, and the stamp of each shard when it is whole."""
    step = max(NUMBERS_AT_ONCE // rows.dim, 1)
    for start in range(0, max(len(new), 1), step):
        some, later = new[start : start + step], new[start + step :]
        if len(some):
            progress(start, len(new))
            vectors = rows.at(some)
            collection.upsert(rows.ids[some], fingerprints(vectors), unit(vectors), patience)
            progress(start + len(some), len(new))
        shards = range(int(rows.shard[later[0]]) if len(later) else len(rows.shards))
        whole = _stamps.of_shards(rows, shards)
        _stamps.write(collection, {k: missing.pop(k) for k in whole if k in missing}, patience)


def pushed_state(store: Store, encoder_id: str, where: str) -> PushedState:
    """Return how far a collection of Milvus is behind the store; raises as :func:`push_index`."""
    rows, address = _rows(store, encoder_id), Address.of(where)
    with closing(Collection(_present(address), encoder_id, rows.dim)) as collection:
        held = Held(rows.ids[:0], np.empty(0, np.uint64))
        if collection.exists():
            collection.load(PATIENCE)
            held = _stamps.images_of(collection.held(PATIENCE))
        lacks = int((~_same(rows, held)).sum())
        gone = int((positions(held.ids, rows.ids) < 0).sum())
        name = collection.name
        return PushedState(encoder_id, str(address), name, len(rows), lacks, gone)


def drop_pushed(store: Store, encoder_id: str, where: str) -> list[str]:
    """Remove the collection of an encoder from Milvus, and return its name, if there was one.

    Raises
    ------
    LookupFailed, MilvusError, MissingExtra
        As :func:`push_index`.
    UsageError
        It is no address of Milvus, or the collection was made for another encoder or dimension.
    """
    dim, address = _rows(store, encoder_id).dim, Address.of(where)
    with closing(Collection(_present(address), encoder_id, dim)) as collection:
        if not collection.exists():
            return []
        collection.drop()
        return [collection.name]


def _present(address: Address) -> Client:
    """Open a Milvus that is there already; a file is not made by asking for it."""
    if address.file is not None and not address.file.exists():
        raise LookupFailed(f"there is no {address}. Make it with: icehouse index push")
    return Client(address)


def _rows(store: Store, encoder_id: str) -> VectorRows:
    if len(parts_of(encoder_id)) > 1:
        raise UsageError("an index is of one encoder; joined ones are searched exactly")
    rows = store.features(encoder_id).rows()
    if not len(rows):
        raise LookupFailed(f"the store has no features of encoder {encoder_id}")
    return rows


def _same(rows: VectorRows, held: Held) -> npt.NDArray[np.bool_]:
    """Return of which rows of a store a collection holds the same vector."""
    same = np.zeros(len(rows), np.bool_)
    if not len(held.ids):
        return same
    place = positions(rows.ids, held.ids)
    for start in range(0, len(rows), PRINTED_AT_ONCE):
        some = slice(start, min(start + PRINTED_AT_ONCE, len(rows)))
        prints = fingerprints(rows.block(some.start, some.stop))
        same[some] = (place[some] >= 0) & (held.prints[place[some]] == prints)
    return same
