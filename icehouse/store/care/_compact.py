"""Compaction: few large shards instead of many small ones, without what is dead or double.

The new is committed before the old is removed, so whoever dies or reads in between finds
everything, some of it twice, which readers drop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.store._catalog import Catalog, in_force
from icehouse.store._features import FeatureShards
from icehouse.store._files import Files, read_listed
from icehouse.store._ids import IdArray, positions
from icehouse.store._shard import VectorArray, bare, flat_vectors, open_shard, read_shard
from icehouse.store._tombstones import Tombstone, dead_by_shard
from icehouse.store.care._check_features import ShardFacts

# Of one shard. A shard is one PUT, so it has to fit into memory, some times over.
SHARD_ROWS = 262_144
SHARD_BYTES = 64 * 2**20

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FeaturePlan:
    """What a compaction of one encoder would do.

    Attributes
    ----------
    bins : list of list of (ShardFacts, mask)
        Shards that become one, with the rows that are kept.
    small : int
        Shards that are merged for their size alone.
    forgotten, double : int
        Rows.
    """

    bins: list[list[tuple[ShardFacts, Mask]]]
    small: int
    forgotten: int
    double: int


def plan_features(
    shards: Sequence[ShardFacts], stones: Sequence[Tombstone], limit: tuple[int, int]
) -> FeaturePlan:
    """Decide which shards are to be written anew.

    Parameters
    ----------
    shards : sequence of ShardFacts
        All sound shards of an encoder, in the order of their names.
    stones : sequence of Tombstone
    limit : (int, int)
        Rows and bytes of vectors in one shard.
    """
    dead = dead_by_shard(stones)
    alive = [shard.finite & ~_among(shard.ids, dead.get(bare(shard.name))) for shard in shards]
    first = _first_rows(shards, alive)
    keep = [mask & once for mask, once in zip(alive, first, strict=True)]
    forgotten = sum(
        int((shard.finite & ~mask).sum()) for shard, mask in zip(shards, alive, strict=True)
    )
    double = sum(int((mask & ~once).sum()) for mask, once in zip(alive, first, strict=True))
    bins: list[list[tuple[ShardFacts, Mask]]] = []
    small, rows = 0, 0
    for shard, mask in sorted(zip(shards, keep, strict=True), key=lambda s: s[0].augmented):
        most = rows_of_a_shard(shard, limit)
        clean = mask.all() and shard.well_named
        if clean and len(mask) * 2 > most:
            continue
        small += int(clean)
        full = rows * 2 > most and rows + int(mask.sum()) > most
        if not bins or full or bins[-1][-1][0].like != shard.like:
            bins.append([])
            rows = 0
        bins[-1].append((shard, mask))
        rows += int(mask.sum())
    merged = [each for each in bins if len(each) > 1 or not _is_clean(each[0])]
    return FeaturePlan(merged, small if merged else 0, forgotten, double)


def compact_features(
    files: Files, features: FeatureShards, shards: Sequence[ShardFacts], limit: tuple[int, int]
) -> tuple[int, int]:
    """Write shards of one encoder anew, and return how many there were before and after.

    Raises
    ------
    StoreCorrupt
        A shard is damaged; check them all before.
    """
    before = len(features.shards())
    while not _compact_once(files, features, shards, limit):
        # Something was forgotten meanwhile. What was written is covered by it now.
        continue
    present = {bare(name) for name in features.shards()}
    spent = [stone.name for stone in read_stones(features) if not stone.shards & present]
    files.remove(*spent)
    return before, len(features.shards())


def compact_catalog(files: Files, catalog: Catalog, dataset: str) -> bool:
    """Write the rows in force of a dataset into one shard, and return whether that was needed."""
    names = catalog.shards(dataset)
    if not names:
        return False
    try:
        rows = catalog.rows_of(names)
    except FileNotFoundError:  # another compaction was faster
        return False
    kept = in_force(rows)
    if len(kept) == len(rows) and len(names) == 1 and len(kept):
        return False
    new = catalog.replace(names, kept)
    # The oldest first: for a reader that knows nothing of replaced shards, a key that is gone
    # would be back without the shard that says so.
    files.remove(*(name for name in names if name != new))
    if not len(kept):
        files.remove(new)
    return True


def read_stones(features: FeatureShards) -> list[Tombstone]:
    """Return all tombstones of an encoder."""
    stones = features.tombstones
    return read_listed(stones.names, lambda names: [stones.read(name) for name in names])


def rows_of_a_shard(shard: ShardFacts, limit: tuple[int, int]) -> int:
    """Return how many rows a shard of such vectors may have."""
    rows, size = limit
    dim, dtype = shard.kind
    return max(1, min(rows, size // (dim * np.dtype(dtype).itemsize)))


def _compact_once(
    files: Files, features: FeatureShards, shards: Sequence[ShardFacts], limit: tuple[int, int]
) -> bool:
    """Compact by the tombstones that there are now; say whether there were others at the end."""
    present = set(features.shards())
    stones = read_stones(features)
    plan = plan_features([s for s in shards if s.name in present], stones, limit)
    # Shards and bins from the last to the first: of two vectors of one image the one in the first
    # shard counts, and so it does at any moment.
    for each in reversed(plan.bins):
        written: list[str] = []
        try:
            for ids, views, vectors in _chunks(files, each, limit):
                written.append(features.append(ids, vectors, each[0][0].kind[1], views))
        except FileNotFoundError:  # another compaction was faster
            continue
        known = {stone.name for stone in stones}
        news = [stone for stone in read_stones(features) if stone.name not in known]
        if news:
            # Its maker may have seen the old shards only.
            _extend(features, news, {bare(shard.name) for shard, _ in each}, written)
            return False
        old = sorted((shard.name for shard, _ in each), reverse=True)
        files.remove(*(name for name in old if name not in written))
    return True


def _extend(
    features: FeatureShards, stones: list[Tombstone], old: set[str], written: list[str]
) -> None:
    for stone in stones:
        if written and stone.shards & old:
            features.tombstones.commit(stone.ids, written)


def _chunks(
    files: Files, each: list[tuple[ShardFacts, Mask]], limit: tuple[int, int]
) -> Iterator[tuple[IdArray, npt.NDArray[np.int16], VectorArray]]:
    """Yield the rows that are kept, in order, in equal parts no larger than a shard may be."""
    left = sum(int(mask.sum()) for _, mask in each)
    dim, dtype = each[0][0].kind
    parts = -(-left // rows_of_a_shard(each[0][0], limit))
    most = -(-left // max(parts, 1))
    ids = np.concatenate([shard.ids[mask] for shard, mask in each])
    views = np.concatenate([shard.views[mask] for shard, mask in each])
    done, filled = 0, 0
    buffer = np.empty((min(left, most), dim), dtype)
    for shard, mask in each:
        for vectors in _vectors(files, shard.name, mask):
            while len(vectors):
                taken = vectors[: len(buffer) - filled]
                buffer[filled : filled + len(taken)] = taken
                filled += len(taken)
                vectors = vectors[len(taken) :]
                if filled == len(buffer):
                    rows = slice(done, done + filled)
                    yield ids[rows], views[rows], buffer
                    done, filled = done + filled, 0
                    buffer = buffer[: left - done]


def _vectors(files: Files, name: str, mask: Mask) -> Iterator[VectorArray]:
    shard = open_shard(files, name, mapped=False)
    start = 0
    for group in range(shard.metadata.num_row_groups):
        vectors = flat_vectors(read_shard(name, shard, group, ["vector"]))
        wanted = mask[start : start + len(vectors)]
        yield vectors if wanted.all() else vectors[wanted]
        start += len(vectors)


def _is_clean(each: tuple[ShardFacts, Mask]) -> bool:
    shard, mask = each
    return bool(mask.all()) and shard.well_named


def _among(ids: IdArray, dead: IdArray | None) -> Mask:
    return np.zeros(len(ids), np.bool_) if dead is None else positions(ids, dead) >= 0


def _first_rows(shards: Sequence[ShardFacts], alive: Sequence[Mask]) -> list[Mask]:
    """Say of each row whether it is the first alive one of its image and view."""
    sizes = [len(shard.ids) for shard in shards]
    rows = np.empty(sum(sizes), np.dtype([("image_id", "V32"), ("view", "<i2")]))
    if not len(rows):
        return [np.empty(0, np.bool_) for _ in shards]
    rows["image_id"] = np.concatenate([shard.ids for shard in shards])
    rows["view"] = np.concatenate([shard.views for shard in shards])
    candidates = np.flatnonzero(np.concatenate(alive))
    _, first = np.unique(rows[candidates].view("V34"), return_index=True)
    once = np.zeros(len(rows), np.bool_)
    once[candidates[first]] = True
    return np.split(once, np.cumsum(sizes)[:-1])
