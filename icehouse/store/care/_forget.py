"""``forget``: images whose traces are to vanish from a store, because someone asks for it.

First come tombstones for their vectors, then catalog rows that retire their keys: whoever is
killed in between can say the same again. From then on no verb shows them; the bytes go with
``fsck --repair``. The label log keeps its events, which name an image by its hash alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from icehouse.errors import LookupFailed, StoreCorrupt, UsageError
from icehouse.store._catalog import CatalogRow
from icehouse.store._features import FeatureShards
from icehouse.store._ids import (
    ID_DTYPE,
    IdArray,
    ids_from_arrow,
    ids_from_bytes,
    positions,
)
from icehouse.store._joint_features import parts_of
from icehouse.store._kept import KEPT
from icehouse.store._map_files import MapFiles
from icehouse.store._queues import Queues
from icehouse.store._shard import COLUMNS, bare, open_shard, read_shard
from icehouse.store._store import Store
from icehouse.store._tombstones import dead_by_shard
from icehouse.store.care._check_heads import read_head
from icehouse.store.care._check_layout import LOST
from icehouse.store.care._compact import read_stones

MIN_DIGITS = 4
PART = re.compile(r"(#-?\d+(,-?\d+){3})?")  # what the key of a part has after that of its picture
SHOWN = re.compile(r'"image_id": "([0-9a-f]{64})"')
LISTS = ("flags", "label-issues")  # each a JSON lines file, and others of its name
LISTED = ("duplicates", "outliers", "typical", "gaps")  # so are these, among the reports
IDENTITY = re.compile(rb"[0-9a-f]{64}")
MEMORY = "knn"  # the head whose weights are the vectors that it was fitted on


@dataclass(frozen=True)
class Oblivion:
    """What is to be forgotten.

    Attributes
    ----------
    images : tuple of str
        Hexadecimal image_ids whose vectors go.
    rows : tuple of (str, str)
        Dataset and key of the catalog rows that go.
    vectors : dict
        How many go, by encoder_id.
    removed : tuple of str
        Files that show images or hold vectors: those that the store keeps itself, flags, label
        issues, duplicates, what curation found, pages, answers of zero-shot, out-of-fold
        probabilities and kNN heads that may know them, and ``lost+found/``. They are removed at
        once.
    heads : tuple of str
        Other heads that may have been fitted on them, as ``task/name``. They stay.
    """

    images: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]
    vectors: dict[str, int]
    removed: tuple[str, ...]
    heads: tuple[str, ...]


def plan_forget(store: Store, images: Sequence[str] = (), dataset: str | None = None) -> Oblivion:
    """Find out what forgetting would remove, and change nothing.

    Parameters
    ----------
    store : Store
    images : sequence of str
        Keys, or image_ids (or the beginning of one), of images that go from all datasets. The
        key of a picture also stands for the parts of it that were embedded.
    dataset : str, optional
        Instead of images: all that stands, or stood, in this dataset. Images that another
        dataset has stay, there.

    Raises
    ------
    LookupFailed
        No such image or dataset, or several images.
    UsageError
        Neither or both are given.
    """
    if bool(images) == (dataset is not None):
        raise UsageError(
            "say what is to be forgotten: --image ID_OR_KEY, or --dataset NAME (one of the two)"
        )
    known = {encoder: store.features(encoder).ids() for encoder in store.files.folders("features")}
    if dataset is None:
        rows = store.catalog.everything(["dataset", "key", "image_id"])
        vectors = np.unique(np.concatenate([np.empty(0, ID_DTYPE), *known.values()]))
        found = set[bytes]().union(*(_find(rows, vectors, text) for text in images))
        ids = np.unique(ids_from_bytes(found))
        rows = rows.filter(pc.is_in(rows["image_id"], pa.array([i.tobytes() for i in ids])))
    else:
        rows = store.catalog.rows(dataset, ["dataset", "key", "image_id"])
        ids = _only_here(store, dataset)
    gone = {e: int((positions(ids, there) >= 0).sum()) for e, there in known.items()}
    removed, heads = _traces(store, ids, {e for e, number in gone.items() if number})
    return Oblivion(
        images=tuple(i.tobytes().hex() for i in ids),
        rows=tuple(zip(rows["dataset"].to_pylist(), rows["key"].to_pylist(), strict=True)),
        vectors={encoder: number for encoder, number in gone.items() if number},
        removed=tuple(removed),
        heads=tuple(heads),
    )


def forget(store: Store, plan: Oblivion) -> None:
    """Carry out what :func:`plan_forget` said.

    It covers what is stored now. A source that still has an image brings it back as a new one
    when it is embedded again.
    """
    ids = ids_from_bytes(bytes.fromhex(image) for image in plan.images)
    for encoder in store.files.folders("features"):
        _bury(store, encoder, ids)
    by_dataset: dict[str, list[CatalogRow]] = {}
    for dataset, key in plan.rows:
        by_dataset.setdefault(dataset, []).append(CatalogRow(key, gone=True))
    for dataset, rows in by_dataset.items():
        store.catalog.append(dataset, rows)
    store.files.remove(*plan.removed)
    for encoder in store.files.folders("maps"):
        MapFiles(store.files, encoder).leave_out(ids)
    if store.has_labels:
        Queues(store.labels).withdraw([i.tobytes() for i in ids])


def _bury(store: Store, encoder: str, ids: IdArray) -> None:
    """Cover all vectors of images, those too that a compaction moves meanwhile."""
    features = store.features(encoder)
    while covered := _holding(store, features, ids):
        features.tombstones.commit(ids, covered)


def _holding(store: Store, features: FeatureShards, ids: IdArray) -> list[str]:
    """Return the shards that hold vectors of images, but for those where they are dead already."""
    holding, dead = [], dead_by_shard(read_stones(features))
    for name in features.shards():
        try:
            table = read_shard(name, open_shard(store.files, name, part=True), None, COLUMNS[:1])
        except FileNotFoundError:  # compacted meanwhile: the next look finds where to
            continue
        here = np.intersect1d(ids_from_arrow(table["image_id"]), ids)
        if not np.isin(here, dead.get(bare(name), here[:0])).all():
            holding.append(name)
    return holding


def _find(rows: pa.Table, vectors: IdArray, text: str) -> set[bytes]:
    """Return the image that has a key, and the parts of it.

    Without such a key it is the one whose identity begins so, though it may have a vector only.
    """
    rows = rows.filter(rows["image_id"].is_valid())
    near = rows.filter(pc.starts_with(rows["key"], text))
    by_key: dict[str, set[bytes]] = {}
    for key, image in zip(near["key"].to_pylist(), near["image_id"].to_pylist(), strict=True):
        if PART.fullmatch(key, len(text)):
            by_key.setdefault(key, set()).add(image)
    if not by_key and len(text) >= MIN_DIGITS:
        every = {i.tobytes() for i in vectors} | set(rows["image_id"].to_pylist())
        by_key[text] = {image for image in every if image.hex().startswith(text.lower())}
    found = max(by_key.values(), key=len, default=set[bytes]())
    if len(found) == 1:
        return found.union(*by_key.values())
    if not found:
        raise LookupFailed(
            f"no image in the store has the key {text!r}, or an image_id that begins so (give "
            f"{MIN_DIGITS} digits of it or more); icehouse predict and icehouse flag print both"
        )
    some = ", ".join(sorted(image.hex()[:12] for image in found)[:4])
    raise LookupFailed(f"{text!r} is several images: {some}. Give a longer image_id")


def _only_here(store: Store, dataset: str) -> IdArray:
    """Return the images that stand or stood in a dataset and stand in no other one."""
    column = store.catalog.history(dataset, ["image_id"])["image_id"].drop_null()
    here = np.unique(ids_from_arrow(column))
    for other in store.catalog.datasets():
        if other != dataset:
            column = store.catalog.rows(other, ["image_id"])["image_id"].drop_null()
            here = here[positions(here, np.unique(ids_from_arrow(column))) < 0]
    return here


def _traces(store: Store, ids: IdArray, encoders: set[str]) -> tuple[list[str], list[str]]:
    """Return the files that show images or hold their vectors, and the heads that may know them."""
    files, images = store.files, {i.tobytes().hex() for i in ids}
    removed = [n for n in files.walk() if _shows(store, n, images)] if images else []
    heads = []
    tasks = files.folders("heads") if images else []
    if tasks:
        store.require_labels()
    logged = {task.name for task in store.labels.tasks()} if store.has_labels else set()
    for task in tasks:
        # A head whose labels are not there may have been fitted on any image.
        labelled = task not in logged or any(
            event.image_id.hex() in images for event in store.labels.events(task)
        )
        for head in files.folders(f"heads/{task}"):
            folder = f"heads/{task}/{head}"
            names = files.names(folder, "")
            for what in LISTS:
                if f"{folder}/{what}.jsonl" in names:
                    shown = set(SHOWN.findall(files.read(f"{folder}/{what}.jsonl").decode()))
                    drawn = [n for n in names if bare(n).startswith(f"{what}.")]
                    removed += drawn if shown & images else []
            card = _card(store, folder)
            if not labelled or card is None or encoders.isdisjoint(parts_of(card["encoder_id"])):
                continue
            if card["kind"] == MEMORY:  # its card first: without it, it is no head
                rest = [n for n in names if bare(n) != "head.json" and n not in removed]
                removed += [f"{folder}/head.json", *rest]
            else:
                removed += [n for n in names if bare(n).startswith("oof")]
                heads.append(f"{task}/{head}")
    return removed, heads


def _shows(store: Store, name: str, images: AbstractSet[str]) -> bool:
    """Whether a file outside of heads is, or may be, one that shows images."""
    what = bare(name).partition(".")[0]
    if name.startswith("reports/") and what in LISTED and not name.endswith(".html"):
        listed = f"{name.rpartition('/')[0]}/{what}.jsonl"  # the others lack whole identities
        known = store.files.read(listed) if store.files.exists(listed) else b""
        return not known or not images.isdisjoint(i.decode() for i in IDENTITY.findall(known))
    if name.startswith("zero-shot/") or (name.startswith("reports/") and name.endswith(".html")):
        named = {i.decode() for i in IDENTITY.findall(store.files.read(name))}
        return not named.isdisjoint(images)
    if name.startswith(f"{KEPT}/"):
        return bare(name).partition(".")[0] in images
    return name.startswith(f"{LOST}/")


def _card(store: Store, folder: str) -> dict[str, Any] | None:
    try:
        return read_head(store.files, folder)
    except ValueError as error:
        raise StoreCorrupt(
            f"{folder}/head.json is damaged: {error}. Run icehouse fsck --repair first"
        ) from error
