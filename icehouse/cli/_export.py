"""The verb that hands a head to programs without icehouse: export."""

from __future__ import annotations

from typing import Annotated

import typer

from icehouse.cli._app import HeadName, Json, LabelsUrl, StorePath, TaskName, app, show


@app.command()
def export(
    store: StorePath,
    head: HeadName = None,
    task: TaskName = None,
    out: Annotated[
        str | None, typer.Option(metavar="FILE.onnx", help="File or URL. Default: TASK-HEAD.onnx.")
    ] = None,
    with_encoder: Annotated[
        bool, typer.Option("--with-encoder", help="From pictures, not from features.")
    ] = False,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Write a head as ONNX, checked against its own answers."""
    from icehouse.heads import choose_head, choose_task, export_head
    from icehouse.report import export_table
    from icehouse.store import Store

    opened = Store.open(store, labels)
    stored = choose_head(opened, choose_task(opened, task).name, head)
    file = out or f"{stored.card.task}-{stored.card.name}.onnx"
    exported = export_head(opened, stored, file, with_encoder=with_encoder)
    show([exported], json_lines, export_table(exported))
