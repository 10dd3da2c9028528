"""Verbs that take care of a store: fsck, forget."""

from __future__ import annotations

from typing import Annotated

import typer

from icehouse.cli._app import Json, LabelsUrl, StorePath, app, echo, show


@app.command()
def fsck(
    store: StorePath,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended, and compact.")
    ] = False,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Prove that a store is sound; exit with 1 where it is damaged."""
    from icehouse.report import fsck_table
    from icehouse.store import fsck as run

    report = run(store, repair=repair, labels=labels)
    show([report], json_lines, *fsck_table(report))
    if not report.sound:
        raise typer.Exit(1)


@app.command()
def forget(
    store: StorePath,
    image: Annotated[
        list[str] | None,
        typer.Option(help="Key (its parts go too), or image_id or its beginning. Repeatable."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="All of this dataset instead.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Forget images: no verb shows them any more, and fsck --repair removes their bytes."""
    from icehouse.report import forget_table
    from icehouse.store import Store, plan_forget
    from icehouse.store import forget as run

    opened = Store.open(store, labels)
    plan = plan_forget(opened, image or [], dataset)
    if not yes:
        echo(*forget_table(plan))
        typer.confirm("Forget all this?", abort=True)
    run(opened, plan)
    show([plan], json_lines, *(forget_table(plan) if yes else ()), "forgotten")
