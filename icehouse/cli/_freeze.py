"""Verbs that fill a store and say what it holds: embed, info, demo."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icehouse.cli._app import Json, LabelsUrl, StorePath, app, echo, show
from icehouse.errors import UsageError

if TYPE_CHECKING:
    from icehouse.store import Store

DEFAULT_ENCODER = "clip:ViT-B-32/laion2b_s34b_b79k"
AUGMENT = "flip,rotate,crop,colour"
_encoder, _source, _pictures, _views, _running = (
    partial(typer.Option, rich_help_panel=panel)
    for panel in ("Encoder", "Source", "Pictures", "Augmented views", "Running")
)


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
        _encoder(
            "--encoder",
            "-e",
            metavar="NAME",
            help="clip:MODEL/TAG, clip:local-dir:PATH, timm:MODEL.TAG, timm:local-dir:PATH, "
            "timm:MODEL@FILE, tiny, descriptor or thumbnail. "
            f"Default: the store's only one, or {DEFAULT_ENCODER}.",
        ),
    ] = None,
    precision: Annotated[
        str | None,
        _encoder(
            metavar="TYPE",
            help="float32 or bfloat16. Default: bfloat16 where hardware and network bear it.",
        ),
    ] = None,
    vector_dtype: Annotated[
        str, _encoder(metavar="TYPE", help="float16 or float32, as stored.")
    ] = "float16",
    dataset: Annotated[
        str | None, _source(metavar="NAME", help="Name in the store. Default: that of the source.")
    ] = None,
    task: Annotated[
        str | None,
        _source("--task", "-t", metavar="NAME", help="Task of its labels. Default: the dataset."),
    ] = None,
    no_labels: Annotated[
        bool, _source("--no-labels", help="Take no labels from the source.")
    ] = False,
    image_column: Annotated[
        str | None,
        _source(metavar="NAME", help="Of a table with image bytes. Default: found by its type."),
    ] = None,
    include: Annotated[
        list[str] | None,
        _source(metavar="PATTERN", help="Only keys that fit, e.g. 'train/*'. Repeatable."),
    ] = None,
    exclude: Annotated[
        list[str] | None, _source(metavar="PATTERN", help="No keys that fit. Repeatable.")
    ] = None,
    sample: Annotated[
        int | None, _source(min=1, metavar="N", help="So many at random, always the same.")
    ] = None,
    limit: Annotated[
        int | None, _source(min=1, metavar="N", help="The first so many by key.")
    ] = None,
    timeout: Annotated[
        float, _source(min=0.1, metavar="SECONDS", help="For one answer of a network.")
    ] = 30.0,
    max_pixels: Annotated[
        int, _source(min=1, metavar="N", help="Images with more are errors.", show_default="2**27")
    ] = 2**27,
    retry_errors: Annotated[
        bool, _source("--retry-errors", help="Read again what could not be decoded.")
    ] = False,
    decode: Annotated[
        str,
        _pictures(
            metavar="HOW", help="exact or fast: JPEGs at part of their size, where it hardly shows."
        ),
    ] = "exact",
    resize: Annotated[
        str | None,
        _pictures(metavar="HOW", help="shortest, longest or squash. Default: the encoder's own."),
    ] = None,
    adjust: Annotated[
        str,
        _pictures(
            metavar="STEPS", help="What is done to every picture: of denoise,equalise,grayscale."
        ),
    ] = "",
    normalise: Annotated[
        str,
        _pictures(metavar="BY", help="Mean and deviation of: encoder (its training) or dataset."),
    ] = "encoder",
    views: Annotated[
        int, _views(min=0, metavar="N", help="Augmented views of each image, for training.")
    ] = 0,
    augment: Annotated[
        str | None,
        _views(metavar="STEPS", help=f"How a view is made: of {AUGMENT}. Default: all of it."),
    ] = None,
    views_for: Annotated[
        str | None,
        _views(
            metavar="WHICH", help="all, or minority: as many as balance the classes. Default: all."
        ),
    ] = None,
    dry_run: Annotated[
        int | None,
        _running(min=1, metavar="N", help="Measure the speed on N images, and write nothing."),
    ] = None,
    engine: Annotated[
        str,
        _running(
            metavar="NAME",
            help="auto, torch or openvino: what computes. auto measures where it can pay. "
            "ray: on a Ray cluster.",
        ),
    ] = "auto",
    address: Annotated[
        str | None,
        _running(metavar="HOST:PORT", help="Of a Ray cluster, or auto. Default: one for this run."),
    ] = None,
    batch_size: Annotated[
        int | None,
        _running(min=1, metavar="N", help="Images encoded at once. Default: 16, or 256 on a GPU."),
    ] = None,
    workers: Annotated[
        int | None, _running(min=1, metavar="N", help="Default: one for each core; 16 with a GPU.")
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Freeze the features of every image that has none yet; exit with 1 where all are broken."""
    from icehouse.embedder import keep_freed_memory

    keep_freed_memory()  # before Arrow is imported, and before there are threads
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
    if report.errors and sum(report.errors.values()) == report.inputs:
        raise typer.Exit(1)


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
    from icehouse.embedder import usual_encoders

    names = sorted({card["request"]["name"] for card in usual_encoders(store).values()})
    if len(names) > 1:
        raise UsageError(f"the store has several encoders; choose one with --encoder: {names}")
    return str(names.pop()) if names else DEFAULT_ENCODER
