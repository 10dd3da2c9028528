"""The label log: events are only ever added, and the present labels follow from them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icehouse.errors import LookupFailed, StoreCorrupt, StoreError, StoreUnwritable, UsageError
from icehouse.store import LabelEvent, LabelLog, Store, Task

A, B, C = (bytes([number]) * 31 + b"\0" for number in range(3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.sqlite"


@pytest.fixture
def log(path: Path) -> LabelLog:
    """A log with the single-label task "animal" and the multi-label task "tags"."""
    log = LabelLog(f"sqlite:///{path}")
    log.ensure_task("animal", "single", ["cat", "dog", "owl"])
    log.ensure_task("tags", "multi", ["wet", "dark"])
    return log


def say(log: LabelLog, image: bytes, *labels: str, task: str = "animal") -> int:
    """Record one statement and return its number."""
    log.record(task, [(image, labels)], annotator="ann", origin="review")
    return log.events(task)[-1].seq


def test_a_new_log_has_no_tasks(path: Path) -> None:
    assert LabelLog(f"sqlite:///{path}").tasks() == []


def test_tasks_come_sorted_with_their_classes(log: LabelLog) -> None:
    assert log.tasks() == [
        Task("animal", "single", ("cat", "dog", "owl")),
        Task("tags", "multi", ("dark", "wet")),
    ]
    assert log.task("tags").kind == "multi"


def test_classes_keep_their_order_when_others_are_added_and_are_never_lost(log: LabelLog) -> None:
    log.ensure_task("animal", "single", ["bee", "cat", "ant"])
    log.ensure_task("animal", "single")
    assert log.task("animal").classes == ("cat", "dog", "owl", "ant", "bee")


def test_two_tasks_may_have_classes_of_the_same_name(log: LabelLog) -> None:
    log.ensure_task("pet", "single", ["cat"])
    assert log.task("pet").classes == ("cat",)


def test_a_task_of_another_kind_is_refused_and_unchanged(log: LabelLog) -> None:
    with pytest.raises(UsageError, match=r"'animal' takes single labels, but got multi.*--task"):
        log.ensure_task("animal", "multi", ["bee"])
    assert log.task("animal") == Task("animal", "single", ("cat", "dog", "owl"))


def test_an_unknown_task_is_reported_with_those_that_there_are(log: LabelLog) -> None:
    with pytest.raises(LookupFailed, match="no task 'plant'; it has: animal, tags"):
        log.task("plant")
    with pytest.raises(LookupFailed, match="no task 'plant'"):
        say(log, A, "cat", task="plant")
    with pytest.raises(LookupFailed, match="no task 'plant'"):
        log.present("plant")


def test_in_an_empty_log_no_task_is_known(path: Path) -> None:
    with pytest.raises(LookupFailed, match="no task 'animal'; it has: none"):
        LabelLog(f"sqlite:///{path}").task("animal")


def test_an_event_says_all_that_was_recorded(log: LabelLog) -> None:
    log.record("tags", [(A, ("wet", "dark"))], annotator="Zoë", origin="cli", note="night ☾")
    [event] = log.events("tags")
    assert event == LabelEvent(
        seq=event.seq,
        image_id=A,
        labels=("wet", "dark"),
        annotator="Zoë",
        time=event.time,
        origin="cli",
        note="night ☾",
        undoes=None,
    )
    assert event.time > 1_700_000_000


def test_events_are_numbered_upwards_in_the_order_of_recording(log: LabelLog) -> None:
    statements = [(A, ("cat",)), (B, ("dog",)), (A, ("owl",))]
    log.record("animal", statements, annotator="ann", origin="review")
    say(log, C, "cat")
    events = log.events("animal")
    assert [(e.image_id, e.labels) for e in events] == [*statements, (C, ("cat",))]
    assert [e.seq for e in events] == sorted({e.seq for e in events})


def test_the_last_statement_is_the_present_label(log: LabelLog) -> None:
    say(log, A, "cat")
    say(log, B, "dog")
    say(log, A, "owl")
    assert log.present("animal") == {A: ("owl",), B: ("dog",)}
    assert len(log.events("animal")) == 3


def test_tasks_do_not_share_labels(log: LabelLog) -> None:
    say(log, A, "cat")
    say(log, A, "wet", task="tags")
    assert log.present("animal") == {A: ("cat",)}
    assert log.present("tags") == {A: ("wet",)}


def test_no_label_at_all_is_a_statement_in_a_multi_label_task(log: LabelLog) -> None:
    say(log, A, "wet", task="tags")
    say(log, A, task="tags")
    assert log.present("tags") == {A: ()}


@pytest.mark.parametrize("labels", [(), ("cat", "dog")])
def test_a_single_label_task_takes_exactly_one(log: LabelLog, labels: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="task 'animal' takes exactly one label, got "):
        say(log, A, *labels)
    assert log.events("animal") == []


@pytest.mark.parametrize("task", ["animal", "tags"])
def test_an_unknown_class_is_refused_with_those_that_there_are(log: LabelLog, task: str) -> None:
    classes = ", ".join(log.task(task).classes)
    with pytest.raises(UsageError, match=rf"\['bee'\] not among the classes of .*: {classes}"):
        say(log, A, "bee", task=task)


def test_of_many_statements_all_are_recorded_or_none(log: LabelLog) -> None:
    with pytest.raises(UsageError, match=r"\['bee'\] not among the classes"):
        log.record("animal", [(A, ("cat",)), (B, ("bee",))], annotator="ann", origin="review")
    assert log.events("animal") == []


def test_no_statements_record_nothing(log: LabelLog) -> None:
    log.record("animal", [], annotator="ann", origin="review")
    assert log.events("animal") == []


def test_undo_brings_back_the_statement_before(log: LabelLog) -> None:
    say(log, A, "cat")
    second = say(log, A, "dog")
    now = log.undo(second, annotator="ben", origin="review")
    assert now is not None
    assert (now.image_id, now.labels, now.annotator) == (A, ("cat",), "ann")
    assert log.present("animal") == {A: ("cat",)}
    undo = log.events("animal")[-1]
    assert (undo.image_id, undo.labels, undo.undoes) == (A, None, second)
    assert (undo.annotator, undo.origin) == ("ben", "review")


def test_undo_of_the_only_statement_leaves_the_image_without_label(log: LabelLog) -> None:
    assert log.undo(say(log, A, "cat"), annotator="ann") is None
    assert log.present("animal") == {}


def test_undo_of_an_undo_brings_the_statement_back(log: LabelLog) -> None:
    first = say(log, A, "cat")
    for expected in ({}, {A: ("cat",)}, {}, {A: ("cat",)}):
        last = log.events("animal")[-1].seq
        log.undo(last if last != first else first, annotator="ann")
        assert log.present("animal") == expected


def test_a_statement_undone_twice_needs_both_undos_undone(log: LabelLog) -> None:
    first = say(log, A, "cat")
    log.undo(first, annotator="ann")
    log.undo(first, annotator="ben")
    one, other = (event.seq for event in log.events("animal")[-2:])
    log.undo(one, annotator="ann")
    assert log.present("animal") == {}
    log.undo(other, annotator="ben")
    assert log.present("animal") == {A: ("cat",)}


def test_undo_of_an_older_statement_does_not_touch_the_later_one(log: LabelLog) -> None:
    first = say(log, A, "cat")
    say(log, A, "dog")
    log.undo(first, annotator="ann")
    assert log.present("animal") == {A: ("dog",)}


def test_an_unknown_event_cannot_be_undone(log: LabelLog) -> None:
    seq = say(log, A, "cat")
    with pytest.raises(LookupFailed, match=f"no event {seq + 1}"):
        log.undo(seq + 1, annotator="ann")
    assert len(log.events("animal")) == 1


statement = st.tuples(st.just("say"), st.sampled_from([A, B]), st.sampled_from(["cat", "dog"]))
undoing = st.tuples(st.just("undo"), st.integers(0, 30), st.none())


@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(statement | undoing, max_size=8))
def test_any_history_gives_the_labels_of_a_simple_model(log: LabelLog, steps: list[Any]) -> None:
    task = f"task {len(log.tasks())}"
    log.ensure_task(task, "single", ["cat", "dog"])
    # The model: a list of (image, label, what it undoes), and the definition taken literally.
    model: list[tuple[bytes, str | None, int | None]] = []
    for what, which, label in steps:
        if what == "say":
            log.record(task, [(which, (label,))], annotator="ann", origin="review")
            model.append((which, label, None))
        elif model:
            target = which % len(model)
            log.undo(log.events(task)[target].seq, annotator="ann")
            model.append((model[target][0], None, target))

    def holds(number: int) -> bool:
        takers = [n for n, (_, _, undone) in enumerate(model) if undone == number]
        return not any(holds(taker) for taker in takers)

    expected = {
        image: (label,)
        for number, (image, label, _) in enumerate(model)
        if label is not None and holds(number)
    }
    assert log.present(task) == expected
    assert len(log.events(task)) == len(model)


def test_the_log_is_kept_when_it_is_opened_again(log: LabelLog, path: Path) -> None:
    say(log, A, "cat")
    again = LabelLog(f"sqlite:///{path}")
    assert again.tasks() == log.tasks()
    assert again.events("animal") == log.events("animal")


def test_the_log_is_read_by_plain_sqlite(log: LabelLog, path: Path) -> None:
    log.ensure_task("animal", "single", ["bär"])
    say(log, A, "bär")
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT task, image_id, labels, annotator FROM events").fetchall()
    assert rows == [("animal", A, '["bär"]', "ann")]
    assert json.loads(rows[0][2]) == ["bär"]


def test_nothing_is_ever_overwritten(log: LabelLog) -> None:
    history: list[LabelEvent] = []
    for step in range(6):
        if step % 3 == 2:
            log.undo(history[-1].seq, annotator="ann")
        else:
            say(log, A, "cat" if step % 2 else "dog")
        events = log.events("animal")
        assert events[:-1] == history
        history = events


def test_several_people_at_work_at_once_lose_no_statement(log: LabelLog, path: Path) -> None:
    def work(name: str) -> None:
        own = LabelLog(f"sqlite:///{path}")
        for _ in range(8):
            own.record("animal", [(A, ("cat",))], annotator=name, origin="review")

    people = [threading.Thread(target=work, args=(name,)) for name in ("ann", "ben", "eve")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    events = log.events("animal")
    assert sorted(e.annotator for e in events) == ["ann"] * 8 + ["ben"] * 8 + ["eve"] * 8
    assert len({e.seq for e in events}) == 24


def test_a_statement_acknowledged_before_a_kill_is_kept(
    log: LabelLog, path: Path, start_python: Callable[..., Any]
) -> None:
    script = """
import itertools, sys
from icehouse.store import LabelLog
log = LabelLog(sys.argv[1])
for number in itertools.count():
    pairs = [(number.to_bytes(32, "big"), ("cat",)), (number.to_bytes(32, "little"), ("dog",))]
    log.record("animal", pairs, annotator="ann", origin="review")
    print(number, flush=True)
"""
    with start_python(script, f"sqlite:///{path}") as writer:
        said = [writer.stdout.readline() for _ in range(5)]
        writer.kill()
        said += writer.stdout.readlines()
    acknowledged = sum(line.endswith("\n") for line in said)
    events = log.events("animal")
    assert acknowledged >= 5
    assert len(events) % 2 == 0
    assert len(events) // 2 - acknowledged in (0, 1)


@pytest.mark.parametrize("how", ["garbage", "cut", "first page only", "overwritten"])
def test_a_damaged_log_is_reported_as_such(log: LabelLog, path: Path, how: str) -> None:
    many = [(number.to_bytes(32, "big"), ("cat",)) for number in range(500)]
    log.record("animal", many, annotator="ann", origin="review")
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(
        {
            "garbage": b"not a database at all",
            "cut": whole[: len(whole) // 2],
            "first page only": whole[:4096],
            "overwritten": whole[:8192] + b"\xff" * (len(whole) - 8192),
        }[how]
    )
    with pytest.raises(StoreCorrupt, match=r"label log sqlite:.*labels\.sqlite is damaged: "):
        LabelLog(f"sqlite:///{path}").present("animal")


def test_a_log_that_may_only_be_read_is_read_and_refuses_new_events(
    log: LabelLog, path: Path
) -> None:
    seq = say(log, A, "cat")
    url = f"sqlite:///file:{path}?mode=ro&uri=true"
    reader = LabelLog(url)
    assert reader.present("animal") == {A: ("cat",)}
    with pytest.raises(StoreUnwritable, match=r"attempt to write a readonly database\. Check"):
        say(reader, A, "dog")
    with pytest.raises(StoreUnwritable, match=r"attempt to write a readonly database\. Check"):
        reader.undo(seq, annotator="ann")
    with pytest.raises(StoreUnwritable, match=r"attempt to write a readonly database\. Check"):
        reader.ensure_task("plant", "single", ["oak"])
    assert log.present("animal") == {A: ("cat",)}


def test_a_log_on_a_read_only_disk_is_read_and_refuses_new_events(
    log: LabelLog,
    path: Path,
    python: Callable[..., Any],
    read_only: Callable[[Path], tuple[str, ...]],
) -> None:
    say(log, A, "cat")
    script = """
import sys
from icehouse.errors import StoreUnwritable
from icehouse.store import LabelLog
log = LabelLog(sys.argv[1])
print(log.present("animal"))
try:
    log.record("animal", [(bytes(32), ("dog",))], annotator="ann", origin="review")
except StoreUnwritable as error:
    print(error)
"""
    done = python(script, f"sqlite:///{path}", prefix=read_only(path.parent))
    assert done.returncode == 0, done.stderr
    assert str({A: ("cat",)}) in done.stdout
    assert "attempt to write a readonly database" in done.stdout


def test_a_log_in_a_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreUnwritable, match="cannot be used: unable to open database file"):
        LabelLog(f"sqlite:///{tmp_path}/absent/labels.sqlite")


@contextmanager
def just_before(statement: str, act: Callable[[], None]) -> Iterator[None]:
    """Let another program act once, when this one is about to run a statement."""
    pending = [act]

    def listen(_c: Any, _cursor: Any, text: str, *_: Any) -> None:
        if statement in text and pending:
            pending.pop()()

    sa.event.listen(sa.Engine, "before_cursor_execute", listen)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", listen)
    assert not pending


def other_program(path: Path, *statements: str) -> None:
    """Write as another program would, unless the log is locked, in which case it would wait."""
    with closing(sqlite3.connect(path, timeout=0)) as db:
        try:
            for statement in statements:
                db.execute(statement)
            db.commit()
        except sqlite3.OperationalError as error:
            assert "locked" in str(error)  # noqa: PT017


def test_two_programs_may_make_the_same_task_at_once(log: LabelLog, path: Path) -> None:
    def act() -> None:
        other_program(path, "INSERT INTO tasks VALUES ('plant', 'single')")

    with just_before("INSERT INTO tasks", act):
        log.ensure_task("plant", "single", ["oak"])
    assert log.task("plant").classes == ("oak",)


def test_two_programs_may_open_a_new_log_at_once(path: Path) -> None:
    def act() -> None:
        table = "CREATE TABLE tasks (name VARCHAR NOT NULL PRIMARY KEY, kind VARCHAR NOT NULL)"
        other_program(path, table)

    with just_before("CREATE TABLE", act):
        log = LabelLog(f"sqlite:///{path}")
    log.ensure_task("plant", "single", ["oak"])
    assert log.task("plant").classes == ("oak",)


def test_a_database_of_another_program_is_not_called_unwritable(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE tasks (something INTEGER)")
        db.commit()
    with pytest.raises(StoreCorrupt, match="is damaged: no such column"):
        LabelLog(f"sqlite:///{path}").tasks()


def test_labels_changed_by_hand_into_nonsense_are_reported(log: LabelLog, path: Path) -> None:
    say(log, A, "cat")
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE events SET labels = 'cat'")
        db.commit()
    with pytest.raises(StoreCorrupt, match="is damaged"):
        log.present("animal")


def test_an_image_id_of_another_length_is_refused(log: LabelLog) -> None:
    with pytest.raises((UsageError, ValueError), match="32"):
        say(log, b"short", "cat")


@pytest.mark.parametrize("name", ["what?", "50%20off"])
def test_a_store_in_a_folder_with_a_name_out_of_the_ordinary_has_its_labels_inside(
    tmp_path: Path, name: str
) -> None:
    store = Store.create(tmp_path / name)
    try:
        store.labels.ensure_task("animal", "single", ["cat"])
    except StoreError as error:
        pytest.fail(str(error))
    assert (store.path / "labels.sqlite").is_file()


def test_many_claims_are_recorded_at_once(log: LabelLog) -> None:
    log.ensure_task("t", "single", ["cat", "dog"])
    images = [hashlib.sha256(str(n).encode()).digest() for n in range(30_000)]
    said = dict.fromkeys(images, (("cat",), None))
    assert log.claim("t", said.items(), annotator="d", origin="source") == 30_000
    said[images[7]] = (("dog",), None)
    assert log.claim("t", said.items(), annotator="d", origin="source") == 1
    assert log.present("t")[images[7]] == ("dog",)
