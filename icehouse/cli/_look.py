"""Verbs that say where to look: flag, label-issues."""

from __future__ import annotations

from typing import Annotated

import typer

from icehouse.cli._app import (
    Coverage,
    HeadName,
    Json,
    LabelsUrl,
    StorePath,
    TaskName,
    app,
    noted,
    show,
)


@app.command()
def flag(
    store: StorePath,
    head: HeadName = None,
    task: TaskName = None,
    committee: Annotated[
        list[str] | None,
        typer.Option(help="Another head to compare with. Repeatable. Default: all of the task."),
    ] = None,
    band: Annotated[
        float, typer.Option(min=0, max=1, help="Near the threshold: within this.")
    ] = 0.1,
    min_probability: Annotated[
        float, typer.Option(min=0, max=1, help="Low probability: below this.")
    ] = 0.6,
    min_margin: Annotated[
        float, typer.Option(min=0, max=1, help="Small margin: below this.")
    ] = 0.2,
    coverage: Coverage = None,
    folds: Annotated[int, typer.Option(min=2, help="For out-of-fold probabilities.")] = 5,
    order: Annotated[str, typer.Option(help="doubt or ambiguity.")] = "doubt",
    top: Annotated[int, typer.Option(min=1, help="Rows in the table and on the sheet.")] = 12,
    out: Annotated[
        str | None, typer.Option(help="Folder or URL for the files. Default: the head's.")
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Name the images that a person should look at again, and why."""
    from icehouse.heads import choose_head, choose_task
    from icehouse.report import contact_sheet, counts_table, flags_table
    from icehouse.review import FlagSettings, write_flags
    from icehouse.review import flag as run
    from icehouse.store import Store

    opened = Store.open(store, labels)
    stored = choose_head(opened, choose_task(opened, task).name, head)
    settings = FlagSettings(
        band=band, min_probability=min_probability, min_margin=min_margin, coverage=coverage
    )
    report = run(opened, stored, settings, committee=committee, folds=folds, order=order)
    folder = out or f"{store.rstrip('/')}/{stored.card.folder}"
    written = write_flags(report, folder)
    if report.flags:
        title = f"{stored.card.task}: {len(report.flags)} of {report.images} images to look at"
        written.append(contact_sheet(report.flags[:top], f"{folder}/flags.png", title))
    lines = [*noted(stored.set_notes(coverage)), *(f"written: {path}" for path in written)]
    show(report.flags, json_lines, flags_table(report, top), counts_table(report), *lines)


@app.command()
def label_issues(
    store: StorePath,
    head: HeadName = None,
    task: TaskName = None,
    folds: Annotated[int, typer.Option(min=2, help="For out-of-fold probabilities.")] = 5,
    min_score: Annotated[
        float, typer.Option(min=0, max=1, help="List labels that are this probably wrong.")
    ] = 0.5,
    top: Annotated[int, typer.Option(min=1, help="Rows in the table and on the sheet.")] = 12,
    out: Annotated[
        str | None, typer.Option(help="Folder or URL for the files. Default: the head's.")
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Rank the labels that are probably wrong, with the evidence."""
    from icehouse.heads import choose_head, choose_task
    from icehouse.report import contact_sheet, label_issues_table
    from icehouse.review import label_issues as run
    from icehouse.review import write_label_issues
    from icehouse.store import Store

    opened = Store.open(store, labels)
    stored = choose_head(opened, choose_task(opened, task).name, head)
    report = run(opened, stored, folds=folds, min_score=min_score)
    folder = out or f"{store.rstrip('/')}/{stored.card.folder}"
    written = write_label_issues(report, folder)
    if report.issues:
        title = f"{report.task}: {len(report.issues)} labels of {report.images} images to look at"
        sheet = contact_sheet(report.issues[:top], f"{folder}/label-issues.png", title)
        written.append(sheet)
    lines = [*noted(report.notes), *(f"written: {p}" for p in written)]
    show(report.issues, json_lines, label_issues_table(report, top), *lines)
