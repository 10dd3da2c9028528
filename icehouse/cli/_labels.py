"""Verbs about the label log: labels history, export, import, merge, undo."""

from __future__ import annotations

import csv
import getpass
from typing import Annotated

import typer

from icehouse.cli._app import Json, LabelsUrl, StorePath, TaskName, app, show

labels_app = typer.Typer(help="The label log: who said what, files, and other stores.")
app.add_typer(labels_app, name="labels")

Person = Annotated[
    str | None, typer.Option("--annotator", help="Who says so. Default: the name of the user.")
]


@labels_app.command("history")
def history_of(
    store: StorePath,
    image: Annotated[str, typer.Argument(help="Key, or image_id or its beginning.")],
    task: TaskName = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Show all that was ever said of an image."""
    from icehouse.heads import choose_task
    from icehouse.report import history_table
    from icehouse.review import history
    from icehouse.store import Store

    opened = Store.open(store, labels)
    found = history(opened, choose_task(opened, task).name, image)
    show([found], json_lines, *history_table(found))


@labels_app.command("task")
def make_task(
    store: StorePath,
    name: Annotated[str, typer.Argument(help="Of the task.")],
    classes: Annotated[str, typer.Option(metavar="A,B", help="Classes that it has or gets.")] = "",
    multi: Annotated[bool, typer.Option("--multi", help="Any number of labels an image.")] = False,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Make a task, or add classes to one; no image need have a label."""
    from icehouse.store import Store, check_name

    opened = Store.open(store, labels)
    words = next(csv.reader([classes], skipinitialspace=True), [])  # '"red, ripe",green' is two
    named = [word.strip() for word in words if word.strip()]
    kind = "multi" if multi else "single"
    opened.labels.ensure_task(check_name("task", name), kind, named)
    task = opened.labels.task(name)
    show([task], json_lines, f"task {task.name}, {task.kind}: {', '.join(task.classes) or 'none'}")


@labels_app.command("export")
def export_to(
    store: StorePath,
    file: Annotated[str, typer.Argument(help=".csv, .parquet, .jsonl, or .json for Label Studio.")],
    task: TaskName = None,
    head: Annotated[
        str | None,
        typer.Option(help="For Label Studio: add its answers, with scores to sort by."),
    ] = None,
    queue: Annotated[
        int | None, typer.Option(help="Number: only images of this queue, in its order.")
    ] = None,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Write the present labels, with who gave them and when."""
    from icehouse.heads import choose_task, load_head
    from icehouse.review import export_labels
    from icehouse.store import Queues, Store

    opened = Store.open(store, labels)
    if task is None and queue is not None:
        task = Queues(opened.labels).queue(queue).task
    name = choose_task(opened, task).name
    stored = load_head(opened, name, head) if head else None
    written = export_labels(opened, name, file, stored, queue)
    show([], json_lines, *(f"written: {path}" for path in written))


@labels_app.command("import")
def import_from(
    store: StorePath,
    file: Annotated[str, typer.Argument(help=".csv, .parquet, .jsonl, or .json of Label Studio.")],
    task: TaskName = None,
    annotator: Person = None,
    new_classes: Annotated[
        bool, typer.Option("--new-classes", help="Add classes that the task does not have.")
    ] = False,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Take labels from a file: all of it or nothing, and nothing twice."""
    from icehouse.heads import choose_task
    from icehouse.report import import_lines
    from icehouse.review import import_labels
    from icehouse.store import Store

    opened = Store.open(store, labels)
    name, person = choose_task(opened, task).name, annotator or getpass.getuser()
    done = import_labels(opened, name, file, annotator=person, new_classes=new_classes)
    show([done], json_lines, *import_lines(done))


@labels_app.command("merge")
def merge_with(
    store: StorePath,
    other: Annotated[str, typer.Argument(help="Another store.")],
    task: TaskName = None,
    new_task: Annotated[
        bool, typer.Option("--new-task", help="Make the task where this store does not have it.")
    ] = False,
    labels: LabelsUrl = None,
    json_lines: Json = False,
) -> None:
    """Append what the label log of another store holds, and show conflicts."""
    from icehouse.heads import choose_task
    from icehouse.report import merge_tables
    from icehouse.store import Store, merge_labels

    opened = Store.open(store, labels)
    theirs = Store.open(other)
    done = merge_labels(
        opened.labels,
        theirs.labels,
        choose_task(theirs, task).name,
        images=opened.places(),
        new_task=new_task,
    )
    show([done], json_lines, *merge_tables(done, opened))


@labels_app.command("undo")
def undo_event(
    store: StorePath,
    seq: Annotated[int, typer.Argument(help="Number of the event, see labels history.")],
    annotator: Person = None,
    labels: LabelsUrl = None,
) -> None:
    """Take back one statement, by another one."""
    from icehouse.store import Store

    opened = Store.open(store, labels)
    opened.require_labels()
    now = opened.labels.undo(seq, annotator=annotator or getpass.getuser())
    said = "it has no label now"
    if now is not None:
        said = (
            f"it is now labelled {', '.join(now.labels or ()) or 'with nothing'} by {now.annotator}"
        )
    show([], False, f"event {seq} of an image is taken back; {said}")
