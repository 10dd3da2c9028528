"""A store, read from end to end: all that ``fsck`` finds out about it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from icehouse.errors import NotAStore, StoreCorrupt
from icehouse.store._files import Files, read_listed
from icehouse.store._ids import ID_DTYPE, IdArray, positions
from icehouse.store._shard import bare
from icehouse.store._store import Store
from icehouse.store._tombstones import Tombstone, Tombstones, dead_by_shard
from icehouse.store.care._check_catalog import DatasetFacts, check_dataset
from icehouse.store.care._check_features import EncoderFacts, check_encoder
from icehouse.store.care._check_heads import check_heads
from icehouse.store.care._check_indexes import check_indexes
from icehouse.store.care._check_labels import check_labels
from icehouse.store.care._check_layout import check_layout, check_manifest
from icehouse.store.care._check_links import check_links
from icehouse.store.care._check_maps import check_maps
from icehouse.store.care._check_runs import check_runs
from icehouse.store.care._compact import plan_features
from icehouse.store.care._findings import SEVERITIES, Finding, count, found


@dataclass
class Examination:
    """A store, read from end to end.

    Attributes
    ----------
    store : Store
    findings : list of Finding
        The gravest first.
    datasets : dict of DatasetFacts
    encoders : dict of EncoderFacts
    """

    store: Store
    findings: list[Finding] = field(default_factory=list)
    datasets: dict[str, DatasetFacts] = field(default_factory=dict)
    encoders: dict[str, EncoderFacts] = field(default_factory=dict)

    @property
    def images(self) -> IdArray:
        """The images of all rows in force, sorted and unique."""
        every = [facts.images for facts in self.datasets.values()]
        return np.unique(np.concatenate([np.empty(0, ID_DTYPE), *every]))


def open_for_fsck(path: str | Path, files: Files | None = None, labels: str | None = None) -> Store:
    """Open a store although its manifest may be damaged.

    Raises
    ------
    NotAStore
        Nothing of a store is there.
    StoreTooNew
        Written by a later version of icehouse.
    """
    store = Store(path, files, labels)
    try:
        store.check_format()
    except NotAStore:
        if not store.files.folders("catalog") and not store.files.folders("features"):
            raise
    except StoreCorrupt:
        pass
    return store


def examine(store: Store, limit: tuple[int, int]) -> Examination:
    """Read a store from end to end, a row group at a time, and change nothing.

    Other processes may write to it meanwhile. They commit vectors before the rows that point to
    them, so rows are read before vectors here.

    Parameters
    ----------
    store : Store
    limit : (int, int)
        Rows and bytes of vectors in one shard, where shards could be fewer.
    """
    files, seen = store.files, Examination(store)
    seen.findings += [*check_manifest(files), *check_layout(files)]
    for dataset in store.catalog.datasets():
        seen.datasets[dataset] = check_dataset(files, store.catalog, dataset)
        seen.findings += seen.datasets[dataset].findings
    vectors = {}
    for encoder in files.folders("features"):
        facts = seen.encoders[encoder] = check_encoder(files, store.features(encoder))
        stones = sound_stones(store.features(encoder).tombstones)
        facts.findings += _compactable(f"features/{encoder}", facts, stones, limit)
        seen.findings += facts.findings
        vectors[encoder] = _alive(facts, stones)
    seen.findings += _links(store, seen, vectors)
    seen.findings += check_labels(store, seen.images)
    seen.findings += check_heads(files, set(store.encoder_ids()))
    seen.findings += check_runs(files)
    seen.findings += check_indexes(files, vectors)
    seen.findings += check_maps(files)
    seen.findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return seen


def _links(store: Store, seen: Examination, vectors: dict[str, IdArray]) -> list[Finding]:
    images = {name: facts.images for name, facts in seen.datasets.items()}
    findings = check_links(images, vectors)
    if any(finding.kind in ("vectors-missing", "unfinished") for finding in findings):
        # Their images may have been forgotten meanwhile: what still stands there counts.
        for name, ids in images.items():
            now = check_dataset(store.files, store.catalog, name).images
            images[name] = np.intersect1d(ids, now)
        findings = check_links(images, vectors)
    return findings


def _compactable(
    folder: str, facts: EncoderFacts, stones: list[Tombstone], limit: tuple[int, int]
) -> list[Finding]:
    plan, findings = plan_features(facts.shards, stones, limit), []
    if plan.forgotten or stones:
        what = f"{count(plan.forgotten, 'vector')} to be forgotten still lie there"
        findings.append(found("forgotten-vectors", folder, what))
    if plan.double:
        what = f"{count(plan.double, 'vector')} of images and views that have one already"
        findings.append(found("duplicate-vectors", folder, what))
    if plan.small > 1:
        findings.append(found("small-shards", folder, f"{plan.small:,} shards could be fewer"))
    return findings


def sound_stones(tombstones: Tombstones) -> list[Tombstone]:
    """Return the tombstones of an encoder that can be read."""

    def read(names: list[str]) -> list[Tombstone]:
        stones = []
        for name in names:
            with suppress(StoreCorrupt):  # found by check_encoder
                stones.append(tombstones.read(name))
        return stones

    return read_listed(tombstones.names, read)


def _alive(facts: EncoderFacts, stones: list[Tombstone]) -> IdArray:
    """Return the images that have a vector, sorted and unique."""
    ids = [np.empty(0, ID_DTYPE)]
    dead = dead_by_shard(stones)
    for shard in facts.shards:
        plain = shard.ids[shard.finite & (shard.views == 0)]
        hidden = dead.get(bare(shard.name))
        ids.append(plain if hidden is None else plain[positions(plain, hidden) < 0])
    return np.unique(np.concatenate(ids))
