"""fsck: every kind of damage is made for real, found by its name, and mended."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from icehouse.embedder import EmbedReport
from icehouse.errors import NotAStore, StoreTooNew
from icehouse.store import (
    CatalogRow,
    FeatureShards,
    FsckReport,
    Store,
    fsck,
    ids_from_bytes,
    image_id,
)
from icehouse.store._local_files import LocalFiles
from icehouse.store._shard import RowDigest, shard_bytes
from icehouse.store.care._check_features import is_finite
from icehouse.store.care._findings import KINDS

Embed = Callable[[Store], EmbedReport]
Dump = Callable[[Store], dict[str, Any]]


def kinds(report: FsckReport, severity: str = "damage") -> list[str]:
    return sorted(each.kind for each in report.findings if each.severity == severity)


def features_of(store: Store) -> FeatureShards:
    [encoder] = store.files.folders("features")
    return store.features(encoder)


def shard(store: Store, number: int = 0) -> Path:
    return store.path / features_of(store).shards()[number]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(bytes(data))


def write_shard(store: Store, ids: Any, vectors: Any, views: Any = None) -> Path:
    """Write a shard with a right checksum, whatever is in it."""
    features = features_of(store)
    views = np.zeros(len(ids), np.int16) if views is None else views
    rows = RowDigest(ids, views)
    rows.add(vectors)
    digest = rows.hexdigest()
    data = shard_bytes(features.encoder_id, ids, views, vectors, digest=digest)
    return store.files.commit(f"{features.folder}/{digest[:24]}.parquet", data)


def test_a_sound_store_is_found_sound_and_left_as_it_is(damaged: Store) -> None:
    before = {p: p.read_bytes() for p in damaged.path.rglob("*") if p.is_file()}
    report = fsck(damaged.path)
    assert report.sound
    assert kinds(report) == kinds(report, "warning") == []
    assert kinds(report, "information") == ["small-shards", "superseded-rows"]
    assert (report.images, report.vectors, report.repairs) == (40, 40, ())
    assert {p: p.read_bytes() for p in damaged.path.rglob("*") if p.is_file()} == before


def test_a_store_on_a_read_only_disk_is_checked_too(
    damaged: Store, read_only: Callable[[Path], tuple[str, ...]], python: Any
) -> None:
    script = "import sys; from icehouse.store import fsck; print(fsck(sys.argv[1]).sound)"
    done = python(script, damaged.path, prefix=read_only(damaged.path))
    assert done.stdout == "True\n", done.stderr


def test_a_repair_of_a_sound_store_makes_few_files_and_the_next_one_does_nothing(
    damaged: Store, logical: Dump
) -> None:
    before = logical(damaged)
    report = fsck(damaged.path, repair=True)
    assert len(report.repairs) == 2
    assert not report.left
    assert logical(damaged) == before
    assert len(features_of(damaged).shards()) == 1
    assert len(damaged.catalog.shards("shapes")) == 1
    again = fsck(damaged.path, repair=True)
    assert (again.findings, again.repairs, again.left) == ((), (), ())


def vector_flipped(store: Store) -> None:
    path = shard(store)
    flip(path, path.read_bytes().find(features_of(store).load().vectors[2].tobytes()) + 11)


def id_flipped(store: Store) -> None:
    ids = features_of(store).load().ids[:3].tobytes()  # more than one: not the statistics
    flip(shard(store), shard(store).read_bytes().find(ids) + 40)


def view_flipped(store: Store) -> None:
    path = shard(store)
    metadata = pq.read_metadata(path).row_group(0).column(1)
    flip(path, metadata.data_page_offset + metadata.total_compressed_size - 4)


def rows_lie(store: Store) -> None:
    path = shard(store)
    data = path.read_bytes()
    rows = pq.read_metadata(path).metadata[b"icehouse.rows"]
    stated = b"icehouse.rows" + data.split(b"icehouse.rows")[1][:4]
    path.write_bytes(data.replace(stated, stated.replace(rows, b"9" * len(rows))))


def of_another_encoder(store: Store) -> None:
    matrix, place = features_of(store).load(), shard(store)
    other = FeatureShards(store.files, "descriptor-0123456789ab")
    name = other.append(matrix.ids[:5], matrix.vectors[:5] * 2, "float16")
    shutil.move(store.path / name, place)
    (store.path / other.folder).rmdir()


def of_another_width(store: Store) -> None:
    ids = ids_from_bytes([image_id(b"wide")])
    write_shard(store, ids, np.ones((1, 3), np.float16))


def of_another_type(store: Store) -> None:
    matrix = features_of(store).load()
    write_shard(store, matrix.ids[:1], matrix.vectors[:1].astype(np.float32))


def not_parquet(store: Store) -> None:
    (store.path / features_of(store).folder / "notes.parquet").write_bytes(b"dear diary")


def not_finite(store: Store) -> None:
    features = features_of(store)
    first = features.shards()[0]
    table = pq.read_table(store.path / first)
    ids = ids_from_bytes(table["image_id"].to_pylist())
    vectors = np.array(table["vector"].to_pylist(), np.float16)
    vectors[1, 7] = np.nan
    vectors[2, 0] = -np.inf
    store.files.remove(first)
    write_shard(store, ids, vectors)


def catalog_flipped(store: Store) -> None:
    flip(store.path / store.catalog.shards("shapes")[1], 300)


def catalog_cut(store: Store) -> None:
    path = store.path / store.catalog.shards("shapes")[0]
    path.write_bytes(path.read_bytes()[:-9])


def rows_with_neither(store: Store) -> None:
    store.catalog.append("shapes", [CatalogRow("disc/00.png"), CatalogRow("disc/01.png")])


def rows_with_both(store: Store) -> None:
    row = CatalogRow("disc/00.png", image_id=image_id(b"a"), error="empty")
    store.catalog.append("shapes", [row])


def card_changed(store: Store) -> None:
    path = store.path / features_of(store).folder / "encoder.json"
    path.write_text(path.read_text().replace('"float16"', '"float32"'))


def card_named_otherwise(store: Store) -> None:
    path = store.path / features_of(store).folder / "encoder.json"
    path.write_text(path.read_text().replace('"name": "descriptor"', '"name": "descripter"'))


def card_gone(store: Store) -> None:
    (store.path / features_of(store).folder / "encoder.json").unlink()


def canary_cut(store: Store) -> None:
    path = store.path / features_of(store).folder / "canary.npy"
    path.write_bytes(path.read_bytes()[:-1])


def canary_flipped(store: Store) -> None:
    flip(store.path / features_of(store).folder / "canary.npy", 1000)


def manifest_damaged(store: Store) -> None:
    (store.path / "store.json").write_text('{"format": ')


def manifest_gone(store: Store) -> None:
    (store.path / "store.json").unlink()


def weights_flipped(store: Store) -> None:
    [path] = store.path.glob("heads/shapes/logistic/weights-*")
    flip(path, 200)


def weights_gone(store: Store) -> None:
    [path] = store.path.glob("heads/shapes/logistic/weights-*")
    path.unlink()


def head_changed(store: Store) -> None:
    path = store.path / "heads/shapes/logistic/head.json"
    path.write_text(path.read_text().replace('"stripes"', '"strides"'))


def head_gone(store: Store) -> None:
    (store.path / "heads/shapes/logistic/head.json").unlink()


def metrics_changed(store: Store) -> None:
    path = store.path / "heads/shapes/logistic/metrics.json"
    path.write_text(path.read_text().replace('"top1": ', '"top1": 0'))


def folds_flipped(store: Store) -> None:
    [path] = store.path.glob("heads/shapes/logistic/oof-*")
    flip(path, 100)


def row_without_vector(store: Store) -> None:
    shard(store, 1).unlink()


DAMAGE = [
    (vector_flipped, "shard"),
    (id_flipped, "shard"),
    (view_flipped, "shard"),
    (rows_lie, "shard"),
    (not_parquet, "shard"),
    (of_another_encoder, "shard-foreign"),
    (of_another_width, "shard-foreign"),
    (of_another_type, "shard-foreign"),
    (not_finite, "vectors-not-finite"),
    (catalog_flipped, "catalog-shard"),
    (catalog_cut, "catalog-shard"),
    (rows_with_neither, "catalog-rows"),
    (rows_with_both, "catalog-rows"),
    (card_changed, "encoder-card"),
    (card_named_otherwise, "encoder-card"),
    (card_gone, "encoder-card-missing"),
    (canary_cut, "canary"),
    (canary_flipped, "canary"),
    (manifest_damaged, "store-manifest"),
    (manifest_gone, "store-manifest"),
    (weights_flipped, "head"),
    (weights_gone, "head"),
    (head_changed, "head"),
    (head_gone, "head-card-missing"),
    (metrics_changed, "head-metrics"),
    (folds_flipped, "head-folds"),
    (row_without_vector, "vectors-missing"),
]


# What the remedy does not bring back: it is made again when it is needed.
LOST = {
    "head": {"heads"},
    "head-card-missing": {"heads"},
    "head-folds": {"heads"},
    "canary": {"canary"},
}


@pytest.mark.parametrize(("harm", "kind"), DAMAGE, ids=[harm.__name__ for harm, _ in DAMAGE])
def test_damage_is_found_and_after_repair_and_embed_all_is_as_before(
    damaged: Store, embed_again: Embed, logical: Dump, harm: Callable[[Store], None], kind: str
) -> None:
    before = logical(damaged)
    harm(damaged)
    report = fsck(damaged.path)
    assert not report.sound
    assert kind in kinds(report)
    repaired = fsck(damaged.path, repair=True)
    assert bool(repaired.repairs)
    left = {finding.kind for finding in repaired.left if finding.severity == "damage"}
    assert left <= {"vectors-missing", "encoder-card-missing"}
    embed_again(damaged)
    after = fsck(damaged.path, repair=True)
    assert after.sound
    assert {finding.kind for finding in after.left} <= {
        "lost-and-found", "canary-missing", "head-without-encoder", "vectors-without-row",
    }  # fmt: skip
    now = logical_without_lost(logical, damaged, kind)
    assert now == {name: value for name, value in before.items() if name in now}
    lost = {name.partition("/")[0] for name in before.keys() - now.keys()}
    assert lost == LOST.get(kind, set())


def logical_without_lost(dump: Dump, store: Store, kind: str) -> dict[str, Any]:
    """Return what a store holds, but for what its remedy does not claim to bring back."""
    encoder = features_of(store).encoder_id
    canary = store.path / f"features/{encoder}/canary.npy"
    absent = not canary.exists()
    if absent:
        canary.write_bytes(b"")
    held = dump(store)
    if absent:
        canary.unlink()
        del held[f"canary/{encoder}"]
    if kind == "head-folds":
        del held["heads/shapes/logistic"]
    return held


@pytest.mark.parametrize("keep", [0, 3, 4, 12, 0.3, 0.6, -9, -8, -4, -1])
def test_a_shard_cut_anywhere_is_found_and_encoded_again(
    damaged: Store, embed_again: Embed, logical: Dump, keep: float
) -> None:
    before = logical(damaged)
    path = shard(damaged)
    rows = pq.read_metadata(path).num_rows
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    [damage] = [f for f in fsck(damaged.path).findings if f.kind == "shard"]
    assert damage.where == path.relative_to(damaged.path).as_posix()
    assert damage.mended
    fsck(damaged.path, repair=True)
    assert (damaged.path / "lost+found" / damage.where).exists()
    assert len(features_of(damaged).load()) == 40 - rows  # readers work again
    assert embed_again(damaged).encoded == rows
    assert fsck(damaged.path).sound
    assert logical(damaged) == before


def test_good_vectors_beside_a_bad_one_are_kept_where_the_checksum_vouches_for_them(
    damaged: Store,
) -> None:
    not_finite(damaged)
    report = fsck(damaged.path, repair=True)
    assert len(features_of(damaged).load()) == 38
    assert not (damaged.path / "lost+found").exists()
    assert [f.kind for f in report.left if f.severity == "damage"] == ["vectors-missing"]


def test_finiteness_is_told_by_exponents() -> None:
    odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 65504.0, 6e-8]
    for dtype in (np.float16, np.float32):
        vectors = np.array([[1.0, value] for value in odd], dtype)
        assert is_finite(vectors).tolist() == np.isfinite(vectors).all(axis=1).tolist()


def test_rows_of_two_writers_are_told_and_made_one(damaged: Store, logical: Dump) -> None:
    before = logical(damaged)
    matrix = features_of(damaged).load()
    write_shard(damaged, matrix.ids[5:9], matrix.vectors[5:9])
    twice = np.array([0, 0, 1], np.int16)
    ids = matrix.ids[[1, 1, 1]]
    write_shard(damaged, ids, matrix.vectors[[1, 1, 2]], twice)
    report = fsck(damaged.path)
    [double] = [f for f in report.findings if f.kind == "duplicate-vectors"]
    assert report.sound
    assert double.what.startswith("6 vectors")  # the third row is another view
    fsck(damaged.path, repair=True)
    assert logical(damaged) == before
    [whole] = features_of(damaged).shards()
    table = pq.read_table(damaged.path / whole)
    assert len(table) == 41
    assert sorted(table["view"].to_pylist())[-2:] == [0, 1]


def test_a_shard_under_another_name_is_told_and_named_rightly(
    damaged: Store, logical: Dump
) -> None:
    before = logical(damaged)
    shard(damaged).rename(shard(damaged).with_name("a.parquet"))
    assert kinds(fsck(damaged.path), "warning") == ["shard-name"]
    assert not fsck(damaged.path, repair=True).left
    assert logical(damaged) == before


def test_a_run_that_was_not_finished_is_no_damage(damaged: Store) -> None:
    other = FeatureShards(damaged.files, "descriptor-0123456789ab")
    other.append(features_of(damaged).load().ids[:10], np.ones((10, 4)), "float16")
    report = fsck(damaged.path)
    assert kinds(report, "warning") == ["unfinished"]
    [unfinished] = [f for f in report.findings if f.kind == "unfinished"]
    assert unfinished.what.startswith("30 images (first: ")
    assert not unfinished.mended


def test_vectors_without_a_row_are_information_and_survive_compaction(damaged: Store) -> None:
    keys = ["disc/00.png", "disc/01.png"]
    damaged.catalog.append("shapes", [CatalogRow(key, gone=True) for key in keys])
    report = fsck(damaged.path, repair=True)
    assert report.sound
    [alone] = [f for f in report.left if f.kind == "vectors-without-row"]
    assert alone.what.startswith("2 vectors of 40")
    assert len(features_of(damaged).load()) == 40


def test_stale_temporary_files_are_removed_and_young_ones_left(damaged: Store) -> None:
    stale, young = (damaged.path / "catalog/shapes" / f".tmp-{n}" for n in ("stale", "young"))
    for path in (stale, young):
        path.write_bytes(b"half")
    then = time.time() - 7200
    os.utime(stale, (then, then))
    report = fsck(damaged.path)
    assert [(f.kind, f.where) for f in report.findings if f.severity == "warning"] == [
        ("leftover", "catalog/shapes/.tmp-stale")
    ]
    fsck(damaged.path, repair=True)
    assert (stale.exists(), young.exists()) == (False, True)


def test_weights_that_no_head_names_are_removed_when_they_are_old(damaged: Store) -> None:
    folder = damaged.path / "heads/shapes/logistic"
    young, old = (folder / f"weights-{digit * 16}.safetensors" for digit in "ab")
    for path in (young, old):
        path.write_bytes(b"")
    os.utime(old, (0, 0))
    assert kinds(fsck(damaged.path, repair=True), "warning") == ["leftover"]
    assert (young.exists(), old.exists()) == (True, False)


def test_weights_without_a_head_are_put_aside_whole(damaged: Store) -> None:
    folder = damaged.path / "heads/shapes/logistic"
    names = {path.name for path in folder.iterdir()} - {"head.json"}
    (folder / "head.json").unlink()
    [finding] = [f for f in fsck(damaged.path).findings if f.severity == "damage"]
    assert finding.where == "heads/shapes/logistic/head.json"
    assert "metrics.json, weights-" in finding.what
    assert fsck(damaged.path, repair=True).sound
    assert not list(folder.iterdir())
    aside = damaged.path / "lost+found/heads/shapes/logistic"
    assert {path.name for path in aside.iterdir()} == names


def test_foreign_files_are_named_and_left_alone(damaged: Store) -> None:
    for name in ("notes.txt", "catalog/shapes/old.csv", "features/readme"):
        (damaged.path / name).write_text("mine")
    report = fsck(damaged.path, repair=True)
    assert report.sound
    assert [f.where for f in report.left if f.kind == "foreign-file"] == [
        "catalog/shapes/old.csv", "features/readme", "notes.txt",
    ]  # fmt: skip


def test_a_head_whose_encoder_is_gone_is_told(damaged: Store) -> None:
    shutil.rmtree(damaged.path / "features")
    report = fsck(damaged.path)
    assert kinds(report) == ["vectors-missing"]
    assert kinds(report, "warning") == ["head-without-encoder"]


def test_labels_of_images_that_no_dataset_has_are_information(damaged: Store) -> None:
    said = [(image_id(b"elsewhere"), ("disc",))]
    damaged.labels.record("shapes", said, annotator="ada", origin="review")
    report = fsck(damaged.path)
    [unknown] = [f for f in report.findings if f.kind == "labels-of-unknown-images"]
    assert (unknown.severity, unknown.what[:7]) == ("information", "1 image")


def test_an_empty_store_is_sound(store: Store) -> None:
    report = fsck(store.path, repair=True)
    assert (report.findings, report.repairs, report.sound) == ((), (), True)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAStore, match="there is no store at"):
        fsck(tmp_path / "nowhere")
    (tmp_path / "holiday.jpg").write_bytes(b"picture")
    with pytest.raises(NotAStore, match=r"has no store\.json"):
        fsck(tmp_path)


def test_a_newer_store_is_refused(damaged: Store) -> None:
    (damaged.path / "store.json").write_text('{"format": "icehouse", "format_version": 99}')
    with pytest.raises(StoreTooNew, match="Upgrade with"):
        fsck(damaged.path, repair=True)


def test_a_card_of_an_earlier_version_has_no_seal_and_is_no_damage(damaged: Store) -> None:
    path = damaged.path / features_of(damaged).folder / "encoder.json"
    card = json.loads(path.read_text())
    del card["seal"]
    path.write_text(json.dumps(card))
    assert fsck(damaged.path).sound


def test_a_file_put_aside_twice_is_kept_twice(damaged: Store) -> None:
    folder = damaged.path / features_of(damaged).folder
    for text in (b"one", b"two"):
        (folder / "notes.parquet").write_bytes(text)
        fsck(damaged.path, repair=True)
    aside = damaged.path / "lost+found" / features_of(damaged).folder
    assert [p.read_bytes() for p in sorted(aside.iterdir())] == [b"one", b"two"]
    assert "lost-and-found" in kinds(fsck(damaged.path), "information")


def test_every_kind_says_what_helps() -> None:
    assert {severity for severity, _, _ in KINDS.values()} == {"damage", "warning", "information"}
    assert all(remedy for _, remedy, _ in KINDS.values())


# The label log


def label_file(store: Store) -> Path:
    return store.path / "labels.sqlite"


def everything_said(path: Path) -> set[Any]:
    with closing(sqlite3.connect(path)) as db:
        return set(db.execute("SELECT * FROM events"))


@pytest.mark.parametrize("column", ["annotator", "note", "origin"])
def test_a_changed_letter_in_the_label_log_is_found_and_its_event_not_believed(
    damaged: Store, embed_again: Embed, column: str
) -> None:
    before = everything_said(label_file(damaged))
    data = label_file(damaged).read_bytes()
    word = {"annotator": b"ada", "note": b"looked at it", "origin": b"review"}[column]
    label_file(damaged).write_bytes(data.replace(word, word[:-1] + b"#", 1))
    assert kinds(fsck(damaged.path)) == ["label-log"]
    report = fsck(damaged.path, repair=True)
    assert report.sound
    after = everything_said(label_file(damaged))
    assert after < before
    assert len(after) == len(before) - 1
    assert (damaged.path / "lost+found/labels.sqlite").exists()


def test_a_log_whose_header_is_lost_is_read_again(damaged: Store, logical: Dump) -> None:
    before = logical(damaged)
    data = label_file(damaged).read_bytes()
    label_file(damaged).write_bytes(b"oops" + data[4:])
    assert kinds(fsck(damaged.path)) == ["label-log"]
    assert fsck(damaged.path, repair=True).sound
    assert logical(damaged) == before


@pytest.mark.parametrize("page", [1, 2, 3, 4, 5, 6, 7])
def test_a_page_of_the_log_that_is_overwritten_costs_no_more_than_its_events(
    damaged: Store, embed_again: Embed, page: int
) -> None:
    before = everything_said(label_file(damaged))
    path = label_file(damaged)
    data = bytearray(path.read_bytes())
    assert len(data) > page * 4096
    data[page * 4096 : page * 4096 + 2000] = b"\xff" * 2000
    path.write_bytes(bytes(data))
    if fsck(damaged.path).sound:  # a page that holds nothing there
        assert everything_said(path) == before
        return
    assert fsck(damaged.path, repair=True).sound
    assert everything_said(path) <= before
    embed_again(damaged)
    present = damaged.labels.present("shapes")
    assert len(present) == 40
    assert fsck(damaged.path).sound


def test_a_log_of_which_nothing_is_left_is_begun_anew(damaged: Store, embed_again: Embed) -> None:
    label_file(damaged).write_bytes(b"\xff" * 9000)
    assert kinds(fsck(damaged.path)) == ["label-log"]
    assert fsck(damaged.path, repair=True).sound
    embed_again(damaged)
    assert len(Store(damaged.path).labels.present("shapes")) == 40


def test_a_log_of_an_earlier_version_is_given_its_proof(damaged: Store, logical: Dump) -> None:
    with closing(sqlite3.connect(label_file(damaged))) as db:
        db.execute("DROP INDEX events_proof")
        db.commit()
    report = fsck(damaged.path)
    assert report.sound
    assert "label-log-unproven" in kinds(report, "information")
    assert "label-log-unproven" not in {f.kind for f in fsck(damaged.path, repair=True).left}


def test_a_label_that_its_task_does_not_know_is_damage(damaged: Store) -> None:
    with closing(sqlite3.connect(label_file(damaged))) as db:
        db.execute("UPDATE events SET labels = '[\"dusc\"]' WHERE seq = 1")
        db.commit()
    [log] = [f for f in fsck(damaged.path).findings if f.kind == "label-log"]
    assert "event 1: '[\"dusc\"]'" in log.what


def test_a_log_that_is_locked_is_not_called_damaged(damaged: Store) -> None:
    with closing(sqlite3.connect(label_file(damaged))) as db:
        db.execute("BEGIN IMMEDIATE")  # a writer at work does not hinder readers
        assert fsck(damaged.path).sound


def test_the_shards_of_old_have_no_encoder_in_their_footer(damaged: Store) -> None:
    path = shard(damaged)
    table = pq.read_table(path)
    metadata = {k: v for k, v in table.schema.metadata.items() if k != b"icehouse.encoder"}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    assert fsck(damaged.path).sound


def test_a_shard_without_a_checksum_is_not_believed(damaged: Store) -> None:
    path = shard(damaged)
    table = pq.read_table(path)
    metadata = {k: v for k, v in table.schema.metadata.items() if k != b"icehouse.sha256"}
    pq.write_table(table.replace_schema_metadata(metadata), path)
    assert kinds(fsck(damaged.path)) == ["shard", "vectors-missing"]


def test_files_are_those_that_are_given(damaged: Store) -> None:
    class Counting(LocalFiles):
        """Files that say how often they were read."""

        reads = 0

        def read(self, name: str) -> bytes:
            self.reads += 1
            return super().read(name)

    files = Counting(damaged.path)
    assert fsck(damaged.path, files=files).sound
    assert files.reads > 5
    assert hashlib.sha256(files.read("store.json")).hexdigest()
    assert pa.types.is_fixed_size_list(pq.read_schema(shard(damaged)).field("vector").type)
