"""The verb map: all images of a store in one picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from icehouse.heads import StoredHead
    from icehouse.maps import MapOptions
    from icehouse.store import Store


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
    most: Annotated[
        int | None,
        typer.Option(help="Images that it is made of; others are placed. Default: 100000."),
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
    from icehouse.heads import choose_head, choose_task
    from icehouse.maps import make_map, of_datasets
    from icehouse.report import (
        StepProgress,
        check_map_files,
        map_table,
        write_map,
        write_points,
    )
    from icehouse.review import GROUPINGS, OF_HEADS, group
    from icehouse.store import Store

    opened = Store.open(store, labels)
    if colour is not None and colour not in GROUPINGS:
        raise UsageError(f"--colour is {', '.join(GROUPINGS)}; got {colour!r}")
    for name in dataset or ():
        opened.catalog.rows(name, ["key"])  # or it has none of that name
    stored = None
    if colour in OF_HEADS or head is not None:
        stored = choose_head(opened, choose_task(opened, task).name, head)
    by = colour or ("label" if opened.has_labels else "dataset")
    named = choose_task(opened, task).name if by == "label" else None
    chosen, notes = _encoder(opened, encoder, stored)
    asked = {
        "method": method, "neighbours": neighbours, "min_dist": min_dist, "seed": seed,
        "most": most,
    }  # fmt: skip
    options = _options(opened, chosen, {n: v for n, v in asked.items() if v is not None})
    folder = f"{store.rstrip('/')}/reports/maps"
    check_map_files(out or f"{folder}/map.png", points)
    with StepProgress() as step:
        drawn = make_map(opened, chosen, options, anew=anew, step=step)
    drawn = of_datasets(opened, drawn, dataset) if dataset else drawn
    groups = group(opened, drawn.ids, by, task=named, head=stored)
    of = [stored.card.task, stored.card.name] if stored and by in OF_HEADS else [named or ""]
    name = "-".join(filter(None, [drawn.encoder_id, drawn.method, by, *of]))
    path = out or f"{folder}/{name}.png"
    title = ", ".join(dataset or opened.catalog.datasets())
    written = [write_map(drawn, groups, path, title)]
    if points is not None:
        written.append(write_points(opened, drawn, groups, points))
    lines = [*noted((*notes, *drawn.notes)), *(f"written: {each}" for each in written)]
    show(groups.sizes(), json_lines, map_table(groups), *lines)


def _encoder(
    store: Store, asked: str | None, stored: StoredHead | None
) -> tuple[str, tuple[str, ...]]:
    """Return the encoder whose map is drawn, and what is to be said of that."""
    from icehouse.embedder import choose_encoder
    from icehouse.store import parts_of

    if asked or stored is None:
        return choose_encoder(store, asked), ()
    first, *others = parts_of(stored.card.encoder_id)
    if not others:
        return first, ()
    words = f"{stored.card.name} is of several encoders, and this is the map of {first}; with "
    return first, (f"{words}--encoder that of {' or '.join(others)}",)


def _options(store: Store, encoder_id: str, given: dict[str, Any]) -> MapOptions:
    """Return how the kept map was made, and what was asked for otherwise."""
    from icehouse.maps import options_of

    options = replace(options_of(store, encoder_id), **given)
    idle = [f"--{name.replace('_', '-')}" for name in given if name != "method"]
    if options.method == "pca" and idle:
        raise UsageError(f"{', '.join(idle)} is for umap; pca has nothing to set")
    return options
