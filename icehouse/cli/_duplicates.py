"""The verb duplicates: one picture in several files, and what is said of it there."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from icehouse.cli._app import Json, LabelsUrl, StorePath, app, noted, show


@app.command()
def duplicates(
    store: StorePath,
    task: Annotated[
        str | None,
        typer.Option("--task", "-t", help="Whose labels and splits. Default: each dataset's own."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only images of this dataset.")] = None,
    max_distance: Annotated[
        int | None,
        typer.Option(min=0, max=63, help="Bits in which hashes may differ. Default: 16."),
    ] = None,
    min_correlation: Annotated[
        float | None,
        typer.Option(min=-1, max=1, help="Of the thumbnails, at least. Default: 0.9."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", "-e", help="Whose cosines count too, with --cosine."),
    ] = None,
    cosine: Annotated[
        float | None,
        typer.Option(min=-1, max=1, help="Also take this cosine, about the mean, for a duplicate."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Pictures in the table and on the sheet.")] = 12,
    out: Annotated[
        str | None,
        typer.Option(help="Folder or URL for the files. Default: reports/ in the store."),
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Find pictures that are in several files: two labels, both sides of a split, two datasets."""
    from icehouse.report import EmbedProgress, duplicates_sheet, duplicates_tables
    from icehouse.review import DuplicateOptions, find_duplicates, write_duplicates
    from icehouse.store import Store

    asked: dict[str, Any] = {"max_distance": max_distance, "min_correlation": min_correlation}
    options = DuplicateOptions(task, dataset, encoder=encoder, cosine=cosine)
    options = replace(options, **{name: v for name, v in asked.items() if v is not None})
    opened = Store.open(store, labels)
    with EmbedProgress() as progress:
        report = find_duplicates(opened, options, progress)
    folder = out or "/".join(filter(None, [store.rstrip("/"), "reports", report.task]))
    written = write_duplicates(report, folder)
    if report.clusters:
        title = f"{len(report.clusters)} pictures in several files"
        written.append(duplicates_sheet(report.clusters[:top], f"{folder}/duplicates.png", title))
    lines = [*noted(report.notes), *(f"written: {path}" for path in written)]
    show(report.clusters, json_lines, *duplicates_tables(report, top), *lines)
