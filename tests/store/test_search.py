"""Exact search equals brute force, whatever the sizes and values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icehouse.store import Store, ids_from_bytes, image_id, nearest, unit

Array = npt.NDArray[Any]


def cosines(queries: Array, base: Array) -> Array:
    """Return all cosine similarities in float64, by the definition."""
    q, b = np.asarray(queries, float), np.asarray(base, float)
    lengths = np.linalg.norm(q, axis=1)[:, None] * np.linalg.norm(b, axis=1)[None, :]
    return np.divide(q @ b.T, lengths, out=np.zeros((len(q), len(b))), where=lengths > 0)


def random_vectors(rows: int, dim: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)


def test_unit_vectors_have_length_one_and_the_same_direction() -> None:
    vectors = random_vectors(50, 7, 0) * 100
    scaled = unit(vectors)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(np.diag(cosines(scaled, vectors)), 1, atol=1e-6)


def test_zero_vectors_stay_zero() -> None:
    assert unit(np.zeros((2, 3), np.float16)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_the_largest_float16_vectors_are_scaled_right() -> None:
    scaled = unit(np.full((1, 1024), 65_504, np.float16))
    np.testing.assert_allclose(scaled, 1 / 32, rtol=1e-6)


def test_unit_leaves_its_input_alone() -> None:
    vectors = random_vectors(3, 4, 0)
    before = vectors.copy()
    unit(vectors)
    assert np.array_equal(vectors, before)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 10, 300])
def test_neighbours_are_those_of_brute_force(dtype: type, k: int) -> None:
    queries = random_vectors(40, 8, 1).astype(dtype)
    base = random_vectors(300, 8, 2).astype(dtype)
    similarity, index = nearest(queries, base, k)
    every = cosines(queries, base)
    assert similarity.dtype == np.float32
    assert index.dtype == np.int64
    assert np.array_equal(index, np.argsort(-every, axis=1)[:, :k])
    np.testing.assert_allclose(similarity, -np.sort(-every, axis=1)[:, :k], atol=1e-6)


@pytest.mark.parametrize("columns", [1919, 1920, 1921, 3000])
@pytest.mark.parametrize("levels", [3, 1000])
def test_the_nearest_of_many_are_found_among_ties(columns: int, levels: int) -> None:
    random = np.random.default_rng(columns)
    base = random.integers(1, levels, (columns, 1)) * [[1.0, 0.0]] + [[0.0, 1.0]]
    query = np.array([[1.0, 0.0]])
    similarity, index = nearest(query, base, 30)
    every = -(base[:, 0] / np.hypot(base[:, 0], base[:, 1])).astype(np.float32)
    assert np.array_equal(index[0], np.argsort(every, kind="stable")[:30])
    np.testing.assert_allclose(similarity[0], -np.sort(every)[:30], atol=1e-6)


# Few distinct values, so that ties, zero vectors and copies are common.
small = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])


@settings(derandomize=True, deadline=None)
@given(data=st.data())
def test_any_vectors_are_searched_as_by_brute_force(data: st.DataObject) -> None:
    dim = data.draw(st.integers(1, 4))
    row = st.lists(small, min_size=dim, max_size=dim)
    base = np.array(data.draw(st.lists(row, min_size=1, max_size=20)))
    queries = np.array(data.draw(st.lists(row, min_size=1, max_size=5)))
    k = data.draw(st.integers(1, 25))
    who = st.lists(
        st.integers(-1, len(base) - 1), min_size=len(queries), max_size=len(queries)
    ).map(np.array)
    skip = data.draw(st.none() | who)

    similarity, index = nearest(queries, base, k, skip=skip)
    every = cosines(queries, base)
    if skip is not None:
        for number, own in enumerate(skip):
            if own >= 0:
                every[number, own] = -np.inf
    found = min(k, len(base) - (skip is not None))
    assert similarity.shape == index.shape == (len(queries), found)
    np.testing.assert_allclose(similarity, np.take_along_axis(every, index, axis=1), atol=1e-6)
    np.testing.assert_allclose(similarity, -np.sort(-every, axis=1)[:, :found], atol=1e-6)
    assert (np.diff(similarity, axis=1) <= 0).all()
    assert all(len(set(row)) == found for row in index.tolist())


def test_an_image_is_not_its_own_neighbour_when_skipped() -> None:
    base = random_vectors(100, 5, 3)
    itself = np.arange(100)
    assert np.array_equal(nearest(base, base, 1)[1][:, 0], itself)
    similarity, index = nearest(base, base, 99, skip=itself)
    assert not (index == itself[:, None]).any()
    assert all(sorted(row) == sorted(set(range(100)) - {n}) for n, row in enumerate(index.tolist()))
    assert (similarity >= -1).all()


def test_a_copy_of_a_skipped_image_is_still_found() -> None:
    base = np.array([[1.0, 0], [0, 1], [1, 0]])
    similarity, index = nearest(base[:1], base, 1, skip=np.array([0]))
    assert index.tolist() == [[2]]
    assert similarity.tolist() == [[1.0]]


def test_minus_one_skips_nothing() -> None:
    base = random_vectors(10, 3, 0)
    skip = np.array([-1, 1])
    _, index = nearest(base[:2], base, 3, skip=skip)
    assert index[0, 0] == 0
    assert 1 not in index[1]


@pytest.mark.parametrize(("k", "skip", "found"), [(9, False, 4), (9, True, 3), (4, True, 3)])
def test_no_more_neighbours_than_there_are_rows(k: int, skip: bool, found: int) -> None:
    base = random_vectors(4, 3, 0)
    similarity, index = nearest(base, base, k, skip=np.arange(4) if skip else None)
    assert similarity.shape == index.shape == (4, found)


@pytest.mark.parametrize(
    ("queries", "rows", "k", "shape"), [(2, 0, 3, (2, 0)), (2, 3, 0, (2, 0)), (0, 3, 2, (0, 2))]
)
def test_nothing_to_search_finds_nothing(
    queries: int, rows: int, k: int, shape: tuple[int, int]
) -> None:
    similarity, index = nearest(np.zeros((queries, 3)), np.zeros((rows, 3)), k)
    assert similarity.shape == index.shape == shape


def test_the_only_row_skipped_leaves_no_neighbour() -> None:
    one = np.ones((1, 3))
    assert nearest(one, one, 5, skip=np.array([0]))[1].shape == (1, 0)


def test_a_zero_vector_is_as_near_as_a_right_angle_and_never_nan() -> None:
    base = np.array([[0.0, 0], [1, 0], [-1, 0]])
    similarity, index = nearest(np.array([[1.0, 0], [0, 0]]), base, 3)
    assert index[0].tolist() == [1, 0, 2]
    assert similarity[0].tolist() == [1.0, 0.0, -1.0]
    assert similarity[1].tolist() == [0.0, 0.0, 0.0]


def test_equal_similarities_come_in_the_order_of_their_rows() -> None:
    directions = np.array([[1.0, 0], [0, 1], [-1, 0]])
    which = np.random.default_rng(0).integers(0, 3, size=600)
    order = np.argsort(which, kind="stable")
    for k in (600, int((which < 2).sum()), int((which < 1).sum())):
        _, index = nearest(np.array([[2.0, 0]]), directions[which] * 4, k)
        assert index[0].tolist() == order[:k].tolist()


def test_of_rows_tied_for_the_last_place_the_first_are_taken() -> None:
    base = np.ones((1000, 4))
    assert nearest(base[:1], base, 5)[1].tolist() == [[0, 1, 2, 3, 4]]


def test_similarities_stay_between_minus_one_and_one() -> None:
    base = np.concatenate([v := random_vectors(500, 96, 0), -v])
    similarity, _ = nearest(v, base, 1000)
    assert similarity.max() == 1.0
    assert similarity.min() == -1.0


def test_the_length_of_a_vector_does_not_matter() -> None:
    queries, base = random_vectors(5, 4, 0), random_vectors(50, 4, 1)
    factors = 2.0 ** np.random.default_rng(0).integers(-9, 9, size=(50, 1))
    expected = nearest(queries, base, 7)
    found = nearest(queries * 1024, base * factors, 7)
    assert np.array_equal(found[1], expected[1])
    np.testing.assert_allclose(found[0], expected[0], atol=1e-6)


def test_queries_of_several_blocks_are_answered_as_one_by_one() -> None:
    # 115,000 x 300 similarities are more than one block holds: the last queries are a second.
    base, queries = random_vectors(300, 3, 0), random_vectors(115_000, 3, 1)
    skip = np.arange(115_000) % 300
    similarity, index = nearest(queries, base, 2, skip=skip)
    assert similarity.shape == index.shape == (115_000, 2)
    for rows in (slice(0, 20), slice(111_800, 111_900), slice(114_980, 115_000)):
        every = cosines(queries[rows], base)
        every[np.arange(len(every)), skip[rows]] = -np.inf
        np.testing.assert_allclose(similarity[rows], -np.sort(-every, axis=1)[:, :2], atol=1e-6)
        near = np.take_along_axis(every, index[rows], axis=1)
        np.testing.assert_allclose(similarity[rows], near, atol=1e-6)
    assert not (index == skip[:, None]).any()


def test_a_query_that_is_not_in_the_base_finds_all_of_it() -> None:
    base = np.eye(3, dtype=np.float32)
    skip = np.array([-1])
    assert nearest(base[:1], base, 5, skip=skip)[1].shape == (1, 3)
    assert nearest(base[:1], base, 5, skip=np.array([0]))[1].shape == (1, 2)


@pytest.mark.parametrize("rows", [50, 70_000])
def test_a_search_among_some_is_a_search_of_those_alone(rows: int) -> None:
    base, queries = random_vectors(rows, 6, 0), random_vectors(7, 6, 1)
    among = np.flatnonzero(np.random.default_rng(2).random(rows) < 0.4)
    skip = np.array([-1, 0, 1, *among[:4]])
    similarity, index = nearest(queries, base, 9, skip=skip, among=among)
    every = np.full((7, rows), -np.inf)
    every[:, among] = cosines(queries, base[among])
    every[np.arange(7)[skip >= 0], skip[skip >= 0]] = -np.inf
    np.testing.assert_allclose(similarity, -np.sort(-every, axis=1)[:, :9], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(every, index, axis=1), similarity, atol=1e-6)


def test_a_search_among_none_finds_nothing() -> None:
    none = np.empty(0, np.int64)
    assert nearest(np.eye(3), np.eye(3), 2, among=none)[1].shape == (3, 0)


def test_rows_of_a_store_are_searched_as_an_array_is(store: Store) -> None:
    base = random_vectors(5000, 8, 0).astype(np.float16)
    ids = ids_from_bytes(image_id(bytes([n % 256, n // 256])) for n in range(5000))
    for part in np.array_split(np.arange(5000), 3):
        store.features("some-0").append(ids[part], base[part], "float16")
    rows = store.features("some-0").rows()
    matrix = store.features("some-0").load()
    queries = random_vectors(30, 8, 1)
    wanted = nearest(queries, matrix.vectors, 4)
    found = nearest(queries, rows, 4)
    assert np.array_equal(found[1], wanted[1])
    assert np.array_equal(found[0], wanted[0])
