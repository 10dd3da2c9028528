"""Two passes find what one finds, whatever is in the vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icehouse.store import nearest, unit
from icehouse.store._sketch import Sketch, is_worth_it


def drawn(rows: int, dim: int, seed: int) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(rows, dim)))


@settings(deadline=None, max_examples=20)
@given(
    st.integers(1, 30), st.integers(80, 400), st.integers(1, 40), st.integers(1, 9), st.booleans()
)
def test_what_is_settled_is_what_brute_force_finds(q, n, dim, k, skips):
    queries, base = drawn(q, dim, n), drawn(n, dim, q)
    skip = np.arange(q) % n if skips else None
    best = Sketch(base).best(queries, k, skip)
    cosine = queries.astype(float) @ base.T.astype(float)
    if skip is not None:
        cosine[np.arange(q), skip] = -np.inf
    wanted = -np.sort(-cosine, axis=1)[:, :k]
    settled = best.settled
    found = np.take_along_axis(cosine, best.index, axis=1)
    np.testing.assert_allclose(found[settled], wanted[settled], atol=1e-6)
    np.testing.assert_allclose(best.similarity[settled], wanted[settled], atol=1e-6)


def test_most_queries_are_settled_by_the_first_pass():
    best = Sketch(drawn(2000, 64, 0)).best(drawn(50, 64, 1), 5, None)
    assert best.settled.mean() > 0.95


def test_too_many_that_are_too_much_alike_are_not_settled():
    base = drawn(1, 16, 0) + 1e-4 * drawn(300, 16, 1)
    best = Sketch(unit(base)).best(unit(base[:3]), 2, None)
    assert best.similarity == pytest.approx(1, abs=1e-5)
    exact = np.argsort(-(unit(base[:3]).astype(float) @ unit(base).T.astype(float)), axis=1)
    for row in np.flatnonzero(best.settled):
        assert set(best.index[row]) <= set(exact[row, :4])


def test_equal_vectors_come_in_the_order_of_their_rows():
    base = np.repeat(drawn(100, 24, 0), 4, axis=0)
    best = Sketch(base).best(base[::4], 4, None)
    assert best.settled.all()
    assert (best.index == np.arange(400).reshape(100, 4)).all()
    assert (best.similarity == best.similarity[:, :1]).all()


def test_zero_vectors_are_near_to_nothing():
    base = np.concatenate([drawn(200, 8, 0), np.zeros((5, 8), np.float32)])
    best = Sketch(base).best(drawn(20, 8, 1), 3, None)
    assert (best.index[best.settled] < 200).all()


def test_a_large_search_finds_what_small_ones_find():
    base, queries = drawn(40_000, 125, 0), drawn(2001, 125, 1)
    queries[7] = 0  # as near to everything: left to the second way
    assert is_worth_it(len(queries), base, 5)
    assert not is_worth_it(60, base, 5)
    skip = np.full(len(queries), -1)
    skip[:10] = nearest(queries[:10], base, 1)[1][:, 0]
    similarity, index = nearest(queries, base, 5, skip=skip)
    alone, places = nearest(queries[:60], base, 5, skip=skip[:60])
    np.testing.assert_allclose(similarity[:60], alone, atol=1e-6)
    assert (index[:60] == places).mean() > 0.99
    assert index[7].tolist() == [place for place in range(6) if place != skip[7]][:5]


def test_a_search_for_nearly_all_rows_is_made_in_one_pass():
    assert not is_worth_it(10**6, np.zeros((10**4, 10), np.float32), 2000)
