"""What B holds and A lacks is found, in its groups; and nothing is where there is nothing."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from icehouse.errors import LookupFailed, UsageError
from icehouse.review import GapOptions, find_gaps, write_gaps
from icehouse.review.curation._cover import assign, cover

from .conftest import around


def kinds(*axes, rows=150, spread=0.3, seed=0):
    return np.concatenate(
        [around(seed + axis, rows, spread, axis=axis) for axis in axes],
    )


def sizes(report):
    return [len(gap.pictures) for gap in report.gaps]


def test_what_is_lacking_is_found_in_its_groups(build):
    new = np.concatenate([kinds(3, rows=20, spread=0.1), kinds(4, rows=12, spread=0.1)])
    store = build(a=kinds(0, 1), b=np.concatenate([kinds(0, 1, seed=50, rows=50), new]))
    report = find_gaps(store, GapOptions("a", "b"))
    assert not report.covers
    assert sizes(report)[:2] == [20, 12]
    first = {picture.key for picture in report.gaps[0].pictures}
    assert first == {f"b-{n}" for n in range(100, 120)}
    assert 32 <= report.uncovered <= 36
    assert report.share == report.uncovered / 132
    assert sum(sizes(report)) + report.left == report.uncovered
    assert all(d > report.limit for gap in report.gaps for d in gap.distances)
    assert report.gaps[0].nearest.dataset == "a"


def test_a_dense_kind_that_is_not_far_is_found_by_the_ratio(build):
    dense = (around(7, 40, 0.25, axis=0) + around(8, 40, 0.25, axis=1)) / 2
    a, b = (kinds(0, 1, spread=1.2, seed=seed, rows=100) for seed in (0, 50))
    report = find_gaps(build(a=a, b=np.concatenate([b, dense])), GapOptions("a", "b"))
    gap = report.gaps[0]
    assert {picture.key for picture in gap.pictures} <= {f"b-{n}" for n in range(200, 240)}
    assert len(gap.pictures) > 30
    assert max(gap.distances) < report.limit
    assert min(gap.ratios) > report.ratio_limit >= 1


def test_where_b_is_small_only_distances_count(build):
    store = build(a=kinds(0), b=np.concatenate([kinds(0, seed=50, rows=5), kinds(3, rows=2)]))
    report = find_gaps(store, GapOptions("a", "b"))
    assert report.ratio_limit is None
    assert {ratio for gap in report.gaps for ratio in gap.ratios} == {None}
    assert {picture.key for gap in report.gaps for picture in gap.pictures} >= {"b-5", "b-6"}


def test_more_of_the_same_is_covered(build):
    store = build(a=kinds(0, 1), b=kinds(0, 1, seed=70))
    report = find_gaps(store, GapOptions("a", "b"))
    assert report.covers
    assert report.share < 0.04
    assert (report.images_a, report.images_b, report.shared) == (300, 300, 0)


def test_a_part_of_a_is_covered_without_a_gap(build):
    store = build(a=kinds(0, 1))
    rows = store.catalog.rows("a").slice(0, 50)
    from icehouse.store import CatalogRow

    store.catalog.append("b", CatalogRow.from_table(rows))
    report = find_gaps(store, GapOptions("a", "b"))
    assert (report.covers, report.uncovered, report.shared, report.gaps) == (True, 0, 50, [])


def test_splits_of_a_dataset_are_compared_too(build):
    vectors = np.concatenate([kinds(0), kinds(0, 3, seed=50, rows=20)])
    splits = {"all": ["train"] * 150 + ["test"] * 40}
    other = kinds(3, rows=40, seed=9)
    store = build(all=vectors, other=other, splits=splits | {"other": ["train"] * 40})
    options = GapOptions("train", "test", "split", dataset="all")
    found = {picture.key for gap in find_gaps(store, options).gaps for picture in gap.pictures}
    assert found >= {f"all-{n}" for n in range(170, 190)}
    everywhere = GapOptions("train", "test", "split")
    assert find_gaps(store, everywhere).covers
    with pytest.raises(LookupFailed, match="in the split 'val'"):
        find_gaps(store, GapOptions("train", "val", "split"))


def test_copies_in_a_do_not_make_it_narrow(build):
    store = build(a=np.repeat(kinds(0, 1), 8, axis=0), b=kinds(0, 1, seed=70))
    assert find_gaps(store, GapOptions("a", "b")).share < 0.04


def test_a_count_limits_the_groups_and_says_what_is_left(build):
    store = build(a=kinds(0), b=kinds(3, 4, 5, rows=20, spread=0.1))
    report = find_gaps(store, GapOptions("a", "b", count=2))
    assert sizes(report) == [20, 20]
    assert (report.uncovered, report.left) == (60, 20)


def test_identical_images_are_covered_by_their_likes(build):
    store = build(a=np.repeat(np.eye(16)[:2], 9, axis=0), b=np.eye(16)[[0, 1, 1]])
    assert find_gaps(store, GapOptions("a", "b")).uncovered <= 3


def test_what_cannot_be_compared_is_refused(build):
    store = build(a=np.ones((9, 16)), b=kinds(0, rows=5), empty=np.zeros((3, 16)))
    with pytest.raises(UsageError, match=r"compared with has one picture only \(9 images"):
        find_gaps(store, GapOptions("a", "b"))
    with pytest.raises(LookupFailed, match="no dataset 'none'"):
        find_gaps(store, GapOptions("none", "b"))
    with pytest.raises(LookupFailed, match="is in the dataset 'empty'"):
        find_gaps(store, GapOptions("b", "empty"))
    for options, said in (
        ({"a": "a", "b": "a"}, "'a' lacks nothing of itself: name two different datasets"),
        ({"count": 0}, "count is 1 or more, got 0"),
        ({"quantile": 1.0}, "a quantile is between 0 and 1, got 1.0"),
        ({"by": "class"}, "names of a dataset or split, got 'class'"),
        ({"dataset": "a"}, "it goes with --by split"),
    ):
        with pytest.raises(UsageError, match=said):
            GapOptions(**{"a": "a", "b": "b"} | options)


def test_those_that_cover_most_are_chosen_first():
    vectors = np.concatenate([np.eye(16)[[0] * 3], kinds(3, rows=9, spread=0.1)])
    chosen = cover(vectors, 0.05, 10)
    group, similarity = assign(vectors, chosen, 0.05)
    assert len(chosen) == 2
    assert chosen[0] >= 3
    assert chosen[1] == 0
    assert np.bincount(group).tolist() == [9, 3]
    assert (similarity >= 0.95).all()


def test_each_image_that_is_like_none_covers_itself():
    chosen = cover(np.eye(16), 0.01, 10)
    assert chosen.tolist() == list(range(10))
    group, _ = assign(np.eye(16), chosen, 0.01)
    assert group.tolist() == [*range(10), *[-1] * 6]


def test_files_have_a_row_an_image(build, tmp_path):
    store = build(a=kinds(0), b=kinds(3, rows=10, spread=0.1))
    report = find_gaps(store, GapOptions("a", "b"))
    write_gaps(report, tmp_path)
    rows = list(csv.DictReader((tmp_path / "gaps.csv").read_text().splitlines()))
    assert len(rows) == sum(sizes(report)) == 10
    assert [row["stands_for_it"] for row in rows].count("yes") == len(report.gaps)
