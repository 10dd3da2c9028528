import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from icehouse.report import duplicates_sheet, duplicates_tables
from icehouse.review import Cluster, Copy, DuplicateReport


@pytest.fixture
def copy(tmp_path):
    def copy(name, said="cat", dataset="photos", labels=None):
        path = tmp_path / name
        Image.new("RGB", (40, 30), "red").save(path)
        now = None if labels is None else (labels,)
        return Copy("ab" * 32, dataset, name, None, str(path), now, (said,), "t", "train")

    return copy


def cluster(*copies, **flags):
    usual = {"kind": "near", "conflict": False, "same_file": False, "leak": False, "across": False}
    return Cluster(copies, **usual | flags)


def printed(report, top=12, width=100):
    console = Console(file=io.StringIO(), width=width)
    for table in duplicates_tables(report, top):
        console.print(table)
    return console.file.getvalue()


def test_the_table_says_what_differs_and_why_it_is_one_picture(copy):
    wrong = cluster(
        copy("1.png", labels="cat"),
        copy("2.png", "dog", labels="cat"),
        conflict=True,
        leak=True,
        distance=3,
        correlation=0.971,
        mirrored=True,
    )
    many = cluster(*(copy(f"{n}.png") for n in range(7)), kind="exact", across=True)
    text = printed(DuplicateReport("t", 1200, [wrong, many], ()))
    for said in (
        "2 pictures in several files, of 1,200 images",
        "dog (now cat)",
        "3 bits, 0.97, mirrored",
        "labels differ",
        "across splits",
        "same bytes",
        "and 3 more",
    ):
        assert said in text, said
    first = printed(DuplicateReport("t", 1200, [wrong, many], ()), top=1)
    assert "and 3 more" not in first


def test_nothing_found_is_a_table_too():
    assert "no duplicates among 5 images" in printed(DuplicateReport(None, 5, [], ()))


def test_the_sheet_has_a_row_a_cluster_and_marks_conflicts(copy, tmp_path):
    calm = cluster(copy("1.png"), copy("2.png"))
    wrong = cluster(copy("3.png"), copy("4.png", "dog"), conflict=True)
    moved = cluster(
        Copy("cd" * 32, "x", "gone.png", None, None, None, None, None, None), copy("5.png")
    )
    drawn = [
        np.asarray(Image.open(duplicates_sheet(each, tmp_path / "sheet.png", "pictures")))
        for each in ([calm], [wrong], [calm, wrong, moved])
    ]

    def red(pixels):
        return int(((pixels == (207, 34, 46)).all(axis=2)).sum())

    assert red(drawn[0]) == 0
    assert red(drawn[1]) > 20
    assert drawn[2].shape[0] > drawn[0].shape[0] * 2
    assert (drawn[0] == (255, 0, 0)).all(axis=2).sum() == 2 * 150 * 112
