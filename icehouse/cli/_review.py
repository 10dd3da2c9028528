"""The verb that opens the page on which people label: review."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icehouse.cli._app import HeadName, LabelsUrl, StorePath, TaskName, app, echo
from icehouse.errors import UsageError


@app.command()
def review(
    store: StorePath,
    number: Annotated[
        int | None,
        typer.Argument(help="Of a queue. Default: the newest that is not done, or a new one."),
    ] = None,
    task: TaskName = None,
    head: HeadName = None,
    batch: Annotated[int, typer.Option(min=1, help="Images of a new queue.")] = 200,
    refit_every: Annotated[
        int, typer.Option(min=0, help="Labels after which the head is fitted again; 0: only by r.")
    ] = 25,
    person: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:ROLE:TOKEN", help="Who is let in; owner, reviewer or reader."),
    ] = None,
    people: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same, one in a line.")
    ] = None,
    host: Annotated[str, typer.Option(help="Other machines reach 0.0.0.0.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8400,
    labels: LabelsUrl = None,
) -> None:
    """Open the page on which people look at a queue and label."""
    from icehouse import review as room
    from icehouse import service
    from icehouse.store import Store

    # What is wrong is said before torch is loaded, which takes seconds: names of a room are
    # loaded when they are asked for.
    known = service.People.of(person or [], people)
    with service.listen(host, port, known) as listener:
        opened = Store.open(store, labels)
        options = room.QueueOptions(task=task, head=head, batch=batch)
        chosen = service.choose_queue(opened, number, options)
        if head is not None and head != (own := chosen.settings.get("head")):
            raise UsageError(
                f"queue {chosen.id} is {'of head ' + repr(own) if own else 'of no head'}, not of "
                f"{head!r}; leave --head out, or make one of it: icehouse queue --head {head}"
            )
        desk = service.Desk(opened, chosen.id, service.DeskOptions(refit_every))
        page = service.make_app(desk, known)
        address = f"http://{host}:{listener.getsockname()[1]}/"
        echo(f"queue {chosen.id} of task {chosen.task}: {address}")
        if not known.anybody:
            echo(f"each person opens it by their own token: {address}?token=TOKEN")
        echo("Ctrl-C ends it; labels are saved as they are given")
        service.serve(page, listener)
