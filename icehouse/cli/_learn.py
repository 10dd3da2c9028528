"""Verbs that learn and answer: fit-head, predict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from icehouse.cli._app import (
    Coverage,
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


@app.command()
def fit_head(
    store: StorePath,
    head: Annotated[
        str, typer.Option("--head", help="mlp, logistic, forest, xgboost, knn, or ensemble.")
    ] = "logistic",
    of: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Of an ensemble: names of the heads that it is made of."),
    ] = None,
    encoder: EncoderName = None,
    task: TaskName = None,
    dataset: Annotated[str | None, typer.Option(help="Only images of this dataset.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the head. Default: its kind.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="TRAIN/VAL/TEST where the source gives none. Default: 80/10/10."),
    ] = None,
    group_duplicates: Annotated[
        bool, typer.Option("--group-duplicates", help="Copies of a picture stay on one side.")
    ] = False,
    folds: Annotated[int, typer.Option(min=0, help="Also measure out-of-fold, e.g. by 5.")] = 0,
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Split and fit are drawn by this number; the same gives the same head."
        ),
    ] = 0,
    calibrate: Annotated[
        str, typer.Option(help="temperature, vector, isotonic or none.")
    ] = "temperature",
    threshold: Annotated[
        str | None,
        typer.Option(help="Of two classes, or each label: f1, or precision=0.95. Default: 0.5."),
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Of sets of classes, e.g. 0.95: measure it, and show them.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the head, NAME=VALUE. Repeatable."),
    ] = None,
    balance: Annotated[
        str, typer.Option(help="Unlike classes: none, weights, over, under or views.")
    ] = "none",
    tune: Annotated[
        bool, typer.Option("--tune", help="First look for its settings, on the training split.")
    ] = False,
    trials: Annotated[
        int | None, typer.Option(help="Of tuning, with those of earlier runs. Default: 30.")
    ] = None,
    time: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="No trial is begun after that. Default: no limit."),
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help="Of tuning: log_loss (the default), or accuracy.")
    ] = None,
    tensorboard: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Also write training curves there, as event files."),
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Train a head on cached features, and measure it."""
    from icehouse.heads import FitOptions, Fractions, TuneOptions, load_curves
    from icehouse.heads import fit_head as run
    from icehouse.heads import tune as look
    from icehouse.report import (
        FitProgress,
        check_events,
        chosen_lines,
        heads_table,
        sets_lines,
        trials_table,
        write_curves,
        write_events,
        write_reliability,
    )
    from icehouse.store import Store

    if tensorboard:
        check_events(tensorboard)
    tuning = {"trials": trials, "seconds": time, "objective": objective}
    how: dict[str, Any] = {name: value for name, value in tuning.items() if value is not None}
    if how and not tune:
        raise UsageError("--trials, --time and --objective say how to tune: add --tune")
    fractions = Fractions.parse(split) if split else None
    members = tuple(filter(None, map(str.strip, of.split(",")))) if of else ()
    after = (calibrate, threshold, coverage, members)
    options = FitOptions(task, encoder, dataset, name, fractions, folds, seed, balance, *after)
    options = replace(options, group_duplicates=group_duplicates)
    opened = Store.open(store, labels)
    given: dict[str, Any] = dict(_pairs(settings))
    found: list[Any] = []
    if tune:
        with FitProgress() as progress:
            tuned = look(opened, head, given, options, TuneOptions(**how), progress)
        given, options = tuned.settings, replace(options, notes=(tuned.note,))
        found = [trials_table(tuned), f"all trials: {tuned.file}"]
    card = run(opened, head, given, options)
    said = [*chosen_lines(card), *sets_lines(card), *noted(card.notes)]
    drawn = [write_reliability(card, f"{store.rstrip('/')}/{card.folder}")]
    curves = load_curves(opened, card)
    if curves is not None:
        drawn.append(write_curves(opened, card, curves))
        if tensorboard:
            drawn.append(write_events(card, curves, tensorboard))
    elif tensorboard:
        said.append(f"note: {card.kind} is not trained by epochs; nothing is in {tensorboard}")
    said += [f"written: {path}" for path in drawn]
    show([card], json_lines, *found, heads_table([card]), *said)


@app.command()
def predict(
    store: StorePath,
    images: Annotated[list[Path] | None, typer.Argument(help="Image files or folders.")] = None,
    head: HeadName = None,
    task: TaskName = None,
    dataset: Annotated[
        str | None, typer.Option(help="Predict the images of this dataset instead.")
    ] = None,
    coverage: Coverage = None,
    refuse: Annotated[
        bool, typer.Option("--refuse-unfamiliar", help="No answer for what is like no training.")
    ] = False,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Answer for images, and name the ambiguous ones."""
    from icehouse.heads import choose_head, choose_task
    from icehouse.report import predictions_table
    from icehouse.review import FlagSettings, predict_dataset, predict_files
    from icehouse.store import Store

    if bool(images) == bool(dataset):
        raise UsageError("give image files or folders, or --dataset NAME (one of the two)")
    opened = Store.open(store, labels)
    stored = choose_head(opened, choose_task(opened, task).name, head)
    settings = FlagSettings(coverage=coverage)
    if dataset:
        answers = predict_dataset(opened, stored, dataset, settings, refuse=refuse)
    else:
        answers = predict_files(opened, stored, files_of(images or []), settings, refuse=refuse)
    wrong = [answer for answer in answers if answer.error is not None]
    if answers and len(wrong) == len(answers):
        raise UsageError(f"none of {len(answers)} can be read; {wrong[0].name}: {wrong[0].error}")
    doubtful = sum(bool(answer.reasons) for answer in answers)
    summary = f"{doubtful} of {len(answers)} images are ambiguous (head {stored.card.name})"
    if refuse:
        refused = sum("unfamiliar" in answer.reasons for answer in answers)
        summary += f"; {refused} got no answer, as they are like none that it was trained on"
    summary += f"; {len(wrong)} could not be read" if wrong else ""
    notes = noted(stored.set_notes(coverage))
    show(answers, json_lines, predictions_table(answers), summary, *notes)


def files_of(paths: list[Path]) -> list[Path]:
    """Return files as they are, and folders as the files in them."""
    return [file for path in paths for file in (_files(path) if path.is_dir() else [path])]


def _files(folder: Path) -> list[Path]:
    from icehouse.embedder import LocalFile, list_folder

    found = [entry.origin for entry in list_folder(folder).entries]
    files = [Path(origin.path) for origin in found if isinstance(origin, LocalFile)]
    return [folder / file.relative_to(folder.absolute()) for file in files]


def _pairs(settings: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in settings or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set takes NAME=VALUE, got {text!r}")
        pairs[name] = value
    return pairs
