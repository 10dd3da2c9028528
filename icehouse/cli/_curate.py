"""Verbs about what a dataset holds: curate outliers, typical, gaps."""

from __future__ import annotations

from typing import Annotated

import typer

from icehouse.cli._app import EncoderName, Json, LabelsUrl, StorePath, TaskName, app, noted, show

curate_app = typer.Typer(help="What a dataset holds that is odd, or typical, and what it lacks.")
app.add_typer(curate_app, name="curate")

Shown = Annotated[
    str | None, typer.Option("--task", "-t", help="Whose labels to show. Default: the only one.")
]
Dataset = Annotated[str | None, typer.Option(help="Only images of this dataset.")]
K = Annotated[int, typer.Option("-k", min=1, help="Neighbours that a picture is compared with.")]
Out = Annotated[
    str | None,
    typer.Option(help="Folder or URL for the files. Default: reports/ in the store."),
]


@curate_app.command()
def outliers(
    store: StorePath,
    task: Shown = None,
    dataset: Dataset = None,
    encoder: EncoderName = None,
    count: Annotated[int, typer.Option(min=1, help="Pictures.")] = 50,
    k: K = 10,
    top: Annotated[int, typer.Option(min=1, help="Rows in the table.")] = 12,
    out: Out = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Find the images that are unlike all others."""
    from icehouse.report import outliers_sheet, outliers_table
    from icehouse.review import OutlierOptions, find_outliers, write_outliers
    from icehouse.store import Store

    options = OutlierOptions(task, dataset, encoder, count, k)
    report = find_outliers(Store.open(store, labels), options)
    folder = out or _folder(store, report.task)
    written = write_outliers(report, folder)
    written.append(outliers_sheet(report, f"{folder}/outliers.png"))
    lines = [*noted(report.notes), *(f"written: {path}" for path in written)]
    show(report.outliers, json_lines, outliers_table(report, top), *lines)


@curate_app.command()
def typical(
    store: StorePath,
    task: TaskName = None,
    dataset: Dataset = None,
    encoder: EncoderName = None,
    count: Annotated[int, typer.Option(min=1, help="Pictures of a kind, for each class.")] = 8,
    k: K = 10,
    top: Annotated[int, typer.Option(min=1, help="Classes on the sheet.")] = 30,
    out: Out = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Show what is typical of each class, and what in it is far from it or near another one."""
    from icehouse.report import typical_sheet, typical_table
    from icehouse.review import TypicalOptions, find_typical, write_typical
    from icehouse.store import Store

    options = TypicalOptions(task, dataset, encoder, count, k)
    report = find_typical(Store.open(store, labels), options)
    folder = out or _folder(store, report.task)
    written = write_typical(report, folder)
    written.append(typical_sheet(report, f"{folder}/typical.png", top))
    lines = [*noted(report.notes), *(f"written: {path}" for path in written)]
    show(report.classes, json_lines, typical_table(report), *lines)


@curate_app.command()
def gaps(
    store: StorePath,
    a: Annotated[str, typer.Argument(help="Dataset, or split, that may lack something.")],
    b: Annotated[str, typer.Argument(help="Dataset, or split, that may hold it.")],
    by: Annotated[str, typer.Option(help="What A and B are: dataset or split.")] = "dataset",
    dataset: Annotated[str | None, typer.Option(help="Whose splits, with --by split.")] = None,
    task: Shown = None,
    encoder: EncoderName = None,
    count: Annotated[int, typer.Option(min=1, help="Groups at most.")] = 50,
    quantile: Annotated[
        float, typer.Option(help="So many of A's pictures are within the limit of each other.")
    ] = 0.99,
    top: Annotated[int, typer.Option(min=1, help="Groups in the table and on the sheet.")] = 12,
    out: Out = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Show what dataset B holds that dataset A lacks, in groups, or that A covers B."""
    from icehouse.report import gaps_sheet, gaps_tables
    from icehouse.review import GapOptions, find_gaps, write_gaps
    from icehouse.store import Store

    options = GapOptions(a, b, by, dataset, task, encoder, count, quantile)
    report = find_gaps(Store.open(store, labels), options)
    folder = out or _folder(store, report.task)
    written = write_gaps(report, folder)
    if report.gaps:
        written.append(gaps_sheet(report, f"{folder}/gaps.png", top))
    lines = [*noted(report.notes), *(f"written: {path}" for path in written)]
    show([report], json_lines, *gaps_tables(report, top), *lines)


def _folder(store: str, task: str | None) -> str:
    return "/".join(filter(None, [store.rstrip("/"), "reports", task]))
