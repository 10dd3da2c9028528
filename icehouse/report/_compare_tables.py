"""Comparisons as tables for a terminal, with the best of each number in bold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from icehouse.report._tables import new_table

if TYPE_CHECKING:
    from icehouse.heads import Comparison, Contender, LabelCounts, LabelCurve

FULL_NAMES = {"test": "test", "val": "validation"}
EXPLAINED = "≈ cannot be told from the best: p is 0.05 or more (paired exact test, Holm)"


@dataclass(frozen=True)
class Column:
    """A number of a contender.

    ``name`` is its name in files, ``best`` says which value is best, if any, and ``below`` that a
    terminal, which is not wide, has it below the number before.
    """

    name: str
    title: str
    of: Callable[[Contender], float | None]
    shown: str = "{:.3f}"
    best: Callable[[Sequence[float]], float] | None = max
    below: bool = False


COLUMNS = (
    Column("accuracy", "accuracy", lambda c: c.metrics.top1),
    Column("train", "train", lambda c: c.train, best=None),
    Column("val", "val", lambda c: c.val, best=None, below=True),
    Column("top5", "top-5", lambda c: c.metrics.top5),
    Column("recall", "recall", lambda c: c.metrics.recall),
    Column("f1", "F1", lambda c: c.metrics.f1),
    Column("auc_roc", "AUC", lambda c: c.metrics.auc_roc),
    Column("ece", "ECE", lambda c: c.metrics.ece, best=min),
    Column("fit_seconds", "fit s", lambda c: c.fit_seconds, "{:.2f}", min),
    Column("predict_rate", "images/s", lambda c: c.predict_rate, "{:,.0f}", below=True),
)
OF_ENCODERS = (
    Column("encode_rate", "embed images/s", lambda c: c.encode_rate, "{:,.0f}", None),
    Column("dim", "dim", lambda c: c.dim, "{:,}", None),
    Column("bytes_per_image", "bytes/image", lambda c: c.bytes_per_image, "{:,}", None),
)


def comparison_tables(comparison: Comparison) -> list[Table | str]:
    """Return the contenders, what the encoders cost, and notes."""
    contenders = comparison.contenders
    columns = shown_columns(comparison)
    table = new_table("", "head", *_lines(columns, [c.title for c in columns]), "vs best", gap=1)
    best = {column.name: best_of(column, contenders) for column in columns}
    for each in contenders:
        cells = []
        for column in columns:
            value = column.of(each)
            text = cell(column, value)
            cells.append(f"[bold]{text}[/bold]" if text and text == best[column.name] else text)
        cells[0] += f"\n[dim]{each.low:.2f}–{each.high:.2f}[/dim]"
        if each.spread is not None:
            cells[0] += f"\n[dim]±{each.spread:.3f}[/dim]"
        table.add_row(_both(each), *_lines(columns, cells), against_best(each))
    for column_shown in table.columns[1:]:
        column_shown.no_wrap = True
    said: list[Table | str] = [_bold(title_of(comparison)), table]
    if any(each.like_best for each in contenders[1:]):
        said.append(f"[dim]{EXPLAINED}[/dim]")
    encoders = new_table("encoders", "encoder", *(c.title for c in OF_ENCODERS), "near-duplicates")
    for each in {c.encoder: c for c in contenders}.values():
        costs = [cell(column, column.of(each)) for column in OF_ENCODERS]
        twins = f"{comparison.near_duplicates.get(each.encoder, 0):,}"
        encoders.add_row(escape(each.encoder), *costs, twins)
    return [*said, encoders, *(f"note: {escape(note)}" for note in comparison.notes)]


def label_counts_tables(counts: LabelCounts) -> list[Table | str]:
    """Return accuracies by the number of labels of each class, and notes."""
    sizes = [point.count for point in counts.curves[0].points]
    table = new_table("", "head", *map(str, sizes), gap=1)
    best = [max(f"{c.points[i].accuracy:.3f}" for c in counts.curves) for i in range(len(sizes))]
    for curve in counts.curves:
        cells = []
        for point, top in zip(curve.points, best, strict=True):
            text = f"{point.accuracy:.3f}"
            spread = "" if point.spread is None else f"\n[dim]±{point.spread:.3f}[/dim]"
            cells.append((f"[bold]{text}[/bold]" if text == top else text) + spread)
        table.add_row(_both(curve), *cells)
    for column in table.columns[1:]:
        column.no_wrap = True
    notes = (f"note: {escape(note)}" for note in counts.notes)
    return [_bold(labels_title_of(counts)), table, *notes]


def _lines(columns: Sequence[Column], cells: Sequence[str]) -> list[str]:
    """Put what is to be below another number there."""
    lines: list[str] = []
    for column, text in zip(columns, cells, strict=True):
        if column.below:
            lines[-1] += f"\n{text}"
        else:
            lines.append(text)
    return lines


def shown_columns(comparison: Comparison) -> list[Column]:
    """Return the columns that have a number in any row."""
    return [c for c in COLUMNS if any(c.of(each) is not None for each in comparison.contenders)]


def best_of(column: Column, contenders: Sequence[Contender]) -> str | None:
    """Return the best value of a column as it is shown."""
    values = [value for each in contenders if (value := column.of(each)) is not None]
    return cell(column, column.best(values)) if column.best and values else None


def cell(column: Column, value: float | None) -> str:
    """Return a value as it is shown."""
    return "" if value is None else column.shown.format(value)


def against_best(each: Contender) -> str:
    """Return whether a contender can be told from the best."""
    if each.p is None:
        return "best"
    p = "p<0.001" if each.p < 0.001 else f"p={each.p:.3f}" if each.p < 0.1 else f"p={each.p:.2f}"
    return f"≈ {p}" if each.like_best else p


def title_of(comparison: Comparison) -> str:
    """Return what was compared, on what."""
    text = (
        f"{comparison.task}: {comparison.images:,} {FULL_NAMES[comparison.split]} images, "
        f"{comparison.trained:,} to train on"
    )
    return text + (f", means of {comparison.seeds} seeds" if comparison.seeds > 1 else "")


def labels_title_of(counts: LabelCounts) -> str:
    """Return what was measured, on what."""
    text = (
        f"{counts.task}: accuracy on {counts.images:,} {FULL_NAMES[counts.split]} images by labels "
        "of each class"
    )
    return text + (f", means of {counts.seeds} draws" if counts.seeds > 1 else "")


def _both(each: Contender | LabelCurve) -> str:
    """Return head and encoder in two lines: names of encoders are long."""
    return f"{each.called}\n[dim]{escape(each.encoder)}[/dim]"


def _bold(title: str) -> str:
    """Return a title that is not as narrow as its table."""
    return f"[bold]{escape(title)}[/bold]"
