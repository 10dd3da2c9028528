"""The verb that says how many labels a strategy would have saved: simulate."""

from __future__ import annotations

from typing import Annotated

import typer

from icehouse.cli._app import EncoderName, Json, LabelsUrl, StorePath, TaskName, app, show


@app.command()
def simulate(
    store: StorePath,
    task: TaskName = None,
    encoder: EncoderName = None,
    strategies: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Names, or mixtures such as margin+coreset. Default: those that always work.",
        ),
    ] = None,
    heads: Annotated[
        str, typer.Option(metavar="A,B", help="Of mlp, logistic, forest, xgboost and knn.")
    ] = "logistic",
    seeds: Annotated[int, typer.Option(min=1, help="Replays of each strategy.")] = 10,
    seed: Annotated[
        int,
        typer.Option(
            help="Number of the first replay; the same number draws the same images again."
        ),
    ] = 0,
    start: Annotated[int, typer.Option(min=2, help="Labels at the beginning, at random.")] = 20,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Labels before each fit. Default: 3 for every 10 that there are."),
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Labels at the end. Default: what random needs for 95 % of the full accuracy.",
        ),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Only images of this dataset.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="TRAIN/VAL/TEST where the source gives none. Default: 80/10/10."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Default: one for each core, if it is worth it.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(help="Folder or URL for the files. Default: reports/TASK in the store."),
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Replay active learning on known labels: how many would have been enough."""
    from icehouse.heads import Fractions
    from icehouse.report import FitProgress, simulation_tables, write_simulation
    from icehouse.review import SimulateOptions
    from icehouse.review import simulate as run
    from icehouse.store import Store

    options = SimulateOptions(
        task=task,
        encoder=encoder,
        dataset=dataset,
        heads=_words(heads),
        seeds=seeds,
        seed=seed,
        start=start,
        batch=batch,
        budget=budget,
        fractions=Fractions.parse(split) if split else None,
        processes=processes,
        **({"strategies": _words(strategies)} if strategies else {}),
    )
    with FitProgress() as progress:
        simulation = run(Store.open(store, labels), options, progress)
    folder = out or f"{store.rstrip('/')}/reports/{simulation.task}"
    written = [f"written: {path}" for path in write_simulation(simulation, folder)]
    show([simulation], json_lines, *simulation_tables(simulation), *written)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
