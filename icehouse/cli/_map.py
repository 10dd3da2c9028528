"""The verb map: all images of a store in one picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from icehouse.cli._app import (
    EncoderName,
    HeadName,
    Json,
    LabelsUrl,
    StorePath,
    TaskName,
    app,
    noted,
    show,
)
from icehouse.errors import UsageError


@app.command("map")
def draw(
    store: StorePath,
    colour: Annotated[
        str | None,
        typer.Option(
            "--colour",
            "--color",
            help="label, prediction, flag, error, dataset or split. Default: label, if there are.",
        ),
    ] = None,
    encoder: EncoderName = None,
    task: TaskName = None,
    head: HeadName = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Draw only this dataset. Repeatable.")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="umap, or pca for a quick look. Default: umap.")
    ] = None,
    neighbours: Annotated[
        int | None,
        typer.Option(help="Of each image; more show the whole, fewer its parts. Default: 15."),
    ] = None,
    min_dist: Annotated[
        float | None, typer.Option(help="How near points may come, 0 to 1. Default: 0.1.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed makes the same map. Default: 0.")
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Make it again, of all images that there are now.")
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE.png", help="File or URL. Default: reports/maps/ in the store."),
    ] = None,
    points: Annotated[
        str | None, typer.Option(metavar="FILE.csv", help="Also write the points, as a table.")
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Draw all images as points, near each other where they are alike."""
    from icehouse.embedder import choose_encoder
    from icehouse.heads import choose_head, choose_task
    from icehouse.maps import make_map, of_datasets, options_of
    from icehouse.report import StepProgress, map_table, write_map, write_points
    from icehouse.review import GROUPINGS, OF_HEADS, group
    from icehouse.store import Store

    opened = Store.open(store, labels)
    if colour is not None and colour not in GROUPINGS:
        raise UsageError(f"--colour is {', '.join(GROUPINGS)}; got {colour!r}")
    stored = None
    if colour in OF_HEADS or head is not None:
        stored = choose_head(opened, choose_task(opened, task).name, head)
    chosen = stored.card.encoder_id if stored and not encoder else choose_encoder(opened, encoder)
    asked: dict[str, Any] = {
        "method": method, "neighbours": neighbours, "min_dist": min_dist, "seed": seed,
    }  # fmt: skip
    given = {name: value for name, value in asked.items() if value is not None}
    options = replace(options_of(opened, chosen), **given)
    with StepProgress() as step:
        drawn = make_map(opened, chosen, options, anew=anew, step=step)
    drawn = of_datasets(opened, drawn, dataset) if dataset else drawn
    tasks = opened.labels.tasks() if opened.has_labels else []
    by = colour or ("label" if tasks else "dataset")
    named = choose_task(opened, task).name if by == "label" else None
    groups = group(opened, drawn.ids, by, task=named, head=stored)
    path = out or f"{store.rstrip('/')}/reports/maps/{drawn.encoder_id}-{drawn.method}-{by}.png"
    title = ", ".join(dataset or opened.catalog.datasets())
    written = [write_map(drawn, groups, path, title)]
    if points is not None:
        written.append(write_points(opened, drawn, groups, points))
    lines = [*noted(drawn.notes), *(f"written: {each}" for each in written)]
    show(groups.sizes(), json_lines, map_table(groups), *lines)
