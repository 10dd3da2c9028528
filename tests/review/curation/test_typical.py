"""What stands for a class, what is far from it, and what lies among others."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from icehouse.errors import LookupFailed, UsageError
from icehouse.review import TypicalOptions, find_typical, write_typical

from .conftest import around


def classes(report):
    return {each.name: each for each in report.classes}


def keys(members):
    return [member.picture.key for member in members]


@pytest.fixture
def farm(build):
    """40 cows, then 5 that lie among sheep, then one unlike all; 40 sheep."""
    strange = np.zeros((1, 16))
    strange[0, 5] = 1
    cows = np.concatenate([around(0, 40, 0.3), around(1, 5, 0.3, axis=1), strange])
    sheep = around(2, 40, 0.3, axis=1)
    labels = {"cows": ["cow"] * 46, "sheep": ["sheep"] * 40}
    return build(cows=cows, sheep=sheep, labels=labels)


def test_what_lies_among_another_class_is_astray_and_named(farm):
    report = find_typical(farm, TypicalOptions(count=6, k=8))
    cow = classes(report)["cow"]
    assert sorted(keys(cow.astray)) == [f"cows-{n}" for n in range(40, 45)]
    assert cow.n_astray == 5
    assert {member.near for member in cow.astray} == {("sheep",)}
    assert all(member.other > member.own for member in cow.astray)
    assert classes(report)["sheep"].n_astray == 0
    assert report.images == 86


def test_what_is_far_from_its_class_and_near_no_other_is_only_far(farm):
    cow = classes(find_typical(farm, TypicalOptions(count=1, k=8)))["cow"]
    assert keys(cow.far) == ["cows-45"]
    assert not cow.far[0].astray
    assert cow.far[0].own < cow.usual


def test_typical_ones_are_dense_and_neither_far_nor_astray(farm):
    report = find_typical(farm, TypicalOptions(count=4, k=8))
    for each in report.classes:
        assert len(each.typical) == 4
        assert np.mean([member.own for member in each.typical]) > each.usual
        assert not {*keys(each.typical)} & {*keys(each.far), *keys(each.astray)}


def test_typical_ones_are_not_copies_and_not_of_one_corner(build):
    one = around(0, 1, 0.3)
    herd = np.concatenate([np.repeat(one, 20, axis=0), around(1, 30, 0.05), around(2, 30, 0.3)])
    corner = {f"cows-{n}" for n in range(50)}
    labels = {"cows": ["cow"] * 80, "sheep": ["sheep"] * 30}
    store = build(cows=herd, sheep=around(3, 30, 0.3, axis=1), labels=labels)
    cow = classes(find_typical(store, TypicalOptions(count=3, k=5)))["cow"]
    assert cow.images == 80
    assert cow.pictures <= 61
    assert len(set(keys(cow.typical)) - corner) >= 2


def test_an_image_of_several_labels_counts_in_each(build):
    vectors = np.concatenate([around(0, 20, 0.3), around(1, 20, 0.3, axis=1)])
    both = [("a", "b")] * 10 + [("a",)] * 10 + [("b",)] * 15 + [()] * 5
    store = build(kind="multi", all=vectors, labels={"all": both})
    found = classes(find_typical(store, TypicalOptions(k=3)))
    assert (found["a"].images, found["b"].images) == (20, 25)


def test_a_class_of_one_picture_has_nothing_to_be_compared_with(build):
    store = build(
        all=np.concatenate([around(0, 20, 0.3), around(1, 1, 0.3, axis=1)]),
        labels={"all": ["cow"] * 20 + ["dodo"]},
    )
    report = find_typical(store)
    dodo = classes(report)["dodo"]
    assert keys(dodo.typical) == ["all-20"]
    assert dodo.typical[0].own is None
    assert dodo.far == dodo.astray == ()
    assert dodo.usual is None
    assert report.notes == ("one picture only, with nothing to compare it to: dodo",)


def test_duplicates_everywhere_leave_one_picture_a_class(build):
    vectors = np.repeat(np.eye(16)[:2], 20, axis=0)
    store = build(all=vectors, labels={"all": ["a"] * 20 + ["b"] * 20})
    assert [each.pictures for each in find_typical(store).classes] == [1, 1]


def test_images_without_a_label_are_left_out_and_counted(build):
    store = build(
        all=np.concatenate([around(0, 20, 0.3), around(1, 20, 0.3, axis=1)]),
        labels={"all": ["a"] * 15 + [None] * 5 + ["b"] * 20},
    )
    report = find_typical(store)
    assert report.images == 35
    assert report.notes == ("left out, without a label: 5 images",)


def test_what_cannot_be_compared_is_refused(build):
    store = build(all=around(0, 20, 0.3), other=around(1, 20, 0.3), labels={"all": ["a"] * 20})
    with pytest.raises(UsageError, match=r"all 20 images with a label are of one class \(a\)"):
        find_typical(store)
    with pytest.raises(UsageError, match="no image of task 'things' that is looked at has a label"):
        find_typical(store, TypicalOptions(dataset="other"))
    with pytest.raises(LookupFailed, match="no task 'none'"):
        find_typical(store, TypicalOptions(task="none"))
    with pytest.raises(UsageError, match="count is 1 or more"):
        TypicalOptions(count=0)


def test_no_labels_at_all_are_said(build):
    with pytest.raises(LookupFailed, match="the store has no labels"):
        find_typical(build(all=around(0, 20, 0.3)))


def test_files_have_a_row_for_each_that_is_listed(farm, tmp_path):
    report = find_typical(farm, TypicalOptions(count=3, k=8))
    write_typical(report, tmp_path)
    rows = list(csv.DictReader((tmp_path / "typical.csv").read_text().splitlines()))
    cow = classes(report)["cow"]
    listed = [("typical", each) for each in cow.typical] + [("far", each) for each in cow.far]
    listed += [("astray", each) for each in cow.astray]
    written = [(row["kind"], row["key"]) for row in rows if row["class"] == "cow"]
    assert written == [(kind, each.picture.key) for kind, each in listed]
    assert {row["near"] for row in rows if row["kind"] == "astray"} == {"sheep"}
    assert len((tmp_path / "typical.jsonl").read_text().splitlines()) == 2
