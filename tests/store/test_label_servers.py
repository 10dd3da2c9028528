"""The label log on PostgreSQL, and labels in a database that is named by its URL."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from icehouse.errors import LookupFailed, StoreUnwritable, UsageError
from icehouse.store import LabelLog, Store, fsck
from icehouse.store._label_tables import LabelDatabase
from icehouse.store._label_url import label_url
from icehouse.store._labels import Statement

A, B, C = (bytes([number]) * 31 + b"\0" for number in range(3))


@pytest.fixture
def log(url: str) -> LabelLog:
    log = LabelLog(label_url(url))
    log.ensure_task("animal", "single", ["cat", "dog"])
    return log


def test_tasks_events_and_labels_are_kept(log: LabelLog, url: str) -> None:
    log.ensure_task("animal", "single", ["owl", "ant"])
    log.ensure_task("tags", "multi", ["naïve", "氷", "it's; DROP TABLE events --"])
    assert log.task("animal").classes == ("cat", "dog", "ant", "owl")
    with pytest.raises(UsageError, match="takes single labels, but got multi ones"):
        log.ensure_task("animal", "multi")
    log.record("animal", [(A, ("cat",)), (B, ("dog",))], annotator="ann", origin="review")
    log.record("tags", [(A, ("氷", "naïve")), (B, ())], annotator="ann", origin="cli", note="hm")
    again = LabelLog(label_url(url))
    assert again.present("animal") == {A: ("cat",), B: ("dog",)}
    assert again.present("tags") == {A: ("氷", "naïve"), B: ()}
    assert [event.note for event in again.events("tags")] == ["hm", "hm"]
    assert again.annotators("animal", "review") == {"ann"}
    with pytest.raises(LookupFailed, match="no task 'plant'; it has: animal, tags"):
        log.task("plant")


def test_an_event_is_taken_back_by_another(log: LabelLog) -> None:
    for label in ("cat", "dog"):
        log.record("animal", [(A, (label,))], annotator="ann", origin="review")
    last = log.events("animal")[-1].seq
    log.undo(last, annotator="bob")
    assert log.present("animal") == {A: ("cat",)}
    log.undo(log.events("animal")[-1].seq, annotator="bob")
    assert log.present("animal") == {A: ("dog",)}
    seqs = [event.seq for event in log.events("animal")]
    assert seqs == sorted(set(seqs))
    with pytest.raises(LookupFailed, match="has no event 99"):
        log.undo(99, annotator="bob")


def test_a_claim_is_recorded_where_it_is_news(log: LabelLog) -> None:
    claim: dict[bytes, Statement] = {A: (("cat",), None), B: (("dog",), "note")}
    assert log.claim("animal", claim.items(), annotator="d", origin="source") == 2
    assert log.claim("animal", claim.items(), annotator="d", origin="source") == 0
    claim[B] = (("cat",), "note")
    assert log.claim("animal", claim.items(), annotator="d", origin="source") == 1


def test_of_an_error_in_the_middle_nothing_is_kept(log: LabelLog) -> None:
    def fail() -> None:
        with log.database.write() as connection:
            connection.execute(sa.text("INSERT INTO tasks VALUES ('plant', 'single')"))
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert [task.name for task in log.tasks()] == ["animal"]


CROWD = """
import os, sys
from icehouse.store import LabelLog
from icehouse.store._label_url import label_url
url, number = label_url(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
log = LabelLog(url)
log.ensure_task("animal", "single", ["cat", "dog"])
claim = {bytes([n]) * 32: (("cat",), None) for n in range(200)}
print(log.claim("animal", claim.items(), annotator="d", origin="source"))
for n in range(5):
    log.record("animal", [(bytes([n]) * 32, ("dog",))], annotator=str(number), origin="cli")
"""


def test_a_crowd_that_begins_at_once_makes_one_log_and_one_claim(
    url: str, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    crowd = [start_python(CROWD, url, number) for number in range(4)]
    for each in crowd:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in crowd:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    printed = [each.communicate(timeout=60)[0].strip() for each in crowd]
    assert [each.returncode for each in crowd] == [0] * 4
    assert sorted(map(int, printed)) == [0, 0, 0, 200]
    log = LabelLog(label_url(url))
    assert log.task("animal").classes == ("cat", "dog")
    events = log.events("animal")
    assert len(events) == 200 + 4 * 5
    assert len({event.seq for event in events}) == len(events)


def test_a_reader_of_a_server_sees_one_state_while_others_write(postgres: str) -> None:
    log, other = (LabelLog(label_url(postgres)) for _ in range(2))
    log.ensure_task("animal", "single", ["cat", "dog"])
    count = sa.text("SELECT count(*) FROM classes")
    with log.database.read() as connection:
        before = connection.execute(count).scalar()
        other.ensure_task("animal", "single", ["owl"])
        assert connection.execute(count).scalar() == before
    with log.database.read() as connection:
        assert connection.execute(count).scalar() == 3


def test_passwords_are_not_in_messages(postgres: str, tmp_path: Path) -> None:
    def said(url: str) -> str:
        with pytest.raises((StoreUnwritable, UsageError), match=r"labels|label log") as caught:
            LabelLog(label_url(url)).tasks()
        return str(caught.value)

    wrong = postgres.replace("Mammoth-7", "Sabre-tooth-3")
    assert 'password authentication failed for user "ice"' in said(wrong)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    nobody = f"postgresql://ice:Sabre-tooth-3@127.0.0.1:{port}/x"
    for url in (
        wrong,
        nobody,
        f"{nobody}?password=Sabre-tooth-3",
        "mysql://ice:Sabre-tooth-3@host/x",
        "ice:Sabre-tooth-3@host",
        "postgresql+nothing://ice:Sabre-tooth-3@host/x",
        "postgresql://ice:Sabre-tooth-3@host:port/x",
    ):
        assert "Sabre" not in said(url)


@pytest.mark.parametrize("text", ["", "labels", "sqlite://", "sqlite:///:memory:", "oracle://h/x"])
def test_what_is_no_database_for_labels_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"postgresql://USER@HOST/DATABASE or sqlite:"):
        label_url(text)


def test_a_missing_driver_names_its_install_line(python: Callable[..., Any]) -> None:
    program = """
import sys
sys.modules["psycopg"] = None
from icehouse.errors import MissingExtra
from icehouse.store import Store
try:
    Store("memory://x", labels="postgresql://ada@host/x").labels
except MissingExtra as error:
    print(error)
"""
    assert "pip install 'icehouse[postgres]'" in python(program).stdout


def test_a_store_in_a_folder_can_have_its_labels_elsewhere(damaged: Store, url: str) -> None:
    own = damaged.labels.present("shapes")
    store = Store.open(damaged.path, labels=url)
    assert not store.has_labels
    store.labels.ensure_task("shapes", "single", ["disc"])
    store.labels.record("shapes", [(A, ("disc",))], annotator="ann", origin="cli")
    assert store.has_labels
    assert damaged.labels.present("shapes") == own
    report = fsck(damaged.path, labels=url)
    assert [finding.kind for finding in report.findings if "label" in finding.kind] == [
        "labels-of-unknown-images"
    ]
    assert "Mammoth" not in str(report)


def test_fsck_finds_what_contradicts_itself_on_a_server(damaged: Store, postgres: str) -> None:
    log = LabelLog(label_url(postgres))
    log.ensure_task("animal", "single", ["cat"])
    log.record("animal", [(A, ("cat",))], annotator="ann", origin="cli")
    with log.database.write() as connection:
        connection.execute(sa.text("UPDATE events SET labels = '[\"cow\"]'"))
        connection.execute(sa.text("UPDATE tasks SET kind = 'odd'"))
    report = fsck(damaged.path, labels=postgres, repair=True)
    [finding] = [each for each in report.left if each.kind == "label-log-on-server"]
    assert not report.sound
    assert "task 'animal' is of the kind 'odd'; event 1:" in finding.what
    assert "Mammoth" not in str(report)


def test_fsck_makes_no_tables_and_misses_those_that_are_gone(damaged: Store, postgres: str) -> None:
    url = label_url(postgres)
    assert not [f for f in fsck(damaged.path, labels=postgres).findings if "label" in f.kind]
    assert len(LabelDatabase(url, make=False).lacking) == 3
    with LabelDatabase(url).write() as connection:
        connection.execute(sa.text("DROP TABLE classes"))
    [finding] = [f for f in fsck(damaged.path, labels=postgres).findings if "label" in f.kind]
    assert (finding.severity, finding.what) == ("damage", "its tables ['classes'] are gone")


def test_a_damaged_file_of_labels_outside_the_store_is_mended(
    damaged: Store, tmp_path: Path
) -> None:
    away = tmp_path / "away" / "my labels.sqlite"
    away.parent.mkdir()
    assert isinstance(damaged.path, Path)
    (damaged.path / "labels.sqlite").rename(away)
    away.write_bytes(away.read_bytes().replace(b"looked at it", b"looked at i#", 1))
    url = f"sqlite:///{away}"
    report = fsck(damaged.path, labels=url, repair=True)
    assert [each.kind for each in report.findings if each.severity == "damage"] == ["label-log"]
    assert report.sound
    assert (away.parent / "lost+found" / "my labels.sqlite").exists()
    assert len(Store.open(damaged.path, labels=url).labels.present("shapes")) == 40
