"""The verb that writes a page for people about a task and its head: report."""

from __future__ import annotations

from typing import Annotated

import typer

from icehouse.cli._app import HeadName, Json, LabelsUrl, StorePath, TaskName, app, show


@app.command()
def report(
    store: StorePath,
    task: TaskName = None,
    head: HeadName = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="What to measure on: test, out-of-fold, val, train. Default: the first there is."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.html", help="File or URL. Default: reports/TASK/HEAD.html in the store."
        ),
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Write a page about a task and its head: can it be trusted, and what was measured?"""
    from rich.markup import escape

    from icehouse.heads import choose_head, choose_task
    from icehouse.report import write_page
    from icehouse.store import Store

    opened = Store.open(store, labels)
    stored = choose_head(opened, choose_task(opened, task).name, head)
    written = write_page(opened, stored, out, split)
    cautions = (f"- {caution}" for caution in written.cautions)
    where = f"written: {written.path} ({written.bytes / 1e6:.2f} MB)"
    show([written], json_lines, escape(written.summary), *map(escape, cautions), escape(where))
