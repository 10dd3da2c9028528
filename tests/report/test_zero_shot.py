"""Tables of answers by captions."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from icehouse.report import zero_shot_tables
from icehouse.review import ZeroShotReport
from icehouse.review._zero_shot import _metrics
from icehouse.review._zero_shot_report import Opponent
from icehouse.store import Place


def made(
    classes: tuple[str, ...], labels: list[str | None], head: list[str | None] | None = None
) -> ZeroShotReport:
    """A report in which each image is answered by the next class of the list, at 0.9."""
    count = len(labels)
    proba = np.full((count, len(classes)), 0.1 / (len(classes) - 1), np.float32)
    proba[np.arange(count), np.arange(count) % len(classes)] = 0.9
    sure = np.linspace(0.5, 0.8, count, dtype=np.float32)
    return ZeroShotReport(
        encoder_id="clip-0",
        task="shapes" if any(labels) else None,
        classes=classes,
        prompts={name: (name, f"a {name}") for name in classes},
        scale=100.0,
        places=[Place("photos", f"[b]{i}.png", None, bytes(32)) for i in range(count)],
        labels=labels,
        proba=proba,
        metrics=_metrics(classes, labels, proba),
        head=None if head is None else Opponent("[old]", classes, head, sure),
        notes=("2 images [x] have no features",),
    )


def text(report: ZeroShotReport, top: int = 3) -> str:
    console = Console(width=80, file=io.StringIO())
    for each in zero_shot_tables(report, top):
        console.print(each)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def words_of(shown: str) -> list[list[str]]:
    return [line.split() for line in shown.splitlines()]


def test_labels_and_head_are_set_against_the_answers() -> None:
    report = made(("cat", "dog"), ["cat", "cat", None, "dog"], ["cat", "cat", "dog", None])
    shown = text(report)
    rows = words_of(shown)
    assert ["classes", "2,", "of", "4", "captions"] in rows
    assert ["top-1", "0.667"] in rows
    assert ["agrees", "with", "head", "[old]", "0.333"] in rows
    labels, heads = (
        rows.index([first, "↓", "zero-shot", "→", "cat", "dog"]) for first in ("label", "head")
    )
    assert rows[labels + 1 : labels + 3] == [["cat", "1", "1"], ["dog", "0", "1"]]
    assert rows[heads + 1 : heads + 3] == [["cat", "1", "1"], ["dog", "1", "0"]]
    assert "2 images differ; the first 2" in shown
    first = rows.index(["image", "label", "head", "p", "zero-shot", "p"]) + 1
    assert rows[first] == ["[b]2.png", "dog", "0.70", "cat", "0.90"]
    assert rows[first + 2] == ["[b]1.png", "cat", "cat", "0.60", "dog", "0.90"]
    assert "note: 2 images [x] have no features" in shown


def test_without_labels_and_head_there_are_answers_alone() -> None:
    shown = text(made(("cat", "dog"), [None] * 5))
    assert "5 images answered; the first 3" in shown
    for absent in ("top-1", "confus", "agrees", "head"):
        assert absent not in shown
    assert "the first 5" in text(made(("cat", "dog"), [None] * 5), top=12)


def test_a_head_that_agrees_has_no_differences() -> None:
    shown = text(made(("cat", "dog"), ["cat", "dog"], ["cat", "dog"]))
    assert "agrees with head [old]  1.000" in shown
    assert "differ" not in shown


def test_many_classes_are_shown_by_what_is_confused_most() -> None:
    classes = tuple(f"class {number}" for number in range(10))
    labels: list[str | None] = [classes[i % 10] for i in range(30)]
    labels[3] = labels[13] = labels[24] = "class 9"
    rows = words_of(text(made(classes, labels)))
    first = rows.index(["label", "zero-shot", "images"])
    assert rows[first + 1 : first + 3] == [
        ["class", "9", "class", "3", "2"],
        ["class", "9", "class", "4", "1"],
    ]
    assert "top-5" in {row[0] for row in rows if row}
