"""Verbs that fill a store and say what it holds: embed, info, demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icehouse.cli._app import Json, LabelsUrl, StorePath, app, echo, show
from icehouse.errors import UsageError

if TYPE_CHECKING:
    from icehouse.store import Store

DEFAULT_ENCODER = "clip:ViT-B-32/laion2b_s34b_b79k"
AUGMENT = "flip,rotate,crop,colour"


@app.command()
def embed(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder of images; manifest (.csv, .parquet); tars (.tar, a folder of them, "
            "a-{00..09}.tar); Parquet or Hugging Face dataset with image bytes; zip; "
            "URL of any of these (s3://, gs://, https://); or - for a list on standard input."
        ),
    ],
    store: StorePath,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            "-e",
            help="clip:MODEL/TAG, clip:local-dir:PATH, timm:MODEL.TAG, timm:local-dir:PATH, "
            "timm:MODEL@FILE, tiny or descriptor. "
            f"Default: the store's only one, or {DEFAULT_ENCODER}.",
        ),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Name in the store. Default: that of the source.")
    ] = None,
    task: Annotated[
        str | None, typer.Option("--task", "-t", help="Task of its labels. Default: the dataset.")
    ] = None,
    no_labels: Annotated[
        bool, typer.Option("--no-labels", help="Take no labels from the source.")
    ] = False,
    image_column: Annotated[
        str | None, typer.Option(help="Of a table with image bytes. Default: found by its type.")
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(help="Only keys that fit, e.g. 'train/*'. Repeatable.")
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="No keys that fit. Repeatable.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="So many at random, always the same.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many by key.")] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds for one answer of a network.")
    ] = 30.0,
    precision: Annotated[
        str | None,
        typer.Option(
            help="float32 or bfloat16. Default: bfloat16 where hardware and network bear it."
        ),
    ] = None,
    vector_dtype: Annotated[str, typer.Option(help="float16 or float32, as stored.")] = "float16",
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Images encoded at once. Default: 32, or 256 on a GPU."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Default: one for each core; 16 with a GPU.")
    ] = None,
    max_pixels: Annotated[int, typer.Option(min=1, help="Images with more are errors.")] = 128
    * 2**20,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Read again what could not be decoded.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option(
            help="auto, torch or openvino: what computes. auto measures where it can pay. "
            "ray: on a Ray cluster."
        ),
    ] = "auto",
    address: Annotated[
        str | None,
        typer.Option(help="Of a Ray cluster: auto or host:port. Default: one for this run."),
    ] = None,
    decode: Annotated[
        str, typer.Option(help="exact or fast: JPEGs at part of their size, where it hardly shows.")
    ] = "exact",
    resize: Annotated[
        str | None, typer.Option(help="shortest, longest or squash. Default: the encoder's own.")
    ] = None,
    adjust: Annotated[
        str, typer.Option(help="Of denoise,equalise,grayscale: what is done to every picture.")
    ] = "",
    normalise: Annotated[
        str, typer.Option(help="By mean and deviation of: encoder (its training) or dataset.")
    ] = "encoder",
    views: Annotated[
        int, typer.Option(min=0, help="Augmented views of each image, for training.")
    ] = 0,
    augment: Annotated[
        str | None, typer.Option(help=f"How a view is made: of {AUGMENT}. Default: all of it.")
    ] = None,
    views_for: Annotated[
        str | None,
        typer.Option(help="all, or minority: as many as balance the classes. Default: all."),
    ] = None,
    dry_run: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Measure the speed on N images, and write nothing."),
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Freeze the features of every image that has none yet."""
    from icehouse.embedder import (
        EmbedOptions,
        EncoderRequest,
        Network,
        PictureOptions,
        Selection,
        ViewOptions,
        list_lines,
        list_source,
        rehearse,
        select,
    )
    from icehouse.embedder import embed as run
    from icehouse.report import EmbedProgress, embed_table, rehearsal_table
    from icehouse.store import Store

    if not views and (augment is not None or views_for is not None):
        raise UsageError(
            "--augment and --views-for say how augmented views are made, and none are asked for; "
            "say how many of each image with --views N too"
        )
    wanted = ViewOptions(views, _words(AUGMENT if augment is None else augment), views_for or "all")
    selection = Selection(include or (), exclude or (), sample, limit)
    network = Network(timeout)
    if source == "-":
        if dataset is None:
            raise UsageError("a list on standard input has no name; give one with --dataset NAME")
        listing = list_lines(sys.stdin.buffer, network)
    else:
        listing = list_source(
            source, labels=not no_labels, image_column=image_column, network=network
        )
    listing = select(listing, selection)
    options = EmbedOptions(batch_size, workers, max_pixels, retry_errors, engine, address, wanted)
    pictures = PictureOptions(decode, resize, _words(adjust), normalise)
    opened = Store.open_or_plan(store, labels)
    request = EncoderRequest(encoder or _usual_encoder(opened), precision, vector_dtype, pictures)
    if dry_run is not None:
        rehearsal = rehearse(listing, request, dry_run, options=options)
        show([rehearsal], json_lines, rehearsal_table(rehearsal))
        return
    with EmbedProgress() as progress:
        report = run(
            opened, listing, request, dataset=dataset, task=task, options=options, progress=progress
        )
    show([report], json_lines, embed_table(report))


@app.command()
def info(store: StorePath, labels: LabelsUrl = None, json_lines: Json = False) -> None:
    """Show what a store holds."""
    from icehouse.report import overview, overview_tables
    from icehouse.store import Store

    held = overview(Store.open(store, labels))
    show([held], json_lines, *overview_tables(held))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to work in.")] = Path("demo"),
) -> None:
    """Run everything once on 1,797 scanned digits."""
    from icehouse.demo import run

    run(out, echo)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _usual_encoder(store: Store) -> str:
    names = sorted({card["request"]["name"] for card in store.encoder_cards().values()})
    if len(names) > 1:
        raise UsageError(f"the store has several encoders; choose one with --encoder: {names}")
    return str(names.pop()) if names else DEFAULT_ENCODER
