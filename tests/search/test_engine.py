"""An index makes search faster, and never changes what is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from icehouse.errors import LookupFailed, UsageError
from icehouse.search import BuildOptions, Engine, build_index, extend_index
from icehouse.search._kinds import KINDS
from icehouse.store import IndexFiles, Store, cache_folder, nearest

from .conftest import ENCODER, add, brute, drawn, ids


def check(store: Store, k: int = 5, among: np.ndarray | None = None) -> Engine:
    """Compare all searches with brute force."""
    engine = Engine.open(store, ENCODER)
    queries = np.concatenate([drawn(20, seed=99), store.features(ENCODER).load().vectors[:20]])
    similarity, index = engine.nearest(queries, k, among)
    wanted, _ = brute(store, queries, min(k, len(engine.rows)), among)
    np.testing.assert_allclose(similarity, wanted, atol=1e-6)
    vectors = engine.rows.at(index.reshape(-1)).astype(float).reshape(*index.shape, -1)
    cosine = np.einsum("qkd,qd->qk", vectors, queries.astype(float))
    cosine /= (
        np.linalg.norm(vectors, axis=2) * np.linalg.norm(queries.astype(float), axis=1)[:, None]
    )
    np.testing.assert_allclose(cosine, similarity, atol=1e-6)
    assert all(len(set(row)) == len(row) for row in index.tolist())
    return engine


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_finds_what_exact_search_finds(store, build, kind):
    for part in range(3):
        add(store, np.arange(100) + 100 * part, seed=part)
    build(store, kind)
    engine = check(store)
    assert engine.index is not None
    assert engine.index.card.kind == kind
    assert engine.index.covered.all()
    assert engine.notes == ()


@pytest.mark.parametrize("kind", KINDS)
def test_new_vectors_are_found_at_once_and_extend_adds_them(store, build, kind):
    add(store, np.arange(200))
    build(store, kind)
    add(store, np.arange(200, 290), seed=1)
    engine = check(store)
    assert int(engine.index.covered.sum()) == 200
    assert "lacks 90 of 290" in engine.notes[0]
    card, came = extend_index(store, ENCODER)
    assert (card.rows, came) == (290, 90)
    engine = check(store)
    assert engine.index.covered.all()
    assert engine.notes == ()
    assert extend_index(store, ENCODER)[1] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_forgotten_is_never_found(store, build, kind):
    add(store, np.arange(200))
    build(store, kind)
    features = store.features(ENCODER)
    features.tombstones.commit(ids(np.arange(0, 200, 3)), features.shards())
    engine = check(store, k=20)
    assert engine.index.gone == 67
    check(store, k=10, among=np.arange(len(engine.rows)) % 2 == 0)


def test_another_vector_of_the_same_image_takes_the_place_of_the_first(store, build):
    first = add(store, np.arange(100))
    build(store, "hnsw")
    features = store.features(ENCODER)
    features.tombstones.commit(ids([5, 6, 7]), [first])
    add(store, [5, 6, 7], seed=7)
    assert int((~check(store).index.covered).sum()) == 3
    assert extend_index(store, ENCODER)[1] == 0  # its rows are of other vectors
    assert int((~check(store).index.covered).sum()) == 3


def test_filters_that_leave_few_or_none(store, build):
    add(store, np.arange(300))
    build(store, "ivf-sq")
    for share in (0.5, 0.02, 0.0):
        check(
            store, k=1 if share == 0.02 else 3, among=np.arange(300) < 300 * share
        ) if share else None
    nothing = Engine.open(store, ENCODER).nearest(drawn(4), 3, np.zeros(300, bool))
    assert nothing[1].shape == (4, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_recall_holds_among_some_and_for_many(store, kind):
    vectors = drawn(6000, dim=24, seed=1)
    store.features(ENCODER).append(ids(np.arange(6000)), vectors, "float16")
    build_index(store, ENCODER, BuildOptions(target_recall=0.9, kinds=(kind,)))
    engine, queries = Engine.open(store, ENCODER), drawn(200, dim=24, seed=2)
    for k, part in ((10, 1), (10, 5), (10, 9), (50, 1), (50, 3)):
        among = np.arange(6000) % part == 0
        index = engine.nearest(queries, k, among)[1]
        right = nearest(queries, engine.rows, k, among=np.flatnonzero(among))[1]
        pairs = zip(index.tolist(), right.tolist(), strict=True)
        recall = np.mean([len(set(one) & set(other)) / k for one, other in pairs])
        assert recall >= 0.88, (k, part)


def test_more_neighbours_than_there_are_are_all(store, build):
    add(store, np.arange(60))
    build(store, "hnsw")
    assert Engine.open(store, ENCODER).nearest(drawn(2), 1000)[1].shape == (2, 60)


@pytest.mark.parametrize(
    ("queries", "said"),
    [
        (np.zeros((1, 7)), "takes 8 numbers"),
        (np.zeros(8), "takes 8 numbers"),
        (np.full((1, 8), np.nan), "NaN or infinity"),
        (np.full((1, 8), np.inf), "NaN or infinity"),
    ],
)
def test_queries_that_cannot_be_compared_are_refused(store, queries, said):
    add(store, np.arange(30))
    with pytest.raises(UsageError, match=said):
        Engine.open(store, ENCODER).nearest(queries, 3)


def test_a_store_without_vectors_is_said(store):
    with pytest.raises(LookupFailed, match="no features of encoder"):
        Engine.open(store, ENCODER)


def spoil(path: Path, how: str) -> None:
    data = path.read_bytes()
    middle = len(data) // 2
    if how == "lost":
        path.unlink()
    elif how == "cut short":
        path.write_bytes(data[:middle])
    elif how == "changed":
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :])
    else:
        path.write_bytes(b"")


@pytest.mark.parametrize("how", ["lost", "cut short", "changed", "empty"])
@pytest.mark.parametrize("suffix", [".faiss", ".parquet", ".json"])
def test_a_broken_index_is_a_slower_right_answer_with_a_note(store, build, how, suffix):
    add(store, np.arange(200))
    build(store, "ivf-pq")
    [path] = (Path(store.path) / "indexes" / ENCODER).glob(f"*{suffix}")
    spoil(path, how)
    engine = check(store)
    assert engine.index is None
    if (how, suffix) == ("lost", ".json"):
        assert engine.notes == ()  # then there is none
    else:
        assert "exact and slower" in engine.notes[0]
        assert "icehouse index build" in engine.notes[0]


def test_an_index_of_another_encoder_or_dimension_is_not_used(store, build, tmp_path):
    add(store, np.arange(200))
    build(store, "hnsw")
    other = "other-0123456789ab"
    store.features(other).append(ids(np.arange(200)), drawn(200, 12), "float16")
    folder = Path(store.path) / "indexes"
    shutil.copytree(folder / ENCODER, folder / other)
    engine = Engine.open(store, other)
    assert engine.index is None
    assert f"it is of encoder {ENCODER}" in engine.notes[0]


def test_files_of_two_indexes_are_never_mixed(store, build):
    add(store, np.arange(200))
    build(store, "hnsw")
    files = IndexFiles(store.files, ENCODER)
    first = files.card()
    kept = {
        name: store.files.read(f"{files.folder}/{said['name']}")
        for name, said in first.files.items()
    }
    add(store, np.arange(200, 400), seed=3)
    build(store, "hnsw")
    second = files.card()
    for name in kept:
        assert not store.files.exists(f"{files.folder}/{first.files[name]['name']}")
        store.files.commit(f"{files.folder}/{second.files[name]['name']}", kept[name])
        assert (
            "its checksum is another" in check(store).notes[0]
            or "bytes, not" in check(store).notes[0]
        )
        build(store, "hnsw")


def test_an_index_at_a_url_is_fetched_once_and_checked(bucket, build):
    store = Store.create(f"{bucket[0]}/search.icehouse")
    add(store, np.arange(200))
    build(store, "ivf-sq")
    engine = check(store)
    assert engine.index is not None
    [kept] = (cache_folder() / "indexes" / ENCODER).glob("*.faiss")
    kept.write_bytes(b"damaged")
    assert check(store).index is not None
    add(store, np.arange(200, 230), seed=1)
    extend_index(store, ENCODER)
    assert check(store).index.covered.all()
    assert len(list((cache_folder() / "indexes" / ENCODER).glob("*.faiss"))) == 1
