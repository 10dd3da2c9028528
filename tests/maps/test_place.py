"""New points: on the island of most of their neighbours, and never in the sea between two."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.maps._place import placed_among

EAST, WEST = [10.0, 0.0], [-10.0, 0.0]


def placed(distance, xy, place=None):
    place = np.arange(len(xy)) if place is None else place
    return placed_among(
        np.array([distance], np.float32), np.array([place]), np.array(xy, np.float32)
    )[0]


def test_it_is_on_the_island_of_most_of_its_neighbours():
    around = [[10.1, 0.0], [9.9, 0.1], [10.0, -0.1]]
    found = placed([0.2] * 5, [*around, WEST, [-10.1, 0.1]])
    assert found == pytest.approx(EAST, abs=0.3)


def test_the_nearest_count_for_more():
    found = placed([0.1, 0.1, 0.5, 0.5, 0.5], [EAST, [10.1, 0.0], WEST, WEST, WEST])
    assert found[0] > 9


def test_of_neighbours_at_equal_distances_on_a_square_it_is_the_middle():
    corners = [[0, 0], [4, 0], [4, 4], [0, 4]]
    assert placed([0.3] * 4, corners) == pytest.approx([2, 2], abs=1e-3)
    assert placed([0.0] * 4, corners) == pytest.approx([2, 2], abs=1e-3)


def test_by_one_neighbour_it_is_where_that_one_is():
    assert placed([0.3], [WEST, EAST], [1]).tolist() == EAST
    assert placed([0.0], [WEST, EAST], [0]).tolist() == WEST


def test_it_is_found_where_the_map_is_all_at_one_place():
    assert placed([0.1, 0.2], [EAST, EAST]) == pytest.approx(EAST)


def test_each_point_is_placed_by_its_own_neighbours():
    xy = np.array([EAST, WEST], np.float32)
    found = placed_among(np.array([[0.1], [0.1]], np.float32), np.array([[1], [0]]), xy)
    assert (found.tolist(), found.dtype) == ([WEST, EAST], np.float32)


def test_it_is_the_weighted_geometric_median():
    random = np.random.default_rng(0)
    xy, distance = random.normal(size=(7, 2)), np.sort(random.uniform(0.1, 0.4, 7))
    found = placed(distance, xy)
    over = distance - distance[0]
    weight = np.exp(-over / over.mean())

    def cost(at):
        return (weight * np.linalg.norm(xy - at, axis=1)).sum()

    steps = 0.05 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    assert cost(found) < min(cost(found + step) for step in steps)
