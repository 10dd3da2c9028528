"""What ``fsck`` found and what ``forget`` removes, for people."""

from __future__ import annotations

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from icehouse.report._tables import fill, new_table
from icehouse.store import Finding, FsckReport, Oblivion

COLOURS = {"damage": "red", "warning": "yellow", "information": "dim"}
SHOWN = 12
ADVICE = (
    "Their bytes go with: icehouse fsck --repair. A source that still has such an image brings it "
    "back as a new one when it is embedded again: remove it there too"
)


def fsck_table(report: FsckReport) -> list[RenderableType]:
    """Return what was found, what was done, and the verdict."""
    shown: list[RenderableType] = []
    if report.findings:
        shown.append(_findings("found", report.findings))
    shown += [f"repaired: {escape(line)}" for line in report.repairs]
    if report.repairs and report.left:
        shown.append(_findings("left", report.left))
    damage = sum(finding.severity == "damage" for finding in report.left)
    checked = f"{report.images:,} images, {report.vectors:,} vectors"
    if report.sound:
        return [*shown, f"{escape(report.path)} is sound: {checked}"]
    ways = "1 way" if damage == 1 else f"{damage:,} ways"
    shown.append(f"{escape(report.path)} is damaged in {ways}; sound are {checked}")
    if any(finding.severity == "damage" and finding.mended for finding in report.left):
        shown.append(f"next: icehouse fsck --repair --store {escape(report.path)}")
    return shown


def forget_table(plan: Oblivion) -> list[RenderableType]:
    """Return what is to be forgotten, and what that does not reach."""
    table = new_table("to be forgotten", "", "")
    rows: list[tuple[str, str]] = [
        (f"images: {len(plan.images):,}", _some([image[:SHOWN] for image in plan.images])),
        (f"catalog rows: {len(plan.rows):,}", _some([f"{d}/{key}" for d, key in plan.rows])),
    ]
    rows += [(f"vectors: {n:,}", escape(encoder)) for encoder, n in plan.vectors.items()]
    if plan.removed:
        rows.append((f"files removed: {len(plan.removed):,}", _some(list(plan.removed))))
    if plan.heads:
        rows.append(("heads that may know them", f"{_some(list(plan.heads))}: fit them again"))
    return [fill(table, rows), ADVICE]


def _findings(title: str, findings: tuple[Finding, ...]) -> Table:
    table = new_table(title, "severity", "what")
    for each in findings:
        colour = COLOURS[each.severity]
        table.add_row(
            f"[{colour}]{each.severity}[/{colour}]",
            f"[bold]{each.kind}[/bold] {escape(each.where)}\n"
            f"{escape(each.what)}\n[dim]{escape(each.remedy)}[/dim]",
        )
    return table


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return escape(", ".join(names[:SHOWN])) + more
