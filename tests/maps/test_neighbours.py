"""Neighbours of many images: those that brute force finds, and how far it has come."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.maps import _neighbours
from icehouse.maps._neighbours import neighbours_of
from icehouse.store import VectorRows

from .conftest import clustered, ids


@pytest.fixture
def rows():
    return VectorRows.of("some-1", ids(np.arange(100)), clustered(np.arange(100)))


def brute(rows, wanted, base, k):
    """Return distances in float64 and places in ``base``, by the definition."""
    vectors = rows.block(0, len(rows)).astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = 1 - vectors[wanted] @ vectors[base].T
    distance[wanted[:, None] == base] = np.inf
    place = np.argsort(distance, axis=1)[:, :k]
    return np.take_along_axis(distance, place, axis=1), place


@pytest.mark.parametrize(
    ("wanted", "base"),
    [
        (np.arange(100), np.arange(100)),
        (np.arange(0, 100, 3), np.arange(0, 100, 3)),
        (np.array([99, 0, 50]), np.arange(10, 60)),  # one of them is in the base
    ],
)
def test_they_are_those_that_brute_force_finds(rows, wanted, base):
    distance, place = neighbours_of(rows, wanted, base, 9)
    right, where = brute(rows, wanted, base, 9)
    assert place.tolist() == where.tolist()
    assert distance == pytest.approx(right, abs=1e-6)
    assert (distance.dtype, place.dtype) == (np.float32, np.int64)


def test_none_is_its_own_neighbour_even_among_equals():
    rows = VectorRows.of("some-1", ids(np.arange(5)), np.ones((5, 3), np.float32))
    every = np.arange(5)
    distance, place = neighbours_of(rows, every, every, 4)
    assert [sorted(row) for row in place.tolist()] == [sorted({*range(5)} - {i}) for i in range(5)]
    assert distance == pytest.approx(0, abs=1e-6)


def test_it_goes_by_blocks_and_tells_how_far_it_has_come(rows, monkeypatch):
    every = np.arange(100)
    whole = neighbours_of(rows, every, every, 5)
    monkeypatch.setattr(_neighbours, "BLOCK", 30)
    told = []
    parts = neighbours_of(rows, every, every, 5, lambda done, total: told.append((done, total)))
    assert told == [(30, 100), (60, 100), (90, 100), (100, 100)]
    assert parts[1].tolist() == whole[1].tolist()
    assert parts[0] == pytest.approx(whole[0], abs=1e-6)
