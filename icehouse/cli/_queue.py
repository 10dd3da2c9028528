"""The verb that chooses what people are asked next: queue."""

from __future__ import annotations

from typing import Annotated

import typer

from icehouse.cli._app import EncoderName, HeadName, Json, LabelsUrl, StorePath, TaskName, app, show


@app.command()
def queue(
    store: StorePath,
    number: Annotated[
        int | None, typer.Argument(help="Of a queue: show where it stands, and make none.")
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(help="auto, margin, herding, typical, …, or a mixture, margin+coreset."),
    ] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Images.")] = 50,
    head: HeadName = None,
    task: TaskName = None,
    encoder: EncoderName = None,
    reviewers: Annotated[
        int, typer.Option(min=1, help="How many are to answer each image, on their own.")
    ] = 1,
    overlap: Annotated[
        int | None,
        typer.Option(min=0, help="Only so many images go to several reviewers. Default: all."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Ask also about images that only the source labelled.")
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="What is drawn by lot goes by this number; the same draws the same again."
        ),
    ] = 0,
    all_queues: Annotated[bool, typer.Option("--list", help="List the queues instead.")] = False,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Choose the images that people are asked about next."""
    from icehouse.report import new_queue_tables, queue_state_tables, queues_table
    from icehouse.review import QueueOptions, queue_state
    from icehouse.review import queue as run
    from icehouse.store import Queues, Store

    opened = Store.open(store, labels)
    if all_queues:
        found = Queues(opened.labels).queues(task)
        show(found, json_lines, queues_table(found))
    elif number is not None:
        state = queue_state(opened, number)
        waiting = Queues(opened.labels).items(number, lacking=True)
        show([state], json_lines, *queue_state_tables(state, waiting, opened))
    else:
        options = QueueOptions(
            task, encoder, head, strategy, batch, reviewers, overlap, again, seed
        )
        made = run(opened, options)
        show([made], json_lines, *new_queue_tables(made, opened))
