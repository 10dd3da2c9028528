"""The label log as tables: the history of an image, imports, merges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from icehouse.report._tables import new_table

if TYPE_CHECKING:
    from icehouse.review import History, Imported, Step
    from icehouse.store import Conflict, Merged, Store


def history_table(found: History) -> list[Table | str]:
    """Return what was said of an image, line by line; the present label is bold."""
    title = f"{found.key}  {found.image_id[:12]}, task {found.task}"
    table = new_table("", "seq", "time", "who", "by", "said", "asked because", "note")
    for step in found.steps:
        said = _said(step)
        table.add_row(
            "" if step.seq is None else str(step.seq),
            _time(step.time),
            escape(step.annotator),
            escape(step.origin),
            f"[bold]{said}[/bold]" if step.in_force else said,
            _why(step),
            escape(step.note or ""),
        )
    present = ", ".join(found.labels) if found.labels else "none"
    return [f"[bold]{escape(title)}[/bold]", table, f"present label: {escape(present)}"]


def import_lines(done: Imported) -> list[str]:
    """Return what an import did."""
    lines = [
        f"{done.statements:,} statements read, {done.new:,} of them new; "
        f"the labels of {done.changed:,} images changed"
    ]
    if done.new_classes:
        lines.append(f"new classes: {escape(', '.join(done.new_classes))}")
    if done.outdated:
        lines.append(
            f"{done.outdated:,} rows say something else than the present label, were said before, "
            "and were not taken again"
        )
    if done.unlabelled:
        lines.append(f"{done.unlabelled:,} rows without a label were passed over")
    return lines


def merge_tables(done: Merged, store: Store) -> list[Table | str]:
    """Return what a merge did, and all conflicts."""
    said: list[Table | str] = [
        f"task {escape(done.task)}: {done.events:,} events came over, {done.known:,} were here; "
        f"the labels of {done.changed:,} images changed"
    ]
    if done.new_classes:
        said.append(f"new classes: {escape(', '.join(done.new_classes))}")
    if done.unknown_images:
        said.append(
            f"{done.unknown_images:,} images of the other store are not in this one; "
            "their labels count once they are embedded here"
        )
    if done.conflicts:
        places = store.places()
        title = "conflicts: a person counts before a source, then the later one"
        table = new_table(title, "image", "ours", "theirs", "kept")
        for clash in done.conflicts:
            place = places.get(clash.image_id)
            name = place.key if place else clash.image_id.hex()[:12]
            table.add_row(escape(name), *_both(clash), clash.kept)
        said.append(table)
    return said


def _both(clash: Conflict) -> Sequence[str]:
    return [
        escape(f"{', '.join(event.labels or ())} ({event.annotator}, {_time(event.time)})")
        for event in (clash.ours, clash.theirs)
    ]


def _said(step: Step) -> str:
    if step.what == "undo":
        return f"takes back {step.undoes}" if step.undoes else "takes back an answer"
    words = {"skip": "skipped", "unsure": "cannot tell"}
    return words.get(step.what) or escape(", ".join(step.labels) or "no label")


def _why(step: Step) -> str:
    strategy, probability = step.why.get("strategy"), step.why.get("probability")
    words = [] if strategy is None else [str(strategy)]
    if probability is not None:
        words.append(f"p {probability:.2f}")
    if step.seconds is not None:
        words.append(f"{step.seconds:.1f} s")
    return escape(", ".join(words))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
