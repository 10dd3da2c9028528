"""Labels that are probably wrong, as a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from icehouse.report._cells import ImageCell, NamesCell
from icehouse.report._tables import new_table

if TYPE_CHECKING:
    from icehouse.review import LabelIssueReport


def label_issues_table(report: LabelIssueReport, top: int) -> Table:
    """Return the labels that are most probably wrong, and who says so."""
    shown = report.issues[:top]
    title = f"{len(report.issues):,} labels of {report.images:,} images that may be wrong"
    title += f"; the first {len(shown)}" if shown else ""
    copies = ["copies"] if any(each.copies for each in shown) else []
    columns = ("image", "label", "suggested", "wrong", "head", "neighbours", *copies)
    table = new_table(title, *columns, gap=1)
    for each in shown:
        table.add_row(
            ImageCell(each.key, each.image_id),
            NamesCell(", ".join(each.labels) or "-"),
            NamesCell(", ".join(each.suggested) or "-"),
            f"{each.score:.2f}",
            NamesCell(each.head),
            NamesCell(each.around),
            *([NamesCell(each.said_of_copies)] if copies else []),
        )
    return table
