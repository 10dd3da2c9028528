"""Simulations as tables for a terminal: labels needed and saved, and accuracy by labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from icehouse.report._tables import new_table

if TYPE_CHECKING:
    from icehouse.review import Curve, Needed, Simulation

SHOWN = 6  # numbers of labels in the table of accuracies
SPLITS = {"test": "test", "val": "validation"}
EXPLAINED = (
    "labels: until the mean curve reaches the share of the accuracy that all labels give; saving: "
    "against drawing at random. Brackets are 95 % intervals over the seeds; – is beyond the budget"
)


def simulation_tables(simulation: Simulation) -> list[Table | str]:
    """Return labels needed by each strategy, accuracies, and notes."""
    shares = [need.share for need in simulation.curves[0].needed]
    columns = [name for share in shares for name in (f"labels\nfor {share:.0%}", "saving")]
    table = new_table("", "strategy", "head", *columns)
    for curve in simulation.curves:
        cells = [text for need in curve.needed for text in needed_cells(need, "\n")]
        table.add_row(curve.strategy, curve.head, *cells)
    sizes = shown_sizes(simulation)
    by_labels = new_table("accuracy by labels", "strategy", "head", *map(str, sizes))
    for curve in simulation.curves:
        by_labels.add_row(curve.strategy, curve.head, *accuracy_cells(curve, sizes, "\n"))
    for shown in (table, by_labels):
        for column in shown.columns:
            column.no_wrap = True
    notes = (f"note: {escape(note)}" for note in simulation.notes)
    title = f"[bold]{escape(simulation_title(simulation))}[/bold]"
    return [title, table, by_labels, f"[dim]{EXPLAINED}[/dim]", *full_lines(simulation), *notes]


def simulation_title(simulation: Simulation) -> str:
    """Return what was replayed, on what."""
    return (
        f"{simulation.task}: labels chosen among {simulation.pool:,} images, "
        f"{simulation.images:,} {SPLITS[simulation.split]} images, {simulation.encoder}, "
        f"{simulation.seeds} seeds"
    )


def full_lines(simulation: Simulation) -> list[str]:
    """Return what each head comes to with all labels."""
    full = {curve.head: curve.full for curve in simulation.curves}
    return [
        f"with all {simulation.pool:,} labels {head} reaches {accuracy:.3f}"
        for head, accuracy in full.items()
    ]


def shown_sizes(simulation: Simulation) -> list[int]:
    """Return some of the numbers of labels, the last among them."""
    sizes = sorted({point.labels for curve in simulation.curves for point in curve.points})
    step = max(1, -(-len(sizes) // SHOWN))
    return sizes[::-1][::step][::-1]


def needed_cells(need: Needed, between: str) -> list[str]:
    """Return labels and saving, each with its interval."""
    labels = "–" if need.labels is None else f"{need.labels:,.0f}"
    saving = "" if need.saving is None else f"{need.saving:.0%}"
    if need.labels is not None and need.low is not None:
        high = "–" if need.high is None else f"{need.high:,.0f}"
        labels += f"{between}[{need.low:,.0f}, {high}]"
    if need.saving is not None and need.saving_low != need.saving_high:
        ends = ("–" if v is None else f"{v:.0%}" for v in (need.saving_low, need.saving_high))
        saving += f"{between}[{', '.join(ends)}]"
    return [labels, saving]


def accuracy_cells(curve: Curve, sizes: list[int], between: str) -> list[str]:
    """Return accuracies at some numbers of labels, each with its interval."""
    points = {point.labels: point for point in curve.points}
    cells = []
    for size in sizes:
        point = points.get(size)
        text = "" if point is None else f"{point.accuracy:.3f}"
        if point is not None and point.low is not None and point.high is not None:
            text += f"{between}±{(point.high - point.low) / 2:.3f}"
        cells.append(text)
    return cells
