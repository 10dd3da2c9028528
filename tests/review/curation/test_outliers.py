"""Planted outliers come first, whether they are there once, twice or often."""

from __future__ import annotations

import json

import numpy as np
import pytest

from icehouse.errors import LookupFailed, UsageError
from icehouse.review import OutlierOptions, find_outliers, local_outlier_factor, write_outliers
from icehouse.store import nearest

from .conftest import ENCODER, around


def crowd(rows=200, seed=0):
    """Two classes, one of them denser."""
    half = rows // 2
    parts = around(seed, half, 0.2), around(seed + 1, rows - half, 0.5, axis=1)
    return np.concatenate(parts)


def odd(number):
    """Vectors far from the crowd and from each other."""
    vectors = np.zeros((number, 16))
    vectors[np.arange(number), 3 + np.arange(number)] = 3
    vectors[:, -1] = 0.5
    return vectors


def keys(report):
    return [[picture.key for picture in each.pictures] for each in report.outliers]


def test_local_outlier_factors_are_those_of_scikit_learn():
    from sklearn.neighbors import LocalOutlierFactor

    vectors = np.concatenate([crowd(), odd(3)])
    cosine, index = nearest(vectors, vectors, 7, skip=np.arange(len(vectors)))
    known = LocalOutlierFactor(n_neighbors=7, metric="cosine").fit(vectors)
    ours = local_outlier_factor(1 - cosine, index)
    assert ours == pytest.approx(-known.negative_outlier_factor_, rel=1e-3)


def test_factors_of_points_in_one_place_are_finite():
    index = np.array([[1, 2], [0, 2], [0, 1]])
    assert local_outlier_factor(np.zeros((3, 2)), index).tolist() == [1, 1, 1]


def test_planted_outliers_come_first(build):
    store = build(crowd=crowd(), odd=odd(4))
    report = find_outliers(store, OutlierOptions(count=4, k=5))
    assert sorted(keys(report)) == [[f"odd-{number}"] for number in range(4)]
    assert report.images == report.pictures == 204
    assert report.encoder_id == ENCODER
    assert report.outliers[-1].distance > 3 * report.usual
    assert report.outliers[0].nearest.key != report.outliers[0].pictures[0].key


@pytest.mark.parametrize("times", [2, 30])
def test_outliers_do_not_hide_behind_their_copies(build, times):
    store = build(crowd=crowd(), odd=np.repeat(odd(3), times, axis=0))
    report = find_outliers(store, OutlierOptions(count=3, k=5))
    first = sorted(keys(report), key=lambda some: int(some[0][4:]))
    assert first == [[f"odd-{3 * 0 + n * times + i}" for i in range(times)] for n in range(3)]
    assert report.pictures == 203


def test_only_images_of_the_dataset_that_is_named_count(build):
    store = build(crowd=crowd(), odd=odd(4), others=odd(4) + 0.01)
    named = find_outliers(store, OutlierOptions(dataset="crowd", count=500, k=5))
    assert named.images == 200 == len(named.outliers)
    assert {key for some in keys(named) for key in some} == {f"crowd-{n}" for n in range(200)}
    with pytest.raises(LookupFailed, match="no dataset 'none'; it has: crowd, odd, others"):
        find_outliers(store, OutlierOptions(dataset="none"))


def test_labels_are_those_of_the_only_task_or_of_the_one_named(build):
    store = build(crowd=crowd(), odd=odd(1), labels={"odd": ["strange"]})
    report = find_outliers(store, OutlierOptions(count=1, k=5))
    assert report.task == "things"
    assert report.outliers[0].pictures[0].labels == ("strange",)
    assert report.outliers[0].nearest.labels is None
    with pytest.raises(LookupFailed, match="no task 'none'"):
        find_outliers(store, OutlierOptions(task="none"))


@pytest.mark.parametrize(
    ("vectors", "said"),
    [
        (around(0, 10, 1.0), "takes 11 different ones. There are 10, of 10 images"),
        (np.ones((50, 16)), "takes 11 different ones. There are 1, of 50 images"),
        (np.repeat(odd(8), 9, axis=0), "There are 8, of 72 images"),
        (np.zeros((20, 16)), "There are 0, of 0 images"),
    ],
)
def test_too_few_different_pictures_are_said_to_be(build, vectors, said):
    with pytest.raises(UsageError, match=said):
        find_outliers(build(few=vectors))


def test_vectors_without_a_direction_are_left_out_and_named(build):
    store = build(crowd=np.concatenate([crowd(), np.zeros((2, 16))]))
    report = find_outliers(store, OutlierOptions(k=5))
    assert report.images == 200
    assert report.notes == ("left out, as their vector is 0 and has no direction: 2 images",)


def test_images_without_a_vector_are_named(build):
    from icehouse.store import CatalogRow, image_id

    store = build(crowd=crowd())
    store.catalog.append("crowd", [CatalogRow("new", image_id(b"new"))])
    [note] = find_outliers(store, OutlierOptions(k=5)).notes
    assert note == f"left out, without a vector of {ENCODER}: 1 image"
    store.catalog.append("new", [CatalogRow("new", image_id(b"new"))])
    with pytest.raises(LookupFailed, match="no image of dataset new has a vector"):
        find_outliers(store, OutlierOptions(dataset="new"))


def test_numbers_below_one_are_refused():
    with pytest.raises(UsageError, match="count is 1 or more, got 0"):
        OutlierOptions(count=0)
    with pytest.raises(UsageError, match="neighbours, k is 1 or more, got 0"):
        OutlierOptions(k=0)


def test_an_index_finds_what_exact_search_finds(build):
    from icehouse.search import BuildOptions, build_index

    store = build(crowd=crowd(3000), odd=np.repeat(odd(5), 3, axis=0))
    exact = find_outliers(store, OutlierOptions(count=5))
    build_index(store, ENCODER, BuildOptions(target_recall=0.9, kinds=("hnsw",)))
    assert keys(find_outliers(store, OutlierOptions(count=5))) == keys(exact)


def test_files_have_a_row_an_image_and_a_line_an_outlier(build, tmp_path):
    store = build(crowd=crowd(), odd=np.repeat(odd(2), 2, axis=0))
    report = find_outliers(store, OutlierOptions(count=3, k=5))
    (tmp_path / "outliers.png").write_bytes(b"of an earlier run")
    names = write_outliers(report, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "outliers.jsonl").read_text().splitlines()]
    rows = (tmp_path / "outliers.csv").read_text().splitlines()
    assert rows[0] == "rank,distance,lof,dataset,key,image_id,labels"
    assert len(rows) == 1 + sum(len(each["pictures"]) for each in lines) == 6
    assert [line[:1] for line in rows[1:]] == ["1", "1", "2", "2", "3"]
    assert len(names) == 2
    assert not (tmp_path / "outliers.png").exists()
