"""Tables and sheets of what curation found."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from icehouse.report import (
    gaps_sheet,
    gaps_tables,
    outliers_sheet,
    outliers_table,
    typical_sheet,
    typical_table,
)
from icehouse.review import (
    ClassPictures,
    Gap,
    GapReport,
    Member,
    Outlier,
    OutlierReport,
    Picture,
    TypicalReport,
)

BLUE, OCHRE = (31, 111, 235), (181, 132, 7)


@pytest.fixture
def picture(tmp_path):
    def picture(name, label=None, colour="red"):
        path = tmp_path / name
        Image.new("RGB", (40, 30), colour).save(path)
        return Picture("ab" * 32, "photos", name, None, str(path), label and (label,))

    return picture


def printed(*tables, width=110):
    console = Console(file=io.StringIO(), width=width)
    for table in tables:
        console.print(table)
    return console.file.getvalue()


def pixels(path):
    with Image.open(path) as sheet:
        return np.asarray(sheet)


def count(drawn, colour):
    return int((drawn == colour).all(axis=2).sum())


def outliers(picture, number):
    found = [
        Outlier((picture(f"{n}.png", "cat"),) * (n + 1), 0.5, 1.25, picture("near.png"), 0.625)
        for n in range(number)
    ]
    return OutlierReport("t", "e", 10, 1234, 1200, 0.2, found, ())


def test_outliers_are_listed_with_what_is_like_them(picture):
    text = printed(outliers_table(outliers(picture, 5), top=3))
    for said in (
        "least like the others, of 1,200 different pictures",
        "0.png",
        "2 ×2",
        "3 ×3",
        "0.500",
        "1.25",
        "near.png",
        "0.625",
    ):
        assert said in text, said
    assert "3.png" not in text


def test_outliers_are_drawn_eight_in_a_row(picture, tmp_path):
    one, two = (
        pixels(outliers_sheet(outliers(picture, n), tmp_path / "sheet.png")) for n in (8, 9)
    )
    assert count(one, (255, 0, 0)) == 8 * 132 * 99
    assert count(two, (255, 0, 0)) == 9 * 132 * 99
    assert two.shape[0] - one.shape[0] == one.shape[0] - 56


def a_class(picture, name, far=3, astray=0, typical=8):
    def some(number, own, other):
        return tuple(
            Member(picture(f"{name}{own}{n}.png", name), n + 1, own, other, ("[dog]",))
            for n in range(number)
        )

    near = some(astray, 0.5, 0.75)
    return ClassPictures(
        name, 300, 290, 0.8, some(typical, 0.9, 0.4), some(far, 0.3, 0.2), near, 40
    )


def typical(*classes):
    return TypicalReport("t", "e", 10, 1000, list(classes), ())


def test_classes_are_listed_with_what_is_astray(picture):
    text = printed(
        typical_table(typical(a_class(picture, "cat", astray=2), a_class(picture, "[b]")))
    )
    for said in ("t: 1,000 labelled images, by their 10 nearest", "cat0.90.png", "[dog]", "[b]"):
        assert said in text, said
    assert "cat0.50.png" in text


def test_each_class_has_two_rows_and_what_is_astray_is_in_colour(picture, tmp_path):
    calm, wrong, many = (
        pixels(typical_sheet(typical(*some), tmp_path / "sheet.png", top=2))
        for some in (
            [a_class(picture, "cat")],
            [a_class(picture, "cat", far=8, astray=8)],
            [a_class(picture, name) for name in ("cat", "dog", "emu")],
        )
    )
    one = 132 * 99
    assert count(calm, (255, 0, 0)) == 11 * one
    assert count(wrong, (255, 0, 0)) == 16 * one
    assert count(many, (255, 0, 0)) == 22 * one
    assert count(calm, OCHRE) == 0
    assert count(wrong, OCHRE) > 20
    assert count(calm, BLUE) > 20


def test_a_class_of_one_picture_is_drawn(picture, tmp_path):
    alone = Member(picture("dodo.png", "dodo"), 1, None, 0.2, ("cat",))
    report = typical(ClassPictures("dodo", 1, 1, None, (alone,), (), (), 0))
    assert count(pixels(typical_sheet(report, tmp_path / "sheet.png", 1)), (255, 0, 0)) == 132 * 99
    assert "dodo.png" in printed(typical_table(report))


def gaps(picture, *sizes, covers=False, shared=0):
    found = [
        Gap(
            tuple(picture(f"{n}-{i}.png", "elk") for i in range(size)),
            (0.5,) * size,
            (2.5,) * size,
            picture("known.png", colour="lime"),
        )
        for n, size in enumerate(sizes)
    ]
    uncovered = sum(sizes) + 3 if sizes else 0
    return GapReport(
        "old", "new", "t", "e", 900, 200, shared, 0.99, 0.25, 1.5, uncovered, covers, found, 3, ()
    )


def test_the_table_says_plainly_whether_a_covers_b(picture):
    lacking = printed(*gaps_tables(gaps(picture, 9, 2), top=1))
    for said in (
        "old does not cover new",
        "14 (7.0% of new)",
        "what old lacks, in 2 groups; 3 more images are in none",
        "0.500 | 2.50",
        "0.250 | 1.50",
        "0-0.png",
        "known.png",
        "elk",
    ):
        assert said in lacking, said
    assert "1-0.png" not in lacking
    assert "old covers new" in printed(*gaps_tables(gaps(picture, covers=True), 9))
    held = gaps(picture, covers=True, shared=200)
    assert "200, all of new" in printed(*gaps_tables(held, 9))


def test_each_gap_is_a_row_that_ends_with_what_a_has(picture, tmp_path):
    drawn = pixels(gaps_sheet(gaps(picture, 9, 2, 1), tmp_path / "sheet.png", top=2))
    assert count(drawn, (255, 0, 0)) == (7 + 2) * 132 * 99
    assert count(drawn, (0, 255, 0)) == 2 * 132 * 99
