"""An exported head as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from icehouse.report._tables import fill, new_table

if TYPE_CHECKING:
    from icehouse.heads import HeadExport


def export_table(export: HeadExport) -> Table:
    """Return what was written, and how near its answers are to the head's."""
    rows: list[tuple[str, Any]] = [
        ("file", escape(export.path)),
        ("size", f"{export.bytes:,} bytes"),
        ("head", escape(f"{export.head} ({export.kind}) of task {export.task}")),
        ("encoder", export.encoder_id),
        ("from", export.inputs),
        ("largest difference", f"{export.difference:.1e} on {export.checked:,} stored features"),
    ]
    if export.picture_difference is not None:
        pictures = f"{export.picture_difference:.1e} on {export.pictures} drawn pictures"
        rows.append(("with the encoder", pictures))
    return fill(
        new_table("exported", "", ""), [*rows, *(("note", escape(n)) for n in export.notes)]
    )
