"""The verb that says which parts of a picture an answer rests on: explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icehouse.cli._app import HeadName, Json, LabelsUrl, StorePath, TaskName, app, show
from icehouse.cli._learn import files_of
from icehouse.errors import UsageError


@app.command()
def explain(
    store: StorePath,
    images: Annotated[list[Path] | None, typer.Argument(help="Image files or folders.")] = None,
    head: HeadName = None,
    task: TaskName = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="occlusion, lime, integrated-gradients, grad-cam or black-and-white.",
        ),
    ] = "occlusion",
    shown: Annotated[
        str | None, typer.Option("--class", help="Whose probability. Default: the answer's.")
    ] = None,
    hide: Annotated[str, typer.Option(help="Hidden parts are: blur or mean.")] = "blur",
    check: Annotated[
        bool, typer.Option("--check", help="Compare with maps of heads with shuffled weights.")
    ] = False,
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="What is drawn by lot goes by this number; the same draws the same again."
        ),
    ] = 0,
    dataset: Annotated[
        str | None, typer.Option(help="Explain images of this dataset instead, on a sheet.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Of a dataset so many, evenly from all.")] = 12,
    features: Annotated[
        bool, typer.Option("--features", help="Also draw the encoder's first layer.")
    ] = False,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE.png", help="File or URL. Default: TASK-HEAD-METHOD.png."),
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Show which parts of a picture an answer rests on."""
    from icehouse.embedder import read_file
    from icehouse.explain import (
        Explained,
        Explainer,
        ExplainOptions,
        explain_dataset,
        explain_files,
        first_layer,
    )
    from icehouse.heads import choose_head, choose_task
    from icehouse.report import (
        StepProgress,
        explanations_table,
        write_explained,
        write_first_layer,
    )
    from icehouse.store import Store

    if bool(images) == bool(dataset):
        raise UsageError("give image files or folders, or --dataset NAME (one of the two)")
    if out is not None and Path(out).suffix.lower() not in ("", ".png"):
        raise UsageError(f"an explanation is a PNG; the name of --out {out} ends otherwise")
    files = files_of(images or [])
    if features and len(files) != 1:
        raise UsageError(f"--features draws the maps of one image file, not of {len(files)}")
    options = ExplainOptions(method, shown, hide, check=check, seed=seed)
    opened = Store.open(store, labels)
    stored = choose_head(opened, choose_task(opened, task).name, head)
    total = limit if dataset else len(files)
    explainer = Explainer(opened, stored, pictures=total)
    if dataset:
        several = explain_dataset(opened, explainer, dataset, options, limit)
    else:
        several = explain_files(explainer, files, options)
    found = []
    with StepProgress() as progress:
        for each in several:
            found.append(each)
            progress("explaining", len(found), total)
    good = [each for each in found if isinstance(each, Explained)]
    said = [each.explanation if isinstance(each, Explained) else each for each in found]
    if not good:
        what = f"; {said[0].name}: {said[0].error}" if said else ""
        raise UsageError(f"none of {len(said)} images can be explained{what}")
    path = out or f"{stored.card.task}-{stored.card.name}-{options.method}.png"
    written = [write_explained(good, path)]
    if features:
        layer = first_layer(explainer, read_file(files[0]).data)
        written.append(write_first_layer(layer, path))
    show(said, json_lines, explanations_table(said), *(f"written: {each}" for each in written))
