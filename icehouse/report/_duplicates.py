"""Files that show one picture, as a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from icehouse.report._cells import ImageCell, NamesCell
from icehouse.report._tables import fill, new_table

if TYPE_CHECKING:
    from icehouse.review import Copy, DuplicateReport

SHOWN_FILES = 4


def duplicates_tables(report: DuplicateReport, top: int) -> list[Table]:
    """Return the first clusters, a row a file, and how many there are of each kind."""
    shown = report.clusters[:top]
    title = f"no duplicates among {report.images:,} images"
    if shown:
        title = f"{len(report.clusters):,} pictures in several files, of {report.images:,} images"
        title += f"; the first {len(shown)}"
    several = any(each.across for each in shown)
    columns = ("image", *(["dataset"] if several else []), "label", "split", "because", "flags")
    table = new_table(title, *columns, gap=1)
    for number, cluster in enumerate(shown):
        if number:
            table.add_section()
        for at, copy in enumerate(cluster.copies[:SHOWN_FILES]):
            table.add_row(
                ImageCell(copy.key, copy.image_id),
                *([escape(copy.dataset)] if several else []),
                NamesCell(said_of(copy)),
                copy.split or "",
                "" if at else NamesCell(cluster.evidence),
                "" if at else "\n".join(cluster.flags),
            )
        if (more := len(cluster.copies) - SHOWN_FILES) > 0:
            table.add_row(f"and {more:,} more", *[""] * (len(columns) - 1))
    counts = new_table("duplicates", "", "clusters")
    return [table, fill(counts, ((name, f"{n:,}") for name, n in report.counts.items()))]


def said_of(copy: Copy, names: Mapping[str, str] | None = None) -> str:
    """Return the labels of a file: what its source says, and what is in force where that differs.

    Parameters
    ----------
    copy : Copy
    names : mapping of str to str, optional
        What labels are called here.

    Examples
    --------
    >>> from icehouse.review import Copy
    >>> said_of(Copy("", "a", "1.jpg", None, None, ("cat",), ("dog",), "pets", None))
    'dog (now cat)'
    """
    names = names or {}
    said, now = (
        ", ".join(names.get(label, label) for label in each or ())
        for each in (copy.said, copy.labels)
    )
    if copy.labels is None or said == now:
        return said or "-"
    return f"{said} (now {now})" if said else now
