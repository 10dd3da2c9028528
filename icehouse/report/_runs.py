"""Runs as tables: a list, one of them, and what differs between two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.markup import escape

from icehouse.report._tables import SHORT_SPLITS, fill, new_table

if TYPE_CHECKING:
    from icehouse.heads import Run, RunDiff, RunList

NUMBERS = {"top1": "top-1", "f1": "F1", "log_loss": "loss", "ece": "ECE"}
EMPTY: tuple[Any, ...] = (None, "", [], ())
MINUTE = 16  # of 2026-11-21T12:30:59.123456+00:00


def runs_tables(found: RunList, on: str | None = None) -> list[RenderableType]:
    """Return runs in their order, and what a person should know of them.

    Parameters
    ----------
    found : RunList
    on : str, optional
        Split whose numbers are shown; by default the one that says most, run by run.
    """
    columns = ("run", "when (UTC)", "task", "head", "on", "n", *NUMBERS.values())
    table = new_table(f"runs: {len(found.runs):,}", *columns, gap=1)
    table.columns[1].no_wrap = True
    for run in found.runs:
        numbers = run.numbers(on)
        table.add_row(
            run.id[: found.short],
            run.when[:MINUTE].replace("T", " "),
            escape(run.task),
            escape(run.head if run.head == run.kind else f"{run.head} ({run.kind})"),
            _split(on or run.measured_on) if numbers else "",
            f"{numbers['n']:,}" if numbers else "",
            *(_number(numbers.get(name)) for name in NUMBERS),
        )
    lines: list[RenderableType] = [table]
    lines += [f"note: {escape(note)}" for note in found.notes]
    return [*lines, *(f"[red]passed over[/red]: {escape(each)}" for each in found.damaged)]


def run_table(run: Run) -> list[RenderableType]:
    """Return all that is known of one run."""
    table = new_table(f"run {run.id}", "", "")
    rows: list[tuple[str, Any]] = [
        (name.replace("_", " "), escape(str(getattr(run, name))))
        for name in ("when", "task", "head", "kind", "encoder_id")
    ]
    asked = {name: value for name, value in run.options.items() if value not in EMPTY}
    for title, values in (
        ("settings", run.settings),
        *([("chosen", run.chosen)] if run.chosen else []),
        ("options", asked),
        ("data", run.data),
        ("versions", run.versions),
    ):
        rows.append((title, escape(", ".join(f"{k} {_said(v)}" for k, v in values.items()))))
    for split, numbers in run.metrics.items():
        rows.append((split, ", ".join(f"{k} {_said(v)}" for k, v in numbers.items())))
    rows.append(("metrics digest", run.metrics_sha256[:MINUTE]))
    rows.append(("seconds", f"{run.seconds:.1f}"))
    return [fill(table, [*rows, *(("note", escape(note)) for note in run.notes)])]


def run_diff_tables(diff: RunDiff) -> list[RenderableType]:
    """Return what differs between two runs, or that nothing does."""
    recipe = "the same" if diff.same_recipe else "other"
    numbers = "the same, bit for bit" if diff.same_metrics else "other"
    verdict = f"settings and data: {recipe}; numbers: {numbers}"
    if not diff.differences:
        return [verdict]
    table = new_table("", "of", "what", diff.a[:MINUTE], diff.b[:MINUTE], "change")
    for each in diff.differences:
        both = all(type(v) in (int, float) for v in (each.a, each.b))
        change = f"{each.b - each.a:+.4g}" if both and each.of in ("metrics", "data") else ""
        table.add_row(
            each.of, escape(each.name), escape(_said(each.a)), escape(_said(each.b)), change
        )
    return [table, verdict]


def _split(name: str | None) -> str:
    return SHORT_SPLITS.get(name or "", name or "")


def _said(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_said(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = str(value)
    return text[:MINUTE] if len(text) == 64 else text


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
