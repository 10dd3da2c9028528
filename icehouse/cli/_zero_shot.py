"""The verb zero-shot: classes by captions, without a single label."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icehouse.cli._app import Json, LabelsUrl, StorePath, app, show
from icehouse.errors import UsageError


@app.command()
def zero_shot(
    store: StorePath,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder", "-e", help="Name or encoder_id. Default: the only one that takes words."
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", "-t", help="Whose classes are asked for, whose labels measure."),
    ] = None,
    captions: Annotated[
        list[str] | None,
        typer.Option(help="CLASS=CAPTION, or a caption alone. Repeatable, of a class too."),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="File of captions: CLASS=CAPTION lines, or JSON.")
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option(help="Put around each caption, e.g. 'a drawing of a {}'. Repeatable."),
    ] = None,
    templates: Annotated[Path | None, typer.Option(help="File with a template a line.")] = None,
    against: Annotated[
        str | None, typer.Option(help="Head to compare with. Default: the task's best.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only images of this dataset.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="For out-of-fold answers of the head.")] = 5,
    top: Annotated[int, typer.Option(min=1, help="Rows in each table of images.")] = 12,
    out: Annotated[
        str | None, typer.Option(help="Folder or URL for the files. Default: in the store.")
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Classify images by captions alone (CLIP), and compare with labels and a head."""
    from icehouse.embedder import choose_text_encoder
    from icehouse.report import zero_shot_tables
    from icehouse.review import (
        ZeroShotOptions,
        parse_captions,
        read_prompts,
        read_templates,
        write_zero_shot,
    )
    from icehouse.review import zero_shot as run
    from icehouse.store import Store

    if captions and prompts:
        raise UsageError("give --captions or --prompts FILE, not both")
    said = parse_captions(captions) if captions else read_prompts(prompts) if prompts else None
    around = [*(template or []), *(read_templates(templates) if templates else [])]
    options = ZeroShotOptions(task, dataset, around, against, folds)
    opened = Store.open(store, labels)
    report = run(opened, choose_text_encoder(opened, encoder), said, options)
    written = write_zero_shot(report, out or f"{store.rstrip('/')}/{report.folder}")
    files = [f"written: {path}" for path in written]
    show(report.answers(), json_lines, *zero_shot_tables(report, top), *files)
