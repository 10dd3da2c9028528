import io
from dataclasses import replace

import pytest
from rich.console import Console

from icehouse.heads import load_head
from icehouse.report import contact_sheet, label_issues_table
from icehouse.review import Neighbour, label_issues


@pytest.fixture
def report(fitted):
    return label_issues(fitted, load_head(fitted, "shapes", "logistic"), min_score=0)


def text(table, width=160):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_the_first_are_shown_with_what_speaks_against_them(report):
    shown = text(label_issues_table(report, 3))
    first = report.issues[0]
    assert "40 labels of 40 images that may be wrong; the first 3" in shown
    for word in (first.key, first.image_id[:12], first.suggested[0], first.head, first.around):
        assert word in shown
    assert shown.count(".png") == 3
    assert "copies" not in shown


def test_copies_have_a_column_where_there_are_any(report):
    copy = Neighbour("ab", "shapes", "[red]x.png", None, None, ("[b]",), 0.991)
    found = replace(report, issues=[replace(report.issues[0], copies=(copy,), suggested=())])
    shown = text(label_issues_table(found, 3))
    assert "copies" in shown
    assert "[red]x.png is [b] (0.99)" in shown
    assert " - " in shown


def test_nothing_found_is_said(report):
    shown = text(label_issues_table(replace(report, issues=[]), 3))
    assert "0 labels of 40 images that may be wrong" in shown
    assert "the first" not in shown


def test_issues_are_drawn_as_flags_are(report, tmp_path):
    path = tmp_path / "issues.png"
    assert contact_sheet(report.issues[:2], path, "issues") == str(path)
    assert path.stat().st_size > 10_000
