"""The command line: parse, one library call, print. Nothing is computed here.

The rooms are imported inside the verbs: they bring torch and scikit-learn, which take seconds,
and ``icehouse --help`` should answer at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icehouse import __version__
from icehouse.errors import IcehouseError, Interrupted, UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from icehouse.store import Store

DEFAULT_ENCODER = "clip:ViT-B-32/laion2b_s34b_b79k"

app = typer.Typer(
    name="icehouse",
    help="Freeze image features once, learn from them all year.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StorePath = Annotated[
    Path, typer.Option("--store", "-s", envvar="ICEHOUSE_STORE", help="Folder of the store.")
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", "-e", help="Name or encoder_id. Default: the store's only one."),
]
TaskName = Annotated[
    str | None, typer.Option("--task", "-t", help="Task. Default: the store's only one.")
]
HeadName = Annotated[
    str | None, typer.Option("--head", help="Head of the task. Default: its only one.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON lines, for programs.")]


def main() -> None:
    """Run the command line; errors of icehouse end in one message, without a traceback."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        app()
    except IcehouseError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        codes = {Interrupted: 130, UsageError: 2}
        sys.exit(next((code for kind, code in codes.items() if isinstance(error, kind)), 1))


def _version(asked: bool) -> None:
    if asked:
        print(f"icehouse {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


@app.command()
def embed(
    source: Annotated[
        Path, typer.Argument(help="Folder of images, or a manifest (.csv, .parquet).")
    ],
    store: StorePath,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            "-e",
            help="clip:MODEL/TAG, clip:local-dir:PATH, timm:MODEL.TAG, timm:local-dir:PATH, "
            "timm:MODEL@FILE or descriptor. "
            f"Default: the store's only one, or {DEFAULT_ENCODER}.",
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Name in the store. Default: that of the source.")
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="Task of its labels. Default: the dataset.")
    ] = None,
    labels: Annotated[bool, typer.Option(help="Take labels from class folders.")] = True,
    precision: Annotated[
        str | None,
        typer.Option(help="float32 or bfloat16. Default: bfloat16 where the hardware has it."),
    ] = None,
    vector_dtype: Annotated[str, typer.Option(help="float16 or float32, as stored.")] = "float16",
    batch_size: Annotated[int, typer.Option(min=1, help="Images encoded at once.")] = 32,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Default: one for each core; 16 with a GPU.")
    ] = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Images with more are errors.")] = 128
    * 2**20,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Read again what could not be decoded.")
    ] = False,
    json_lines: Json = False,
) -> None:
    """Freeze the features of every image that has none yet."""
    from icehouse.embedder import EmbedOptions, EncoderRequest, list_source
    from icehouse.embedder import embed as run
    from icehouse.report import embed_table
    from icehouse.store import Store

    listing = list_source(source, labels=labels)
    opened = Store.open_or_create(store)
    request = EncoderRequest(encoder or _usual_encoder(opened), precision, vector_dtype)
    options = EmbedOptions(batch_size, workers, max_pixels, retry_errors)
    with _progress() as progress:
        report = run(
            opened, listing, request, dataset=dataset, task=task, options=options, progress=progress
        )
    _show([report], json_lines, embed_table(report))


@app.command()
def fit_head(
    store: StorePath,
    head: Annotated[
        str, typer.Option("--head", help="mlp, logistic, forest, xgboost or knn.")
    ] = "logistic",
    encoder: EncoderName = None,
    task: TaskName = None,
    dataset: Annotated[str | None, typer.Option(help="Only images of this dataset.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the head. Default: its kind.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="TRAIN/VAL/TEST where the source gives none. Default: 80/10/10."),
    ] = None,
    folds: Annotated[int, typer.Option(min=0, help="Also cross-validate, e.g. 5.")] = 0,
    seed: Annotated[int, typer.Option(help="Of the split and of the head.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the head, NAME=VALUE. Repeatable."),
    ] = None,
    json_lines: Json = False,
) -> None:
    """Train a head on cached features, and measure it."""
    from icehouse.heads import FitOptions, Fractions
    from icehouse.heads import fit_head as run
    from icehouse.report import heads_table
    from icehouse.store import Store

    fractions = Fractions.parse(split) if split else None
    options = FitOptions(task, encoder, dataset, name, fractions, folds, seed)
    card = run(Store.open(store), head, _pairs(settings), options)
    _show([card], json_lines, heads_table([card]), *(f"note: {note}" for note in card.notes))


@app.command()
def predict(
    store: StorePath,
    images: Annotated[list[Path] | None, typer.Argument(help="Image files or folders.")] = None,
    head: HeadName = None,
    task: TaskName = None,
    dataset: Annotated[
        str | None, typer.Option(help="Predict the images of this dataset instead.")
    ] = None,
    json_lines: Json = False,
) -> None:
    """Answer for images, and name the ambiguous ones."""
    from icehouse.embedder import list_folder
    from icehouse.heads import choose_head, choose_task
    from icehouse.report import predictions_table
    from icehouse.review import predict_dataset, predict_files
    from icehouse.store import Store

    if bool(images) == bool(dataset):
        raise UsageError("give image files or folders, or --dataset NAME (one of the two)")
    opened = Store.open(store)
    stored = choose_head(opened, choose_task(opened, task).name, head)
    if dataset:
        answers = predict_dataset(opened, stored, dataset)
    else:
        files = [
            file
            for path in images or []
            for file in ([e.path for e in list_folder(path).entries] if path.is_dir() else [path])
        ]
        answers = predict_files(opened, stored, files)
    doubtful = sum(bool(answer.reasons) for answer in answers)
    summary = f"{doubtful} of {len(answers)} images are ambiguous (head {stored.card.name})"
    _show(answers, json_lines, predictions_table(answers), summary)


@app.command()
def flag(
    store: StorePath,
    head: HeadName = None,
    task: TaskName = None,
    committee: Annotated[
        list[str] | None,
        typer.Option(help="Another head to compare with. Repeatable. Default: all of the task."),
    ] = None,
    band: Annotated[float, typer.Option(help="Near the threshold: within this.")] = 0.1,
    min_probability: Annotated[float, typer.Option(help="Low probability: below this.")] = 0.6,
    min_margin: Annotated[float, typer.Option(help="Small margin: below this.")] = 0.2,
    folds: Annotated[int, typer.Option(min=2, help="For out-of-fold probabilities.")] = 5,
    order: Annotated[str, typer.Option(help="doubt or ambiguity.")] = "doubt",
    top: Annotated[int, typer.Option(min=1, help="Rows in the table and on the sheet.")] = 12,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files. Default: the head's.")
    ] = None,
    json_lines: Json = False,
) -> None:
    """Name the images that a person should look at again, and why."""
    from icehouse.heads import choose_head, choose_task
    from icehouse.report import contact_sheet, counts_table, flags_table
    from icehouse.review import FlagSettings, write_flags
    from icehouse.review import flag as run
    from icehouse.store import Store

    opened = Store.open(store)
    stored = choose_head(opened, choose_task(opened, task).name, head)
    settings = FlagSettings(band=band, min_probability=min_probability, min_margin=min_margin)
    report = run(opened, stored, settings, committee=committee, folds=folds, order=order)
    folder = out or opened.path / stored.card.folder
    written = write_flags(report, folder)
    if report.flags:
        title = f"{stored.card.task}: {len(report.flags)} of {report.images} images to look at"
        written.append(contact_sheet(report.flags[:top], folder / "flags.png", title))
    lines = [f"written: {path}" for path in written]
    _show(report.flags, json_lines, flags_table(report, top), counts_table(report), *lines)


@app.command()
def neighbours(
    query: Annotated[str, typer.Argument(help="Image file, key in the store, or image_id.")],
    store: StorePath,
    encoder: EncoderName = None,
    task: Annotated[str | None, typer.Option("--task", "-t", help="Whose labels to show.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many.")] = 5,
    json_lines: Json = False,
) -> None:
    """Show the images nearest to one."""
    from icehouse.embedder import choose_encoder
    from icehouse.report import neighbours_table
    from icehouse.review import neighbours as run
    from icehouse.store import Store

    opened = Store.open(store)
    tasks = [t.name for t in opened.labels.tasks()] if opened.has_labels else []
    shown = task or (tasks[0] if len(tasks) == 1 else None)
    found = run(opened, choose_encoder(opened, encoder), query, k, task=shown)
    _show(found, json_lines, neighbours_table(found))


@app.command()
def info(store: StorePath, json_lines: Json = False) -> None:
    """Show what a store holds."""
    from icehouse.report import overview, overview_tables
    from icehouse.store import Store

    held = overview(Store.open(store))
    _show([held], json_lines, *overview_tables(held))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to work in.")] = Path("demo"),
) -> None:
    """Run everything once on 1,797 scanned digits."""
    from icehouse.demo import run

    run(out, _print)


def _usual_encoder(store: Store) -> str:
    names = {card["request"]["name"] for card in store.encoder_cards().values()}
    return str(names.pop()) if len(names) == 1 else DEFAULT_ENCODER


def _pairs(settings: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in settings or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set takes NAME=VALUE, got {text!r}")
        pairs[name] = value
    return pairs


def _show(results: Iterable[Any], json_lines: bool, *shown: RenderableType) -> None:
    if json_lines:
        for result in results:
            print(json.dumps(asdict(result), ensure_ascii=False))
    else:
        _print(*shown)


def _print(*shown: RenderableType) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    for each in shown:
        console.print(each, soft_wrap=isinstance(each, str))


def _progress() -> Any:
    from icehouse.report import EmbedProgress

    return EmbedProgress()
