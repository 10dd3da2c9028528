"""Labels go out and come in again: nothing twice, nothing by halves, nothing changed."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source
from icehouse.errors import LookupFailed, SourceError, UsageError
from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.report import import_lines, merge_tables
from icehouse.review.exchange import export_labels, history, import_labels
from icehouse.store import Answer, QueueItem, Queues, Store, merge_labels

FORMATS = ("labels.csv", "labels.parquet", "labels.jsonl", "labels.json")
TASK = "shapes"


@pytest.fixture
def other(embedded: Store, tmp_path: Path) -> Store:
    """A store of the same images, in which nobody has said anything since."""
    shutil.copytree(embedded.path, tmp_path / "other")
    return Store.open(tmp_path / "other")


@pytest.fixture
def said(embedded: Store, other: Store) -> Store:
    """A store in which ann has called two discs stripes, one of them with a note."""
    first, second = sorted(images(embedded))[:2]
    embedded.labels.record(TASK, [(first, ("stripes",))], annotator="ann", origin="review")
    embedded.labels.record(
        TASK, [(second, ("stripes",))], annotator="ann", origin="review", note='a, b; "c"'
    )
    return embedded


def images(store: Store) -> list[bytes]:
    return [i for i, labels in store.labels.present(TASK).items() if labels == ("disc",)]


def take(store: Store, file: Path, **more: Any) -> Any:
    return import_labels(store, TASK, file, annotator="eve", **more)


def write(path: Path, *rows: dict[str, Any]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue())
    return path


# There and back.


@pytest.mark.parametrize("name", FORMATS)
def test_what_went_out_is_known_when_it_comes_again(said: Store, tmp_path: Path, name: str) -> None:
    written = export_labels(said, TASK, tmp_path / name)
    assert Path(written[0]) == tmp_path / name
    before = said.labels.events(TASK)
    done = take(said, tmp_path / name)
    assert (done.statements, done.new, done.changed, done.new_classes) == (40, 0, 0, ())
    assert said.labels.events(TASK) == before


@pytest.mark.parametrize("name", FORMATS)
def test_another_store_takes_what_it_lacks_once(
    said: Store, other: Store, tmp_path: Path, name: str
) -> None:
    export_labels(said, TASK, tmp_path / name)
    for new, changed in ((2, 2), (0, 0)):
        done = take(other, tmp_path / name)
        assert (done.statements, done.new, done.changed) == (40, new, changed)
    assert other.labels.present(TASK) == said.labels.present(TASK)
    *_, event = other.labels.events(TASK)
    assert (event.annotator, event.origin) == ("ann", "import")
    there = said.labels.in_force(TASK)[event.image_id]
    assert event.time == pytest.approx(there.time, abs=1e-6)
    if name != "labels.json":  # Label Studio has no place for it
        assert event.note == 'a, b; "c"'


def test_an_old_file_does_not_bring_back_what_was_taken_back(said: Store, tmp_path: Path) -> None:
    export_labels(said, TASK, tmp_path / "labels.csv")
    *_, last = said.labels.events(TASK)
    said.labels.undo(last.seq, annotator="ann")
    assert take(said, tmp_path / "labels.csv").changed == 0
    assert said.labels.present(TASK)[last.image_id] == ("disc",)


def test_several_labels_of_an_image_share_a_cell(store: Store, tmp_path: Path, embedded) -> None:
    (image, other, *_) = sorted(images(embedded))
    embedded.labels.ensure_task("tags", "multi", ["wet", "dark"])
    tags = [(image, ("wet", "dark")), (other, ())]
    embedded.labels.record("tags", tags, annotator="ann", origin="cli")
    for name in FORMATS:
        export_labels(embedded, "tags", tmp_path / name)
        done = import_labels(embedded, "tags", tmp_path / name, annotator="eve")
        assert (done.statements, done.new) == (2, 0)
    assert "wet;dark" in (tmp_path / "labels.csv").read_text()
    assert 'choice="multiple"' in (tmp_path / "labels.xml").read_text()


def edit(path: Path, key: str, label: str) -> Path:
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    return write(path, *({**row, "labels": label} if row["key"] == key else row for row in rows))


def test_who_edits_a_file_says_so_now_and_once(said: Store, tmp_path: Path) -> None:
    export_labels(said, TASK, tmp_path / "labels.csv")
    before = said.labels.events(TASK)
    path = edit(tmp_path / "labels.csv", "stripes/00.png", "disc")
    for new in (1, 0):
        done = take(said, path)
        assert (done.new, done.changed, done.outdated) == (new, new, 0)
    *held, event = said.labels.events(TASK)
    assert held == before
    assert (event.annotator, event.origin, event.labels) == ("eve", "import", ("disc",))
    assert event.time > max(each.time for each in before)
    assert said.labels.present(TASK)[event.image_id] == ("disc",)


def test_an_edit_of_what_one_said_without_a_name_is_known_as_one(
    embedded: Store, tmp_path: Path
) -> None:
    row = {"key": "disc/00.png", "label": "stripes", "time": "2026-01-02T03:04:05Z"}
    assert take(embedded, write(tmp_path / "l.csv", row)).new == 1
    *_, first = embedded.labels.events(TASK)
    for new in (1, 0):
        assert take(embedded, write(tmp_path / "l.csv", {**row, "label": "disc"})).new == new
    *_, event = embedded.labels.events(TASK)
    assert (event.labels, event.annotator) == (("disc",), "eve")
    assert event.time > first.time


def test_what_others_have_said_since_is_not_taken_back_in_silence(
    said: Store, tmp_path: Path
) -> None:
    export_labels(said, TASK, tmp_path / "labels.csv")
    *_, last = said.labels.events(TASK)
    said.labels.record(TASK, [(last.image_id, ("disc",))], annotator="bob", origin="review")
    done = take(said, tmp_path / "labels.csv")
    assert (done.new, done.changed, done.outdated) == (0, 0, 1)
    assert "1 rows say something else than the present label" in import_lines(done)[1]


# Tables made by hand.


def test_rows_without_a_time_are_news_only_once(embedded: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", {"key": "disc/00.png", "label": "stripes"})
    for new in (1, 0):
        done = take(embedded, path)
        assert (done.new, done.changed) == (new, new)
    *_, event = embedded.labels.events(TASK)
    assert (event.annotator, event.origin, event.labels) == ("eve", "import", ("stripes",))


def test_a_row_may_name_the_file_that_holds_the_image(embedded: Store, tmp_path: Path) -> None:
    place = embedded.find_image("disc/00.png")
    assert place.path is not None
    elsewhere = shutil.copy(place.path, tmp_path / "elsewhere.png")
    take(embedded, write(tmp_path / "l.csv", {"key": str(elsewhere), "label": "stripes"}))
    assert embedded.labels.present(TASK)[place.image_id] == ("stripes",)


@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        (
            [{"key": "disc/00.png", "label": "disc"}, {"key": "x.png", "label": "disc"}],
            SourceError,
            r"1 of 2 statements name no image.*row 2: no image of 'x.png'.*Embed these images",
        ),
        ([{"image_id": "ab" * 32, "label": "disc"}], SourceError, "no image of 'abab"),
        (
            [{"key": "disc/00.png", "label": "owl"}, {"key": "disc/01.png", "label": "ant"}],
            SourceError,
            "2 classes of .* are not in task 'shapes': ant, owl. Add them with --new-classes",
        ),
        (
            [{"key": "disc/00.png", "label": "disc"}, {"key": "disc/00.png", "label": "stripes"}],
            UsageError,
            "row 2 and row 1 say .* of one image",
        ),
        ([{"key": "disc/00.png"}], SourceError, "row 1 has no column 'labels' or 'label'; .* key"),
        ([{"label": "disc"}], SourceError, "row 1 names no image: .* does$"),
        (
            [{"File": "disc/00.png", "label": "disc"}],
            SourceError,
            "row 1 names no image.*call the column 'file' 'key'",
        ),
        (
            [{"key": "disc/00.png", "label": "disc", "time": "noon"}],
            SourceError,
            "row 1: 'noon' is no time",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_as_a_whole(
    embedded: Store, tmp_path: Path, rows: Any, error: type, match: str
) -> None:
    before = embedded.labels.events(TASK)
    with pytest.raises(error, match=match):
        take(embedded, write(tmp_path / "l.csv", *rows))
    assert embedded.labels.events(TASK) == before


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_as_spreadsheets_write_it(
    embedded: Store, tmp_path: Path, delimiter: str
) -> None:
    lines = ["KEY; Label;Note", 'disc/00.png;stripes;"a;b,c"', "disc/01.png;disc;"]
    text = "\r\n".join(line.replace(";", delimiter) for line in lines)
    (tmp_path / "l.csv").write_bytes(text.encode("utf-8-sig"))
    assert take(embedded, tmp_path / "l.csv").new == 2
    assert embedded.labels.events(TASK)[-2].note == f"a{delimiter}b,c"


def test_one_column_of_labels_is_no_list_of_several(embedded: Store, tmp_path: Path) -> None:
    embedded.labels.ensure_task("tags", "multi", ["wet", "dark"])
    (tmp_path / "l.csv").write_text("key,labels\ndisc/00.png,wet;dark\n")
    import_labels(embedded, "tags", tmp_path / "l.csv", annotator="eve")
    assert list(embedded.labels.present("tags").values()) == [("wet", "dark")]


@pytest.mark.parametrize("name", ["l.csv", "l.jsonl"])
def test_rows_without_a_label_are_passed_over_and_counted(
    embedded: Store, tmp_path: Path, name: str
) -> None:
    rows = [{"key": f"disc/0{n}.png", "label": each} for n, each in enumerate(["stripes", "", " "])]
    path = tmp_path / name
    if name == "l.csv":
        write(path, *rows).write_text(path.read_text() + "disc/03.png\n")
    else:
        lines = [*rows, {"key": "disc/03.png", "label": None}]
        path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    done = take(embedded, path)
    assert (done.statements, done.new, done.unlabelled) == (1, 1, 3)
    assert "3 rows without a label were passed over" in import_lines(done)


def test_where_several_labels_are_taken_an_empty_cell_is_none_of_them(
    embedded: Store, tmp_path: Path
) -> None:
    embedded.labels.ensure_task("tags", "multi", ["wet"])
    path = write(tmp_path / "l.csv", {"key": "disc/00.png", "labels": ""})
    path.write_text(path.read_text() + "disc/01.png\n")
    done = import_labels(embedded, "tags", path, annotator="eve")
    assert (done.new, done.unlabelled) == (1, 1)  # a short row has no cell at all


def test_new_classes_are_added_where_that_was_asked_for(embedded: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", {"key": "disc/00.png", "label": "owl"})
    assert take(embedded, path, new_classes=True).new_classes == ("owl",)
    assert "owl" in embedded.labels.task(TASK).classes


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        ("l.txt", b"", "end in .csv, .parquet, .jsonl, .json .Label Studio., not"),
        ("l.parquet", b"PAR", "no parquet file with labels"),
        ("l.jsonl", b"{", "no jsonl file with labels"),
        ("l.jsonl", b"[1]", "row 1: a row is an object of columns, got"),
        ("l.csv", b"\xff\xfe", "no csv file with labels: it is not UTF-8; .* CSV UTF-8"),
        ("l.json", b"{}", "a list of tasks; export as JSON"),
        ("l.json", b"nope", "l.json: this is no JSON file"),
        ("l.json", b'[{"annotations": [{}]}]', "task 1 is not as Label Studio exports it"),
        ("l.csv", b"", "no rows in this csv file"),
        ("l.csv", b"key,label\n", "no rows in this csv file"),
        ("l.jsonl", b"\n", "no rows in this jsonl file"),
        (
            "l.jsonl",
            b'{"key": "disc/00.png", "labels": ["disc", "stripes"]}',
            "row 1: .* one label",
        ),
        ("l.json", b"[]", "no tasks in this file"),
        ("l.json", b'[{"image": "a.png", "label": "disc"}]', "task 1 .* without data.* JSON-MIN"),
        ("l.json", b"[7]", "task 1 is not as Label Studio exports it"),
    ],
)
def test_files_that_are_not_what_their_name_says_are_refused(
    embedded: Store, tmp_path: Path, name: str, data: bytes, match: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises((SourceError, UsageError), match=match):
        take(embedded, tmp_path / name)


def test_what_is_not_there_is_said(embedded: Store, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file"):
        take(embedded, tmp_path / "l.csv")
    with pytest.raises(LookupFailed, match="no task 'plant'"):
        export_labels(embedded, "plant", tmp_path / "l.csv")


# Label Studio.


@pytest.fixture
def tasks(said: Store, tmp_path: Path) -> list[dict[str, Any]]:
    """What is exported with the answers of a head."""
    fit_head(said, "logistic", options=FitOptions(folds=3))
    stored = load_head(said, TASK, "logistic")
    export_labels(said, TASK, tmp_path / "l.json", stored)
    return list(json.loads((tmp_path / "l.json").read_text()))


def test_every_task_has_a_score_to_sort_by(tasks: list[dict[str, Any]]) -> None:
    assert len(tasks) == 40
    scores = [prediction["score"] for task in tasks for prediction in task["predictions"]]
    assert len(scores) == 40
    assert all(0.5 <= score <= 1 for score in scores)
    assert len(set(scores)) > 10
    assert {task["predictions"][0]["model_version"][:9] for task in tasks} == {"logistic "}


@pytest.fixture
def loose(said: Store, tmp_path: Path) -> Store:
    """The store with a dataset of three images that nobody has labelled."""
    (tmp_path / "loose").mkdir()
    noise = np.random.default_rng(9).integers(0, 256, (3, 40, 40, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / "loose" / f"{number:02}.png")
    embed(said, list_source(tmp_path / "loose"), "descriptor", dataset="loose")
    return said


@pytest.mark.parametrize("asked", [True, False])
def test_images_without_a_label_go_out_to_get_one(
    loose: Store, tmp_path: Path, asked: bool
) -> None:
    fit_head(loose, "logistic", options=FitOptions(folds=3))
    stored = load_head(loose, TASK, "logistic") if asked else None
    export_labels(loose, TASK, tmp_path / "l.json", stored)
    tasks = json.loads((tmp_path / "l.json").read_text())
    bare = [task for task in tasks if not task["annotations"]]
    assert len(tasks) == 43
    assert {task["data"]["dataset"] for task in bare} == {"loose"}
    assert len(bare) == 3
    assert {len(task["predictions"]) for task in tasks} == {int(asked)}
    done = take(loose, tmp_path / "l.json")
    assert (done.statements, done.new, done.unlabelled) == (40, 0, 0)


@pytest.mark.parametrize("name", ["l.csv", "l.json"])
def test_the_images_of_a_queue_go_out_in_its_order(loose: Store, tmp_path: Path, name: str) -> None:
    by_key = {place.key: image for image, place in loose.places().items()}
    keys = ["stripes/03.png", "01.png", "disc/05.png"]
    items = [QueueItem(by_key[key], 0.5) for key in keys]
    number = Queues(loose.labels).make(TASK, "margin", items).id
    export_labels(loose, TASK, tmp_path / name, queue=number)
    text = (tmp_path / name).read_text()
    if name == "l.json":
        assert [task["data"]["key"] for task in json.loads(text)] == keys
    else:
        rows = csv.DictReader(io.StringIO(text))
        assert [row["key"] for row in rows] == ["stripes/03.png", "disc/05.png"]


def test_a_queue_of_another_task_is_refused(said: Store, tmp_path: Path) -> None:
    said.labels.ensure_task("pet", "single", ["cat"])
    image = sorted(images(said))[0]
    number = Queues(said.labels).make("pet", "margin", [QueueItem(image, 0.5)]).id
    with pytest.raises(UsageError, match="queue 1 is of task 'pet', not of 'shapes'"):
        export_labels(said, TASK, tmp_path / "l.csv", queue=number)
    with pytest.raises(LookupFailed, match="no queue 2"):
        export_labels(said, TASK, tmp_path / "l.csv", queue=2)


def test_tasks_are_as_label_studio_documents_them(
    tasks: list[dict[str, Any]], tmp_path: Path
) -> None:
    interface = (tmp_path / "l.xml").read_text()
    assert '<Image name="image" value="$image"/>' in interface
    assert '<Choices name="label" toName="image" choice="single">' in interface
    for task in tasks:
        assert set(task) == {"data", "annotations", "predictions"}
        assert Path(task["data"]["image"]).is_file()
        for part in (*task["annotations"], *task["predictions"]):
            (result,) = part["result"]
            assert (result["from_name"], result["to_name"]) == ("label", "image")
            assert result["type"] == "choices"
            (choice,) = result["value"]["choices"]
            assert f'<Choice value="{choice}"/>' in interface


def test_predictions_have_no_place_in_a_table(said: Store, tmp_path: Path) -> None:
    fit_head(said, "logistic")
    with pytest.raises(UsageError, match="Label Studio's JSON only"):
        export_labels(said, TASK, tmp_path / "l.csv", load_head(said, TASK, "logistic"))


def test_what_was_edited_there_is_news(
    tasks: list[dict[str, Any]], said: Store, tmp_path: Path
) -> None:
    edited, cancelled, gone = tasks[0], tasks[1], tasks[2]
    label = "stripes" if "disc" in str(edited["annotations"]) else "disc"
    edited["annotations"][0]["result"][0]["value"]["choices"] = [label]
    edited["annotations"][0]["completed_by"] = {"id": 7, "email": "zoe@example.org"}
    edited["annotations"][0]["updated_at"] = "2031-05-06T07:08:09.123456Z"
    cancelled["annotations"][0]["was_cancelled"] = True
    del gone["annotations"]
    (tmp_path / "l.json").write_text(json.dumps(tasks))
    for new in (1, 0):
        done = take(said, tmp_path / "l.json")
        assert (done.statements, done.new, done.changed) == (38, new, new)
    *_, event = said.labels.events(TASK)
    assert (event.labels, event.annotator) == ((label,), "label-studio:zoe@example.org")
    assert event.image_id.hex() == edited["data"]["image_id"]


def test_an_annotation_without_a_choice_is_passed_over(
    tasks: list[dict[str, Any]], said: Store, tmp_path: Path
) -> None:
    (annotation,) = tasks[0]["annotations"]
    (result,) = annotation["result"]
    annotation["result"] = []
    (tmp_path / "l.json").write_text(json.dumps(tasks))
    done = take(said, tmp_path / "l.json")
    assert (done.statements, done.new, done.unlabelled) == (39, 0, 1)
    result["value"]["choices"] = ["disc", "stripes"]
    annotation["result"] = [result]
    (tmp_path / "l.json").write_text(json.dumps(tasks))
    with pytest.raises(UsageError, match="task 1: task 'shapes' takes exactly one label, got"):
        take(said, tmp_path / "l.json")


# Merges.


def test_a_merge_says_what_is_new_and_what_is_not_here(loose: Store, other: Store) -> None:
    (image,) = (i for i, place in loose.places().items() if place.key == "00.png")
    loose.labels.ensure_task(TASK, "single", ["noise"])
    loose.labels.record(TASK, [(image, ("noise",))], annotator="ann", origin="review")
    done = merge_labels(other.labels, loose.labels, TASK, images=other.places())
    assert (done.new_classes, done.unknown_images) == (("noise",), 1)
    _, classes, lacking = merge_tables(done, other)
    assert classes == "new classes: noise"
    assert str(lacking).startswith("1 images of the other store are not in this one")


# History.


def test_the_history_of_an_image_is_all_that_was_said_and_asked(said: Store) -> None:
    image = sorted(said.labels.present(TASK))[5]
    queues = Queues(said.labels)
    why = {"strategy": "margin", "probability": 0.54}
    queue = queues.make(TASK, "margin", [QueueItem(image, 0.9, why)]).id
    queues.answer(queue, "bob", [Answer("t1", image, "unsure", seconds=2.0)])
    queues.answer(queue, "ann", [Answer("t2", image, labels=("stripes",), seconds=1.0)])
    queues.undo(queue, "ann", "t3")
    found = history(said, TASK, image.hex()[:16])
    assert [step.what for step in found.steps] == ["label", "unsure", "label", "undo"]
    assert [step.annotator for step in found.steps] == [TASK, "bob", "ann", "ann"]
    assert [step.in_force for step in found.steps] == [True, False, False, False]
    assert found.labels == found.steps[0].labels
    assert found.steps[2].why == why
    assert found.steps[3].undoes == found.steps[2].seq
    assert [step.seconds for step in found.steps] == [None, 2.0, 1.0, None]
    with pytest.raises(LookupFailed, match="no image in the store"):
        history(said, TASK, "nowhere.png")


def test_a_store_without_queues_is_only_read(said: Store) -> None:
    tables = set(said.labels.database.lacking)
    found = history(said, TASK, "disc/00.png")
    assert len(found.steps) >= 1
    assert said.labels.database.lacking == tables
