"""``fsck`` of search indexes: they are derived, so nothing that is wrong with one is damage."""

from __future__ import annotations

import numpy as np

from icehouse.errors import StoreCorrupt
from icehouse.store._features import FeatureShards
from icehouse.store._files import STALE_SECONDS, Files
from icehouse.store._ids import IdArray, positions
from icehouse.store._index_files import (
    CARD,
    IDS,
    INDEX,
    IndexedRows,
    IndexFiles,
    fingerprints,
)
from icehouse.store.care._findings import Finding, count, found

AT_ONCE = 65_536


def check_indexes(files: Files, alive: dict[str, IdArray]) -> list[Finding]:
    """Check all indexes of a store.

    Parameters
    ----------
    files : Files
    alive : dict of array of V32, shape (n,)
        The images that have a vector, by encoder_id.
    """
    findings = []
    for encoder in files.folders("indexes"):
        index = IndexFiles(files, encoder)
        for _ in range(2):  # it may have been replaced between the reading of two files
            here = _check(files, index, alive.get(encoder))
            if not here:
                break
        findings += here
    return findings


def _check(files: Files, index: IndexFiles, alive: IdArray | None) -> list[Finding]:
    where = f"{index.folder}/{CARD}"
    try:
        card = index.card()
        named = {said["name"] for said in card.files.values()} if card else set()
        findings = _left(files, index.folder, named)
        if card is None or not card.files:
            return findings
        rows = index.indexed(card)
        index.path(card)
    except StoreCorrupt as error:
        return [found("index", where, error)]
    if alive is None:
        return [*findings, found("index", where, "the store has no vectors of its encoder")]
    gone = int((positions(rows.ids, alive) < 0).sum())
    if gone:
        what = f"its files hold {count(gone, 'vector')} that the store has no more"
        findings.append(found("index-of-forgotten", where, what))
    wrong = _misaligned(FeatureShards(files, index.encoder_id), card.shards, rows)
    if wrong:
        what = f"{count(wrong, 'row')} of {card.rows:,} are not of the vector that was stored"
        findings.append(found("index", where, what))
    return findings


def _misaligned(features: FeatureShards, shards: tuple[str, ...], rows: IndexedRows) -> int:
    """Count rows whose vector is not that of their image in the shard that they name."""
    try:
        stored = features.rows()
    except StoreCorrupt:  # found by check_encoder
        return 0
    place = stored.find(rows.ids)
    names = np.array([*stored.shards, ""])
    same = np.flatnonzero(place >= 0)
    same = same[names[stored.shard[place[same]]] == np.array(shards)[rows.shard[same]]]
    return sum(
        int((fingerprints(stored.at(place[some])) != rows.prints[some]).sum())
        for some in np.array_split(same, max(1, len(same) // AT_ONCE))
    )


def _left(files: Files, folder: str, named: set[str]) -> list[Finding]:
    """Name what a killed writer left, or what lies there without an index."""
    every = [name for suffix in (INDEX, IDS) for name in files.names(folder, suffix)]
    return [
        found("index-leftover", name, "no index names it; a writer that was killed left it")
        for name in every
        if name.rpartition("/")[2] not in named and files.age(name) > STALE_SECONDS
    ]
