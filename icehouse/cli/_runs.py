"""The verb that says what was fitted and what came of it: runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from icehouse.cli._app import Json, LabelsUrl, StorePath, app, show
from icehouse.errors import UsageError


@app.command()
def runs(
    store: StorePath,
    which: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A [B]]", help="Run to show, or two to compare; beginnings of ids will do."
        ),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", "-t", help="Only of this task.")] = None,
    head: Annotated[str | None, typer.Option(help="Only of heads of this name.")] = None,
    sort: Annotated[
        str,
        typer.Option(
            metavar="BY",
            help="time (the newest last), or top1, f1, auc_roc, log_loss, … (the best on top).",
        ),
    ] = "time",
    on: Annotated[
        str | None,
        typer.Option(
            metavar="SPLIT",
            help="train, val, test or out-of-fold. Default: test, or what there is instead.",
        ),
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """List the fits of all heads, show one, or say what differs between two."""
    from icehouse.heads import diff_runs, find_run, list_runs, sort_runs
    from icehouse.report import run_diff_tables, run_table, runs_tables
    from icehouse.store import Store

    opened = Store.open(store, labels)
    named = [find_run(opened, text) for text in which or []]
    if len(named) > 2:
        raise UsageError(f"give no run, one to show, or two to compare; got {len(named)}")
    if len(named) == 2:
        diff = diff_runs(*named)
        show([diff], json_lines, *run_diff_tables(diff))
    elif named:
        show(named, json_lines, *run_table(named[0]))
    else:
        found = list_runs(opened, task, head)
        found = replace(found, runs=tuple(sort_runs(found.runs, sort, on)))
        show([found], json_lines, *runs_tables(found, on=on))
