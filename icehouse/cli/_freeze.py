"""Verbs that fill a store and say what it holds: embed, info, demo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icehouse.cli._app import Json, StorePath, app, echo, show
from icehouse.errors import UsageError

if TYPE_CHECKING:
    from icehouse.store import Store

DEFAULT_ENCODER = "clip:ViT-B-32/laion2b_s34b_b79k"


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
    labels: Annotated[bool, typer.Option(help="Take labels from class folders.")] = True,
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
            help="auto, torch or openvino: what computes. auto measures where it can pay."
        ),
    ] = "auto",
    decode: Annotated[
        str, typer.Option(help="exact or fast: JPEGs at part of their size, where it hardly shows.")
    ] = "exact",
    resize: Annotated[
        str | None, typer.Option(help="shortest, longest or squash. Default: the encoder's own.")
    ] = None,
    adjust: Annotated[
        list[str] | None,
        typer.Option(help="denoise, equalise or grayscale; may be given several times."),
    ] = None,
    normalise: Annotated[
        str, typer.Option(help="By mean and deviation of: encoder (its training) or dataset.")
    ] = "encoder",
    dry_run: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Measure the speed on N images, and write nothing."),
    ] = None,
    json_lines: Json = False,
) -> None:
    """Freeze the features of every image that has none yet."""
    from icehouse.embedder import (
        EmbedOptions,
        EncoderRequest,
        PictureOptions,
        list_source,
        rehearse,
    )
    from icehouse.embedder import embed as run
    from icehouse.report import EmbedProgress, embed_table, rehearsal_table
    from icehouse.store import Store

    listing = list_source(source, labels=labels)
    options = EmbedOptions(batch_size, workers, max_pixels, retry_errors, engine)
    pictures = PictureOptions(decode, resize, tuple(adjust or ()), normalise)
    if dry_run is not None:
        known = Store.open(store) if store.exists() else None
        request = EncoderRequest(
            encoder or _usual_encoder(known), precision, vector_dtype, pictures
        )
        rehearsal = rehearse(listing, request, dry_run, options=options)
        show([rehearsal], json_lines, rehearsal_table(rehearsal))
        return
    opened = Store.open_or_create(store)
    request = EncoderRequest(encoder or _usual_encoder(opened), precision, vector_dtype, pictures)
    with EmbedProgress() as progress:
        report = run(
            opened, listing, request, dataset=dataset, task=task, options=options, progress=progress
        )
    show([report], json_lines, embed_table(report))


@app.command()
def info(store: StorePath, json_lines: Json = False) -> None:
    """Show what a store holds."""
    from icehouse.report import overview, overview_tables
    from icehouse.store import Store

    held = overview(Store.open(store))
    show([held], json_lines, *overview_tables(held))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to work in.")] = Path("demo"),
) -> None:
    """Run everything once on 1,797 scanned digits."""
    from icehouse.demo import run

    run(out, echo)


def _usual_encoder(store: Store | None) -> str:
    cards = store.encoder_cards() if store else {}
    names = sorted({card["request"]["name"] for card in cards.values()})
    if len(names) > 1:
        raise UsageError(f"the store has several encoders; choose one with --encoder: {names}")
    return str(names.pop()) if names else DEFAULT_ENCODER
