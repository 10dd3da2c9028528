"""Verbs that search: search, and index with what it takes to do so quickly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from icehouse.cli._app import EncoderName, Json, LabelsUrl, StorePath, app, echo, noted, show

index_app = typer.Typer(help="Indexes, which make search faster in large stores.")
app.add_typer(index_app, name="index")

Several = list[str] | None
MilvusOption = typer.Option(
    "--index",
    metavar="MILVUS",
    help="Index in Milvus: milvus:FILE.db, or milvus:http://HOST:19530.",
)
MilvusUrl = Annotated[str | None, MilvusOption]


def search(
    store: StorePath,
    images: Annotated[
        Several, typer.Argument(help="Image files, keys in the store, or image_ids.")
    ] = None,
    text: Annotated[
        Several, typer.Option(help="Images that words describe (CLIP). Repeatable.")
    ] = None,
    unlike: Annotated[
        Several, typer.Option(help="Image that the answer is not to be like. Repeatable.")
    ] = None,
    not_text: Annotated[
        Several, typer.Option(help="Words that are not to describe it. Repeatable.")
    ] = None,
    vector: Annotated[
        Path | None, typer.Option(help="File of numpy (.npy) with one vector or several.")
    ] = None,
    encoder: EncoderName = None,
    task: Annotated[str | None, typer.Option("--task", "-t", help="Whose labels to show.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many.")] = 5,
    dataset: Annotated[Several, typer.Option(help="Only of this dataset. Repeatable.")] = None,
    split: Annotated[Several, typer.Option(help="Only of this split. Repeatable.")] = None,
    label: Annotated[Several, typer.Option(help="Only with this label. Repeatable.")] = None,
    labelled: Annotated[
        bool | None, typer.Option("--labelled/--unlabelled", help="Only with a label, or without.")
    ] = None,
    distinct: Annotated[
        bool, typer.Option("--distinct", help="No near-duplicates of the images asked for.")
    ] = False,
    exact: Annotated[bool, typer.Option("--exact", help="Compare all; use no index.")] = False,
    index: MilvusUrl = None,
    out: Annotated[
        str | None, typer.Option(help="Folder or URL for search.csv and search.png.")
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Show the images nearest to images, words or vectors."""
    from icehouse.report import hits_table, write_hits
    from icehouse.search import Engine, Filters, Query, choose_searched, read_vectors
    from icehouse.search import search as run
    from icehouse.store import Store

    opened = Store.open(store, labels)
    vectors = None if vector is None else read_vectors(vector)
    words = tuple(text or ()), tuple(not_text or ())
    query = Query(tuple(images or ()), tuple(unlike or ()), *words, vectors)
    filters = Filters(tuple(dataset or ()), tuple(split or ()), tuple(label or ()), labelled)
    chosen = choose_searched(opened, query, encoder)
    tasks = [t.name for t in opened.labels.tasks()] if opened.has_labels and not task else []
    found = run(
        opened,
        chosen,
        query,
        k,
        filters=filters,
        task=task or (tasks[0] if len(tasks) == 1 else None),
        distinct=distinct,
        engine=Engine.open(opened, chosen, exact=exact, index=index),
    )
    title = "  |  ".join(filter(None, (str(query), str(filters))))
    written = [] if out is None else write_hits(found, out, title)
    notes = list(found.notes)
    if len(tasks) > 1:
        named = " or ".join(tasks)
        notes.append(f"no labels are shown, as there are several tasks: --task {named}")
    lines = [*noted(notes), *(f"written: {path}" for path in written)]
    show(found.hits, json_lines, hits_table(found), *lines)


app.command()(search)
app.command("neighbours", hidden=True)(search)  # its name before it took words


@index_app.command("build")
def build(
    store: StorePath,
    encoder: EncoderName = None,
    target_recall: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the ten nearest to be found.")
    ] = 0.99,
    max_memory: Annotated[
        str | None, typer.Option(help="Of the index, e.g. 4GB; vectors come beside it.")
    ] = None,
    max_latency: Annotated[
        str | None, typer.Option(help="Of one query, e.g. 5ms, in 95 of 100 cases.")
    ] = None,
    kind: Annotated[
        Several, typer.Option(help="Try only this: flat, hnsw, ivf-sq or ivf-pq. Repeatable.")
    ] = None,
    json_lines: Json = False,
) -> None:
    """Measure which index suits an encoder's vectors, and keep it."""
    from icehouse.embedder import choose_encoder
    from icehouse.report import index_table
    from icehouse.search import BuildOptions, build_index, bytes_of, milliseconds_of
    from icehouse.store import Store

    options = BuildOptions(
        target_recall,
        None if max_memory is None else bytes_of(max_memory),
        None if max_latency is None else milliseconds_of(max_latency),
        tuple(kind or ()),
    )
    opened = Store.open(store)
    say = _quietly if json_lines else echo
    card = build_index(opened, choose_encoder(opened, encoder), options, say)
    show([card], json_lines, index_table(card))


@index_app.command("extend")
def extend(store: StorePath, encoder: EncoderName = None, json_lines: Json = False) -> None:
    """Add to an index the vectors that have come since."""
    from icehouse.embedder import choose_encoder
    from icehouse.search import extend_index
    from icehouse.store import Store

    opened = Store.open(store)
    card, came = extend_index(opened, choose_encoder(opened, encoder))
    show([card], json_lines, f"{came:,} vectors added; the index has {card.rows:,}")


@index_app.command("push")
def push(
    store: StorePath,
    index: Annotated[str, MilvusOption],
    encoder: EncoderName = None,
    json_lines: Json = False,
) -> None:
    """Bring an index in Milvus to where the store is; again after a stop, it goes on."""
    from icehouse.embedder import choose_encoder
    from icehouse.report import PushProgress, pushed_lines
    from icehouse.search import push_index
    from icehouse.store import Store

    opened = Store.open(store)
    with PushProgress() as progress:
        pushed = push_index(opened, choose_encoder(opened, encoder), index, progress=progress)
    show([pushed], json_lines, *pushed_lines(pushed))


@index_app.command("list")
def list_all(
    store: StorePath, encoder: EncoderName = None, index: MilvusUrl = None, json_lines: Json = False
) -> None:
    """Show the indexes, and how far they are behind their vectors."""
    from icehouse.embedder import choose_encoder
    from icehouse.report import indexes_table, pushed_table
    from icehouse.search import list_indexes, pushed_state
    from icehouse.store import Store

    if index is not None:
        opened = Store.open(store)
        found = [pushed_state(opened, choose_encoder(opened, encoder), index)]
        show(found, json_lines, pushed_table(found))
        return
    states = list_indexes(Store.open(store))
    notes = [note for state in states for note in state.notes]
    show(states, json_lines, indexes_table(states), *noted(notes))


@index_app.command("drop")
def drop(
    store: StorePath, encoder: EncoderName = None, index: MilvusUrl = None, json_lines: Json = False
) -> None:
    """Remove an index; search is exact without it."""
    from icehouse.embedder import choose_encoder
    from icehouse.search import drop_index, drop_pushed
    from icehouse.store import Store

    opened = Store.open(store)
    chosen = choose_encoder(opened, encoder)
    removed = drop_index(opened, chosen) if index is None else drop_pushed(opened, chosen, index)
    if json_lines:
        print(json.dumps({"removed": removed}))
    else:
        echo(*(f"removed: {name}" for name in removed or ["nothing: there was none"]))


def _quietly(_: str) -> None:
    pass
