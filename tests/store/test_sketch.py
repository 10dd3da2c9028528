"""Two passes find what one finds, whatever is in the vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icehouse.errors import VectorError
from icehouse.store import nearest, unit
from icehouse.store._search import _Array
from icehouse.store._sketch import is_worth_it, sketched


def drawn(rows: int, dim: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(rows, dim)))


@settings(deadline=None, max_examples=20)
@given(
    st.integers(1, 30), st.integers(80, 400), st.integers(1, 40), st.integers(1, 9), st.booleans()
)
def test_what_is_settled_is_what_brute_force_finds(q, n, dim, k, skips):
    queries, base = drawn(q, dim, n), drawn(n, dim, q)
    skip = np.arange(q) % n if skips else None
    best = sketched(queries, _Array(base), k, skip)
    cosine = queries.astype(float) @ base.T.astype(float)
    if skip is not None:
        cosine[np.arange(q), skip] = -np.inf
    wanted = -np.sort(-cosine, axis=1)[:, :k]
    settled = best.settled
    found = np.take_along_axis(cosine, best.index, axis=1)
    np.testing.assert_allclose(found[settled], wanted[settled], atol=1e-6)
    np.testing.assert_allclose(best.similarity[settled], wanted[settled], atol=1e-6)


def test_most_queries_are_settled_by_the_first_pass():
    best = sketched(drawn(50, 64, 1), _Array(drawn(2000, 64, 0)), 5, None)
    assert best.settled.mean() > 0.95


def test_those_that_are_too_much_alike_are_told_apart_as_far_as_float32_can():
    base = unit(drawn(1, 16, 0) + 1e-3 * drawn(300, 16, 1))
    best = sketched(base[:20], _Array(base), 2, None)
    cosine = base[:20].astype(float) @ base.T.astype(float)
    found = np.take_along_axis(cosine, best.index, axis=1)
    np.testing.assert_allclose(found, -np.sort(-cosine, axis=1)[:, :2], atol=1e-6)


def test_a_crowd_of_equals_is_left_to_the_other_way():
    base = np.concatenate([drawn(500, 24, 0), np.tile(drawn(1, 24, 1), (20_000, 1))])
    queries = np.concatenate([drawn(30, 24, 2), base[-20:]])
    best = sketched(queries, _Array(base), 3, None)
    assert best.settled[:30].all()
    assert not best.settled[30:].any()


@pytest.mark.parametrize("rows", [8191, 8192, 8193, 16_385])
def test_blocks_of_any_length_are_searched_to_their_end(rows):
    base, queries = drawn(rows, 12, 0), drawn(40, 12, 1)
    queries[:4] = base[[0, -1, rows // 2, -2]]
    best = sketched(queries, _Array(base), 2, np.full(40, -1))
    assert best.index[:4, 0].tolist() == [0, rows - 1, rows // 2, rows - 2]
    exact = -np.sort(-(queries.astype(float) @ base.T.astype(float)), axis=1)[:, :2]
    np.testing.assert_allclose(best.similarity, exact, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_that_is_not_finite_hides_no_other_one(bad):
    base = drawn(9000, 12, 0)
    base[8500, 3] = bad
    with pytest.raises(VectorError, match="NaN or infinity"):
        sketched(drawn(20, 12, 1), _Array(base), 2, None)


def test_float16_rows_at_their_limits_have_their_cosine():
    base = np.concatenate([drawn(9000, 8, 0), np.full((1, 8), 65_504.0), np.full((1, 8), 1e-7)])
    best = sketched(unit(np.ones((20, 8))), _Array(base.astype(np.float16)), 2, None)
    assert set(best.index[0]) == {9000, 9001}
    assert best.similarity[0] == pytest.approx(1, abs=1e-6)


def test_equal_vectors_come_in_the_order_of_their_rows():
    base = np.repeat(drawn(100, 24, 0), 4, axis=0)
    best = sketched(base[::4], _Array(base), 4, None)
    assert best.settled.all()
    assert (best.index == np.arange(400).reshape(100, 4)).all()
    assert (best.similarity == best.similarity[:, :1]).all()


def test_zero_vectors_are_near_to_nothing():
    base = np.concatenate([drawn(200, 8, 0), np.zeros((5, 8), np.float32)])
    best = sketched(drawn(20, 8, 1), _Array(base), 3, None)
    assert (best.index[best.settled] < 200).all()


def test_a_large_search_finds_what_small_ones_find():
    base, queries = drawn(40_000, 125, 0), drawn(2001, 125, 1)
    queries[7] = 0  # as near to everything: left to the second way
    assert is_worth_it(len(queries), _Array(base), 5)
    assert not is_worth_it(60, _Array(base), 5)
    skip = np.full(len(queries), -1)
    skip[:10] = nearest(queries[:10], base, 1)[1][:, 0]
    similarity, index = nearest(queries, base, 5, skip=skip)
    alone, places = nearest(queries[:60], base, 5, skip=skip[:60])
    np.testing.assert_allclose(similarity[:60], alone, atol=1e-6)
    assert (index[:60] == places).mean() > 0.99
    assert index[7].tolist() == [place for place in range(6) if place != skip[7]][:5]


def test_a_search_for_nearly_all_rows_is_made_in_one_pass():
    assert not is_worth_it(10**6, _Array(np.zeros((10**4, 10), np.float32)), 2000)
