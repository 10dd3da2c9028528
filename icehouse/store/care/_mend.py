"""``fsck --repair``: what can be mended, and in which order, so that nothing readable is lost.

Damaged files are put aside into ``lost+found/``, never changed; what was in them is then missing,
and ``embed`` computes just that again. Bytes that no checksum vouches for are not kept as good.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from icehouse.store._catalog import CatalogRow
from icehouse.store._features import CARD, card_digest
from icehouse.store._ids import ID_DTYPE, positions
from icehouse.store._index_files import IndexFiles
from icehouse.store._label_url import sqlite_file
from icehouse.store._shard import bare
from icehouse.store._store import MANIFEST_TEXT, STORE_MANIFEST, Store
from icehouse.store.care._check_features import EncoderFacts
from icehouse.store.care._check_heads import metrics_bytes, read_head
from icehouse.store.care._check_labels import prove_labels, salvage_labels
from icehouse.store.care._check_layout import LOST
from icehouse.store.care._compact import compact_catalog, compact_features
from icehouse.store.care._examine import Examination, sound_stones
from icehouse.store.care._findings import Finding, count

COMPACTED = (
    "forgotten-vectors",
    "duplicate-vectors",
    "small-shards",
    "shard-name",
    "vectors-not-finite",
)
# Of files that are not there, or need not be in the store.
ANYWHERE = ("store-manifest", "label-log", "label-log-unproven", "head-card-missing")
Limit = tuple[int, int]


def mend(seen: Examination, limit: Limit) -> list[str]:
    """Mend what was found, and return what was done, in words.

    Parameters
    ----------
    seen : Examination
    limit : (int, int)
        Rows and bytes of vectors in one shard.
    """
    done = [line for finding in seen.findings if (line := _mend_one(seen, finding))]
    for dataset, facts in seen.datasets.items():
        if facts.odd_keys:
            gone = [CatalogRow(key, gone=True) for key in facts.odd_keys]
            seen.store.catalog.append(dataset, gone)
            done.append(f"catalog/{dataset}: retired {count(len(gone), 'row')}")
        if compact_catalog(seen.store.files, seen.store.catalog, dataset):
            done.append(f"catalog/{dataset}: compacted")
    for encoder, checked in seen.encoders.items():
        done += _mend_features(seen, encoder, checked, limit)
    return done


def _mend_one(seen: Examination, finding: Finding) -> str | None:
    store, where = seen.store, finding.where
    handler = HANDLERS.get(finding.kind)
    if handler is None or not (finding.kind in ANYWHERE or store.files.exists(where)):
        return None
    return f"{where}: {handler(store, where)}"


def _mend_features(
    seen: Examination, encoder: str, checked: EncoderFacts, limit: Limit
) -> list[str]:
    """Forget all that a damaged tombstone may have meant, then compact."""
    files, features, done = seen.store.files, seen.store.features(encoder), []
    damaged = [f.where for f in checked.findings if f.kind == "tombstone"]
    if damaged:
        # Which images it named is not known; but forgotten images have no rows in force.
        every = [np.empty(0, ID_DTYPE), *(shard.ids for shard in checked.shards)]
        ids = np.unique(np.concatenate(every))
        alone = ids[positions(ids, seen.images) < 0]
        # What says the same as a damaged one has its name, and has taken its place.
        shards = [shard.name for shard in checked.shards]
        new = [features.tombstones.commit(alone, shards)] if len(alone) else []
        files.remove(*(name for name in damaged if name not in new))
        done.append(f"{features.folder}: forgot {count(len(alone), 'vector')} that have no row")
    if damaged or any(f.kind in COMPACTED for f in checked.findings):
        before, after = compact_features(files, features, checked.shards, limit)
        done.append(f"{features.folder}: {count(before, 'shard')} made {after:,}")
    return done


def _write_manifest(store: Store, _where: str) -> str:
    store.files.commit(STORE_MANIFEST, MANIFEST_TEXT.encode())
    return "written anew"


def _remove(store: Store, where: str) -> str:
    store.files.remove(where)
    return "removed"


def _put_aside(store: Store, where: str) -> str:
    return f"put aside as {store.files.move(where, f'{LOST}/{where}')}"


def _put_shard_aside(store: Store, where: str) -> str:
    """Put a damaged shard aside, unless it holds what is to be forgotten."""
    folder = where.split("/")[1]
    if any(
        bare(where) in stone.shards for stone in sound_stones(store.features(folder).tombstones)
    ):
        store.files.remove(where)
        return "removed, as it holds forgotten vectors"
    return _put_aside(store, where)


def _put_canary_aside(store: Store, where: str) -> str:
    """Take the canary's checksum out of encoder.json before, so that it can be another one."""
    name = f"{where.rpartition('/')[0]}/{CARD}"
    card = json.loads(store.files.read(name))
    card["seal"] = {"card": card_digest(card), "canary": None}
    text = json.dumps(card, indent=2, ensure_ascii=False)
    store.files.commit(name, text.encode())
    return _put_aside(store, where)


def _put_head_aside(store: Store, where: str) -> str:
    """Put all of a head aside: its card, its weights, and what was derived from them."""
    folder = where.rpartition("/")[0]
    names = sorted(store.files.names(folder, ""), key=lambda name: not name.endswith("head.json"))
    for name in names:
        _put_aside(store, name)
    return f"put aside with all of its head as {LOST}/{folder}"


def _put_rest_aside(store: Store, where: str) -> str:
    """Put aside what is left of a head without a card, unless a fit has just written one."""
    return "it is there now" if store.files.exists(where) else _put_head_aside(store, where)


def _write_metrics(store: Store, where: str) -> str:
    card = read_head(store.files, where.rpartition("/")[0])
    if card is not None:
        store.files.commit(where, metrics_bytes(card))
    return "written again from head.json"


def _drop_index(store: Store, where: str) -> str:
    return f"removed with {len(IndexFiles(store.files, where.split('/')[1]).drop()) - 1} files"


def _salvage_labels(store: Store, _where: str) -> str:
    kept, lost = salvage_labels(_label_file(store))
    return f"made anew with {count(kept, 'event')}; {count(lost, 'event')} contradict themselves"


def _prove_labels(store: Store, _where: str) -> str:
    prove_labels(_label_file(store))
    return "its events are stored twice now"


def _label_file(store: Store) -> Path:
    path = sqlite_file(store.labels_url) if store.labels_url is not None else None
    assert path is not None  # what is found of a server is not mended here
    return path


HANDLERS: dict[str, Callable[[Store, str], str]] = {
    "store-manifest": _write_manifest,
    "leftover": _remove,
    "encoder-card": _put_aside,
    "canary": _put_canary_aside,
    "shard": _put_shard_aside,
    "shard-foreign": _put_shard_aside,
    "catalog-shard": _put_aside,
    "label-log": _salvage_labels,
    "label-log-unproven": _prove_labels,
    "head": _put_head_aside,
    "head-card-missing": _put_rest_aside,
    "head-metrics": _write_metrics,
    "head-folds": _put_aside,
    "head-curves": _put_aside,
    "run": _put_aside,
    "index": _drop_index,
    "index-leftover": _remove,
    "map": _remove,
    "index-of-forgotten": _drop_index,
}
