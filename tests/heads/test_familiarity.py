"""Unfamiliar images: what is far is measured by the training images themselves."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.heads import Familiarity, distances


def cloud(n: int, seed: int, place: float = 0.0) -> np.ndarray:
    """Directions around one, or around another, in 8 dimensions."""
    random = np.random.default_rng(seed)
    centre = np.zeros(8)
    centre[0], centre[1] = np.cos(place), np.sin(place)
    return (centre + 0.2 * random.normal(size=(n, 8))).astype(np.float32)


def test_the_distance_is_one_minus_the_mean_cosine_to_five():
    images, trained = cloud(3, 0), cloud(40, 1)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (images, trained)]
    expected = 1 - np.sort(unit[0] @ unit[1].T, axis=1)[:, -5:].mean(axis=1)
    np.testing.assert_allclose(distances(images, trained), expected, atol=1e-6)


def test_one_in_a_hundred_of_the_same_kind_is_unfamiliar_and_nearly_all_of_another():
    trained = cloud(1_000, 0)
    found = Familiarity.of(trained)
    same = distances(cloud(4_000, 1), trained) > found.limit
    other = distances(cloud(1_000, 2, place=2.0), trained) > found.limit
    assert same.mean() == pytest.approx(0.01, abs=0.008)
    assert other.mean() > 0.95


def test_training_images_are_not_their_own_neighbours():
    trained = cloud(50, 0)
    doubled = np.concatenate([trained, trained])
    assert Familiarity.of(trained).distances.min() > 1e-4
    # Twins are neighbours of each other.
    assert (Familiarity.of(doubled).distances < Familiarity.of(trained).distances.max()).all()


def test_the_rank_is_the_share_that_lies_nearer():
    found = Familiarity(np.array([0.1, 0.2, 0.3, 0.4], np.float32))
    assert found.rank(np.array([0.05, 0.25, 9.0])).tolist() == [0.0, 0.5, 1.0]


def test_of_many_images_a_thousand_numbers_are_kept():
    found = Familiarity.of(cloud(2_500, 0))
    assert found.distances.shape == (1001,)
    assert (np.diff(found.distances) >= 0).all()
    assert (Familiarity.of(cloud(2_500, 0)).distances == found.distances).all()


@pytest.mark.parametrize("images", [2, 3, 5])
def test_fewer_images_than_neighbours_are_enough(images):
    found = Familiarity.of(cloud(images, 0))
    assert np.isfinite(found.limit)
    assert len(found.distances) == images


def test_one_image_is_like_no_other():
    assert Familiarity.of(cloud(1, 0)) is None


def test_it_comes_back_from_arrays():
    found = Familiarity.of(cloud(40, 0))
    assert (Familiarity.from_arrays(found.to_arrays()).distances == found.distances).all()
    assert Familiarity.from_arrays({"coef": np.zeros(3)}) is None
