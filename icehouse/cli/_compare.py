"""The verb that says which encoder and which head to take: compare."""

from __future__ import annotations

from typing import Annotated

import typer

from icehouse.cli._app import Json, LabelsUrl, StorePath, TaskName, app, show
from icehouse.errors import UsageError


@app.command()
def compare(
    store: StorePath,
    task: TaskName = None,
    encoders: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Names or encoder_ids. Default: all that have features for the task.",
        ),
    ] = "",
    heads: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Of mlp, logistic, forest, xgboost and knn. Default: all that are installed.",
        ),
    ] = "",
    dataset: Annotated[str | None, typer.Option(help="Only images of this dataset.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="TRAIN/VAL/TEST where the source gives none. Default: 80/10/10."),
    ] = None,
    group_duplicates: Annotated[
        bool, typer.Option("--group-duplicates", help="Copies of a picture stay on one side.")
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Splits and fits. Default: 1, with --label-counts 5."),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Number of the first split; the same number draws the same images again."
        ),
    ] = 0,
    balance: Annotated[
        str,
        typer.Option(
            metavar="A,B", help="Of none, weights, over, under and views: each head with each."
        ),
    ] = "none",
    label_counts: Annotated[
        str | None,
        typer.Option(
            metavar="1,2,5,…", help="Instead: accuracy with so many labels of each class."
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(help="Folder or URL for the files. Default: reports/TASK in the store."),
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Say which encoder and which head to take: fit and measure all, save none."""
    from icehouse.heads import CompareOptions, Fractions, count_labels
    from icehouse.heads import compare as run
    from icehouse.report import (
        FitProgress,
        comparison_tables,
        label_counts_tables,
        write_comparison,
        write_label_counts,
    )
    from icehouse.store import Store

    counts = None if label_counts is None else _numbers(label_counts)
    options = CompareOptions(
        task=task,
        dataset=dataset,
        encoders=_words(encoders),
        heads=_words(heads),
        fractions=Fractions.parse(split) if split else None,
        seeds=seeds or (1 if counts is None else 5),
        seed=seed,
        balances=_words(balance),
        group_duplicates=group_duplicates,
    )
    opened = Store.open(store, labels)
    asked = None if out else options  # a folder of one's own holds one run, and plain names
    if counts is None:
        with FitProgress() as progress:
            compared = run(opened, options, progress)
        folder = out or f"{store.rstrip('/')}/reports/{compared.task}"
        written = [f"written: {path}" for path in write_comparison(compared, folder, asked)]
        show([compared], json_lines, *comparison_tables(compared), *written)
    else:
        with FitProgress() as progress:
            counted = count_labels(opened, counts, options, progress)
        folder = out or f"{store.rstrip('/')}/reports/{counted.task}"
        written = [f"written: {path}" for path in write_label_counts(counted, folder, asked)]
        show([counted], json_lines, *label_counts_tables(counted), *written)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"--label-counts takes numbers such as 1,2,5,10, got {text!r}") from None
