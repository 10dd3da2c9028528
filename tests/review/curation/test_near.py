"""Neighbours where near-duplicates count once, against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.review.curation._near import Centre, Pictures, near
from icehouse.search import Engine
from icehouse.store import VectorRows, ids_from_bytes, image_id, unit

from .conftest import ENCODER, Array, around


def engine_of(vectors: Array) -> Engine:
    ids = ids_from_bytes(image_id(str(number).encode()) for number in range(len(vectors)))
    return Engine(VectorRows.of(ENCODER, ids, vectors.astype(np.float32)), None)


def pictures_of(vectors: Array, k: int) -> Pictures:
    engine, rows = engine_of(vectors), np.arange(len(vectors))
    return Pictures.of(engine, rows, k, Centre.of(engine, rows))


def test_each_image_is_compared_with_the_others_that_are_allowed():
    vectors = around(0, 60, 1.0)
    asked, among = np.array([3, 40, 7]), np.arange(0, 60, 2)
    cosine = unit(vectors[asked]) @ unit(vectors).T
    cosine[:, 1::2] = -np.inf
    cosine[1, 40] = -np.inf
    similarity, index = near(engine_of(vectors), asked, 4, among)
    assert index.tolist() == np.argsort(-cosine, axis=1)[:, :4].tolist()
    assert similarity == pytest.approx(-np.sort(-cosine, axis=1)[:, :4], abs=1e-6)


def test_what_is_lacking_is_no_neighbour():
    similarity, index = near(engine_of(around(0, 5, 1.0)), np.arange(5), 6, np.array([1, 2]))
    assert (index[0, :2] >= 0).all()
    assert (index[0, 2:] == -1).all()
    assert index[1].tolist() == [2, -1, -1, -1, -1, -1]
    assert np.isneginf(similarity[1, 1:]).all()


def test_without_duplicates_pictures_are_images():
    vectors = around(1, 80, 1.0)
    found = pictures_of(vectors, 5)
    similarity, index = near(engine_of(vectors), np.arange(80), 5, np.arange(80))
    assert found.rows.tolist() == found.member.tolist() == list(range(80))
    assert found.index.tolist() == index.tolist()
    assert found.similarity.tolist() == similarity.tolist()


@pytest.mark.parametrize("copies", [1, 3, 30])
def test_copies_are_one_picture_and_no_neighbours(copies):
    plain = around(2, 40, 1.0)
    near_ones = plain[[5]] + around(3, copies, 0.01) - around(3, copies, 0.0)
    found = pictures_of(np.concatenate([plain, near_ones]), 4)
    alone = pictures_of(plain, 4)
    assert found.rows.tolist() == list(range(40))
    assert found.copies(5).tolist() == [5, *range(40, 40 + copies)]
    assert found.index.tolist() == alone.index.tolist()


def test_of_identical_vectors_one_picture_is_left():
    found = pictures_of(np.ones((300, 4)), 3)
    assert found.rows.tolist() == [0]
    assert found.index.shape == found.similarity.shape == (1, 0)


def test_a_chain_of_small_steps_is_no_picture():
    angle = np.radians(np.arange(0, 360, 2.0))
    found = pictures_of(np.stack([np.cos(angle), np.sin(angle)], axis=1), 3)
    step = np.diff(found.rows)
    assert len(found) > 20
    assert step.min() >= 2
    assert (found.similarity < 0.995).all()


def test_fewer_pictures_than_neighbours_are_neighbours_of_each_other():
    vectors = np.repeat(np.eye(4)[:3], 5, axis=0)
    found = pictures_of(vectors, 10)
    assert found.rows.tolist() == [0, 5, 10]
    assert sorted(found.index[0].tolist()) == [1, 2]
    assert found.index.shape == (3, 2)
