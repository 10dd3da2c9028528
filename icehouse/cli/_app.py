"""The application, the options that verbs share, and how results are shown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icehouse import __version__

if TYPE_CHECKING:
    from rich.console import RenderableType

app = typer.Typer(
    name="icehouse",
    help="Freeze image features once, learn from them all year.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StorePath = Annotated[
    str,
    typer.Option(
        "--store", "-s", envvar="ICEHOUSE_STORE", help="Folder of the store, or s3://BUCKET/NAME."
    ),
]
LabelsUrl = Annotated[
    str | None,
    typer.Option(
        "--labels",
        envvar="ICEHOUSE_LABELS",
        metavar="URL",
        help="Database of the labels, postgresql://… or sqlite:///…. Default: in the folder.",
    ),
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
Coverage = Annotated[
    float | None,
    typer.Option(help="Sets that hold the right class so often, e.g. 0.95. Default: the head's."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON lines, for programs.")]


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


def show(results: Iterable[Any], json_lines: bool, *shown: RenderableType) -> None:
    """Print results as JSON lines for programs, or tables and text for people."""
    if json_lines:
        for result in results:
            print(json.dumps(asdict(result), ensure_ascii=False, default=bytes.hex))
    else:
        echo(*shown)


def noted(notes: Iterable[str]) -> list[str]:
    """Return notes as lines; what is in brackets is no colour."""
    from rich.markup import escape

    return [escape(f"note: {note}") for note in notes]


def echo(*shown: RenderableType) -> None:
    """Print tables and text."""
    from rich.console import Console

    console = Console(highlight=False)
    for each in shown:
        console.print(each, soft_wrap=isinstance(each, str))
