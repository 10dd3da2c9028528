"""The choice of an index: measured, and kept with what it was chosen from."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from icehouse.errors import LookupFailed, SettingError, UsageError
from icehouse.search import (
    BuildOptions,
    Engine,
    build_index,
    bytes_of,
    drop_index,
    extend_index,
    list_indexes,
)
from icehouse.search._build import _fastest
from icehouse.search._kinds import KINDS, lists
from icehouse.search._measure import Measured
from icehouse.store import IndexFiles, fingerprints, forget, fsck, nearest, plan_forget
from icehouse.store._files import STALE_SECONDS

from .conftest import ENCODER, add, drawn, ids


def clustered(rows, dim=16, seed=0):
    random = np.random.default_rng(seed)
    centres = random.normal(size=(20, dim))
    return (centres[random.integers(0, 20, rows)] + 0.3 * random.normal(size=(rows, dim))).astype(
        np.float16
    )


@pytest.mark.parametrize("name", list(KINDS))
def test_among_a_part_more_is_looked_at(name):
    kind = KINDS[name]
    wider = kind.widened({kind.parameter: 64, "candidates": 10}, 5)
    assert wider == {kind.parameter: 144, "candidates": 23}


def test_recall_is_measured_on_vectors_that_were_held_out(store):
    store.features(ENCODER).append(ids(np.arange(3000)), clustered(3000), "float16")
    options = BuildOptions(target_recall=0.9, kinds=tuple(KINDS))
    said = []
    card = build_index(store, ENCODER, options, said.append)
    assert card.rows == 3000
    assert {each["kind"] for each in card.tried} == {"flat", *KINDS}
    assert card.measured["recall"] >= 0.9
    assert card.asked["target_recall"] == 0.9
    assert any("measuring" in line for line in said)
    assert IndexFiles(store.files, ENCODER).card() == card
    queries = clustered(200, seed=1)
    engine = Engine.open(store, ENCODER)
    _, found = engine.nearest(queries, 10)
    _, right = nearest(queries, engine.rows, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, right, strict=True)])
    assert recall > 0.8  # of other queries than those that it was measured on


def test_the_recall_of_a_graph_is_that_of_the_breadth_it_is_searched_with(store):
    add(store, np.arange(2000), dim=256)
    options = BuildOptions(target_recall=0.9, kinds=("hnsw",))
    card = build_index(store, ENCODER, options)
    engine, queries = Engine.open(store, ENCODER), drawn(200, 256, seed=1)
    _, found = engine.nearest(queries, 10)
    _, right = nearest(queries, engine.rows, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, right, strict=True)])
    assert recall == pytest.approx(card.measured["recall"], abs=0.05)


def measured(kind, recall, speed, memory=10**6, latency=1.0, why=""):
    return Measured(kind, {}, recall, speed, latency, memory, 1.0, why)


def test_the_fastest_of_those_that_are_good_enough_is_chosen():
    tried = [
        measured("flat", 1.0, 100, 0, 30.0),
        measured("hnsw", 0.99, 5000, 10**9),
        measured("ivf-sq", 0.99, 2000, 10**8, 9.0),
        measured("ivf-pq", 0.80, 9000, 10**7, why="recall not reached"),
    ]
    for options, kind in (
        (BuildOptions(), "hnsw"),
        (BuildOptions(max_memory=10**8), "ivf-sq"),
        (BuildOptions(max_memory=10**8, max_latency=50.0), "ivf-sq"),
        (BuildOptions(max_memory=10**7), "flat"),
        (BuildOptions(kinds=("ivf-sq",)), "ivf-sq"),
    ):
        assert _fastest(tried, options).kind == kind
    with pytest.raises(UsageError, match=r"no index reaches recall 0.99 .*hnsw: recall 0.990"):
        _fastest(tried, BuildOptions(max_memory=10**7, max_latency=5.0))


def test_an_index_that_would_be_too_large_is_not_even_made(store):
    add(store, np.arange(300))
    options = BuildOptions(max_memory=2000, kinds=("flat", "hnsw"))
    card = build_index(store, ENCODER, options)
    assert card.kind == "flat"
    assert [each["why"] for each in card.tried] == ["", "too large"]
    assert Engine.open(store, ENCODER).index is None


def test_what_cannot_be_built_is_said(store):
    with pytest.raises(LookupFailed, match="no features of encoder"):
        build_index(store, ENCODER)
    with pytest.raises(LookupFailed, match="icehouse index build"):
        extend_index(store, ENCODER)
    with pytest.raises(UsageError, match="of one encoder"):
        build_index(store, "a-0+b-1")
    with pytest.raises(SettingError, match="there is no index 'lsh'"):
        BuildOptions(kinds=("lsh",))
    with pytest.raises(SettingError, match="target_recall"):
        BuildOptions(target_recall=1.5)
    with pytest.raises(SettingError, match="write it like 4GB"):
        bytes_of("much")


def test_lists_grow_with_the_square_root():
    assert [lists(n) for n in (1, 100, 10_000, 100_000, 1_000_000)] == [1, 2, 256, 2048, 8192]


def test_fingerprints_differ_where_vectors_do():
    vectors = drawn(5000, 12)
    assert len(np.unique(fingerprints(vectors))) == len(np.unique(vectors, axis=0))
    moved = vectors[:, [1, 0, *range(2, 12)]]
    assert (fingerprints(moved) != fingerprints(vectors)).all()
    assert np.array_equal(fingerprints(vectors[::-1]), fingerprints(vectors)[::-1])
    assert (fingerprints(np.zeros((1, 3), "f2")) != fingerprints(np.zeros((1, 4), "f2"))).all()


def test_compaction_moves_vectors_and_the_index_knows_them_again(store, build):
    for part in range(4):
        add(store, np.arange(60) + 60 * part, seed=part)
    build(store, "hnsw")
    before = store.features(ENCODER).shards()
    fsck(store.path, repair=True)
    assert store.features(ENCODER).shards() != before
    engine = Engine.open(store, ENCODER)
    assert engine.index.covered.all()
    assert extend_index(store, ENCODER)[1] == 0
    card = IndexFiles(store.files, ENCODER).card()
    assert [f"features/{ENCODER}/{name}" for name in card.shards] == store.features(
        ENCODER
    ).shards()


def test_a_list_says_what_an_index_lacks_and_drop_removes_it(store, build):
    assert list_indexes(store) == []
    add(store, np.arange(100))
    build(store, "ivf-sq")
    add(store, np.arange(100, 130), seed=1)
    store.features(ENCODER).tombstones.commit(ids([1, 2]), store.features(ENCODER).shards())
    [state] = list_indexes(store)
    assert (state.vectors, state.lacks, state.gone) == (128, 30, 2)
    next(Path(store.path).glob("indexes/*/*.faiss")).write_bytes(b"")
    [state] = list_indexes(store)
    assert "bytes, not" in state.notes[0]
    (Path(store.path) / "indexes" / ENCODER / "index.json").write_text("{")
    [state] = list_indexes(store)
    assert state.card is None
    assert len(drop_index(store, ENCODER)) == 3
    assert drop_index(store, ENCODER) == list_indexes(store) == []


def kinds_found(store):
    return {finding.kind for finding in fsck(store.path).findings if "index" in finding.kind}


def test_fsck_finds_nothing_wrong_with_a_sound_index(store, build):
    add(store, np.arange(100))
    build(store, "hnsw")
    assert kinds_found(store) == set()
    assert "foreign-file" not in {f.kind for f in fsck(store.path).findings}


@pytest.mark.parametrize("suffix", [".faiss", ".parquet", ".json"])
def test_fsck_sees_a_changed_file_and_repair_removes_the_index(store, build, suffix):
    add(store, np.arange(100))
    build(store, "hnsw")
    [path] = Path(store.path).glob(f"indexes/*/*{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    assert kinds_found(store) == {"index"}
    [finding] = [f for f in fsck(store.path).findings if f.kind == "index"]
    assert finding.severity == "warning"  # nothing is lost
    fsck(store.path, repair=True)
    assert kinds_found(store) == set()
    assert not list(Path(store.path).glob("indexes/*/*"))


def test_fsck_sees_ids_that_are_not_those_of_the_vectors(store, build):
    add(store, np.arange(100))
    build(store, "hnsw")
    files = IndexFiles(store.files, ENCODER)
    card = files.card()
    rows = files.indexed(card)
    shifted = replace(rows, ids=np.roll(rows.ids, 1))
    files.commit(card, files.path(card), shifted)
    assert kinds_found(store) == {"index"}


def test_what_a_killed_writer_left_is_removed_by_repair(store, build):
    add(store, np.arange(100))
    build(store, "hnsw")
    left = Path(store.path) / "indexes" / ENCODER / f"{'0' * 24}.faiss"
    left.write_bytes(b"half of an index")
    assert kinds_found(store) == set()  # somebody may be writing just now
    os.utime(left, (left.stat().st_atime, left.stat().st_mtime - 2 * STALE_SECONDS))
    assert kinds_found(store) == {"index-leftover"}
    fsck(store.path, repair=True)
    assert not left.exists()
    assert Engine.open(store, ENCODER).index is not None


def test_an_index_goes_with_the_bytes_of_what_it_is_to_forget(embedded):
    encoder = embedded.encoder_ids()[0]
    build_index(embedded, encoder, BuildOptions(target_recall=0.01, kinds=("ivf-sq",)))
    forget(embedded, plan_forget(embedded, ["disc/03.png"]))
    assert Engine.open(embedded, encoder).index.gone == 1
    assert kinds_found(embedded) == {"index-of-forgotten"}
    report = fsck(embedded.path, repair=True)
    assert report.sound
    assert not list(Path(embedded.path).glob("indexes/*/*"))
