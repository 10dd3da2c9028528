"""Cells that are narrower than what they say."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from icehouse.report._cells import ImageCell, NamesCell

KEY = "photos/n02085936-Maltese_dog/n02085936_10073.jpg"


def lines(cell, width):
    table = Table(box=None, show_header=False, padding=0)
    table.add_row(cell)
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [12, 20, 47])
def test_the_end_of_a_key_stays_in_one_line(width):
    first, second = lines(ImageCell(KEY, "ab" * 32), width)
    assert first == "…" + KEY[-(width - 1) :]
    assert second == "ab" * 6


def test_a_key_that_fits_is_whole_and_no_image_has_no_identity():
    assert lines(ImageCell(KEY, "ab" * 32), 48)[0] == KEY
    assert lines(ImageCell("[red]odd[/red].png", ""), 30) == ["[red]odd[/red].png"]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (60, ["3× n02085936-Maltese_dog, 2× n02098413-Lhasa"]),
        (30, ["3× n02085936-Maltese_dog,", "2× n02098413-Lhasa"]),
        (20, ["3× n0208…altese_dog,", "2× n02098413-Lhasa"]),
        (10, ["3×", "n02…e_dog,", "2×", "n02…-Lhasa"]),
    ],
)
def test_names_are_not_broken_over_lines(width, shown):
    assert lines(NamesCell("3× n02085936-Maltese_dog, 2× n02098413-Lhasa"), width) == shown


def test_names_with_spaces_and_none_at_all():
    assert lines(NamesCell("sea lake, river"), 9) == ["sea lake,", "river"]
    assert lines(NamesCell("sea lake, river"), 5) == ["sea", "lake,", "river"]
    assert lines(NamesCell(""), 5) == [""]
