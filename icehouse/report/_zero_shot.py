"""What ``zero-shot`` found, as tables for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from icehouse.report._cells import ImageCell, NamesCell
from icehouse.report._tables import fill, new_table

if TYPE_CHECKING:
    from icehouse.review import ZeroShotAnswer, ZeroShotReport

MAX_COLUMNS = 8
NEXT = 3


def zero_shot_tables(report: ZeroShotReport, top: int) -> list[RenderableType]:
    """Return the first answers, how good they are, and where a head says something else.

    Parameters
    ----------
    report : ZeroShotReport
    top : int
        Rows of each table of images.
    """
    shown: list[RenderableType] = [
        _answers_table(report, min(top, len(report))),
        _summary_table(report),
    ]
    if report.metrics is not None:
        shown.append(_confusion_table("label", report.confusion()))
    if report.head is not None:
        shown.append(_confusion_table("head", report.head_confusion()))
        rows = report.differing()
        if rows:
            some = report.answers(rows[:top])
            shown.append(_differences_table(some, len(rows), min(top, len(rows))))
    return [*shown, *(f"note: {escape(note)}" for note in report.notes)]


def _answers_table(report: ZeroShotReport, top: int) -> Table:
    title = f"{len(report):,} images answered; the first {top}"
    table = new_table(title, "image", "answer", "p", "next", "label")
    for each in report.answers(range(top)):
        rest = list(each.probabilities.items())[1 : 1 + NEXT]
        table.add_row(
            _image(each),
            _names(each.predicted),
            f"{each.probability:.2f}",
            NamesCell(", ".join(f"{name} {p:.2f}" for name, p in rest)),
            _names(each.labels),
        )
    return table


def _summary_table(report: ZeroShotReport) -> Table:
    captions = sum(map(len, report.prompts.values()))
    rows = [
        ("encoder", report.encoder_id),
        ("classes", f"{len(report.classes):,}, of {captions:,} captions"),
    ]
    if (measured := report.metrics) is not None:
        rows += [
            ("labelled images", f"{measured.n:,}"),
            ("top-1", f"{measured.top1:.3f}"),
            *([("top-5", f"{measured.top5:.3f}")] if measured.top5 is not None else []),
            ("F1", f"{measured.f1:.3f}"),
            *([("AUC", f"{measured.auc_roc:.3f}")] if measured.auc_roc is not None else []),
            ("ECE", f"{measured.ece:.3f}"),
        ]
    if report.head is not None:
        rows.append((f"agrees with head {escape(report.head.name)}", f"{report.agreement:.3f}"))
    return fill(new_table("zero-shot", "", ""), rows)


def _confusion_table(other: str, pairs: Counter[tuple[str, str]]) -> Table:
    """Return a matrix, or, where that would not fit, the most frequent confusions."""
    names = sorted({name for pair in pairs for name in pair})
    if len(names) > MAX_COLUMNS:
        wrong = [(pair, count) for pair, count in pairs.most_common() if pair[0] != pair[1]]
        table = new_table("most frequently confused", other, "zero-shot", "images")
        for (one, answer), count in wrong[: 2 * MAX_COLUMNS]:
            table.add_row(escape(one), escape(answer), f"{count:,}")
        return table
    table = new_table("confusion", f"{other} ↓  zero-shot →", *map(escape, names))
    for column in table.columns[1:]:
        column.justify = "right"
    for one in names:
        table.add_row(escape(one), *(f"{pairs[one, answer]:,}" for answer in names))
    return table


def _differences_table(answers: Iterable[ZeroShotAnswer], count: int, top: int) -> Table:
    title = f"{count:,} images differ; the first {top}"
    table = new_table(title, "image", "label", "head", "p", "zero-shot", "p")
    for each in answers:
        table.add_row(
            _image(each),
            _names(each.labels),
            _names(each.head_predicted),
            f"{each.head_probability:.2f}",
            _names(each.predicted),
            f"{each.probability:.2f}",
        )
    return table


def _image(answer: ZeroShotAnswer) -> ImageCell:
    return ImageCell(answer.key, answer.image_id)


def _names(names: tuple[str, ...] | None) -> NamesCell:
    return NamesCell("" if names is None else ", ".join(names))
