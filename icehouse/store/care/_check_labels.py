"""``fsck`` of the label log, and what can be saved of a damaged one."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from icehouse.store._ids import IdArray, ids_from_bytes, positions
from icehouse.store._label_tables import EVENTS, METADATA, LabelDatabase
from icehouse.store._label_url import sqlite_file, without_secrets
from icehouse.store._labels import KINDS, MULTI, SINGLE
from icehouse.store._local_files import LocalFiles
from icehouse.store._store import LABELS, Store
from icehouse.store.care._check_layout import LOST
from icehouse.store.care._findings import Finding, count, found

PROOF = "events_proof"
COLUMNS = [column.name for column in EVENTS.columns]
SEQ = COLUMNS.index("seq")
SHOWN = 3
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
# Fields at the beginning of the file that never differ: where, and what stands there.
HEADER = {
    0: b"SQLite format 3\0\x10\x00",
    20: b"\x00\x40\x20\x20",
    44: b"\x00\x00\x00\x04",
    52: b"\x00\x00\x00\x00\x00\x00\x00\x01",
    72: bytes(20),
}
Ask = Callable[[str], Iterable[Sequence[Any]]]
"""What answers a query with rows."""
JOURNAL = 18
JOURNALS = b"\x01\x01", b"\x02\x02"  # rollback, write-ahead


def check_labels(store: Store, images: IdArray) -> list[Finding]:
    """Check the label log, if there is one.

    Parameters
    ----------
    store : Store
    images : array of V32, shape (n,)
        That the catalog knows.
    """
    if store.labels_url is None:
        what = "no database with labels was given, so none was looked at"
        return [found("label-log-unknown", LABELS, what)]
    path = sqlite_file(store.labels_url)
    if path is None:
        return _check_server(store.labels_url, images)
    if not path.is_file():
        return []
    try:
        with _opened(path) as db:
            faults = [*_header_faults(path), *_file_faults(db)]
            faults = faults or _faults(db.execute)
            if faults:
                return [found("label-log", LABELS, _some(faults))]
            findings = []
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (PROOF,)).fetchone():
                what = "its events are not stored twice, so a changed one may go unseen"
                findings.append(found("label-log-unproven", LABELS, what))
            return findings + _unknown(db.execute, images, LABELS)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) in BUSY:
            return [found("label-log-busy", LABELS, f"it cannot be read now: {error}")]
        return [found("label-log", LABELS, f"damaged: {error}")]
    except (ValueError, TypeError) as error:
        return [found("label-log", LABELS, f"damaged: {error}")]


def _check_server(url: sa.URL, images: IdArray) -> list[Finding]:
    """Check what a server cannot know is wrong; it looks after its own bytes."""
    database, where = LabelDatabase(url, make=False), without_secrets(url)
    if len(database.lacking) == len(METADATA.tables):
        return []
    if database.lacking:
        what = f"its tables {sorted(database.lacking)} are gone"
        return [found("label-log-on-server", where, what)]
    with database.read() as db:

        def ask(query: str) -> Iterable[Sequence[Any]]:
            return db.exec_driver_sql(query).all()

        try:
            if faults := _faults(ask):
                return [found("label-log-on-server", where, _some(faults))]
            return _unknown(ask, images, where)
        except (ValueError, TypeError) as error:
            return [found("label-log-on-server", where, f"damaged: {error}")]


def _some(faults: list[str]) -> str:
    more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return "; ".join(faults[:SHOWN]) + more


def _unknown(ask: Ask, images: IdArray, where: str) -> list[Finding]:
    rows = ask("SELECT DISTINCT image_id FROM events")
    labelled = ids_from_bytes({bytes(image) for (image,) in rows})
    unknown = int((positions(labelled, images) < 0).sum())
    if not unknown:
        return []
    what = f"{count(unknown, 'image')} with labels are in no dataset now"
    return [found("labels-of-unknown-images", where, what)]


def salvage_labels(path: Path) -> tuple[int, int]:
    """Put in the place of a damaged log a new one with all that is readable and not contradicted.

    The damaged file is kept in ``lost+found`` beside it.

    Parameters
    ----------
    path : Path
        Of the log.

    Returns
    -------
    kept, lost : int
        Events.
    """
    files = LocalFiles(path.parent)
    damaged = files.read(path.name)
    aside, number = f"{LOST}/{path.name}", 0
    while files.exists(kept_at := f"{aside}.{number}" if number else aside):
        number += 1
    files.commit(kept_at, damaged)
    with tempfile.TemporaryDirectory() as folder:
        old, new = Path(folder) / "old.sqlite", Path(folder) / "new.sqlite"
        repaired = bytearray(damaged)
        for start, right in {**HEADER, JOURNAL: JOURNALS[0]}.items():
            repaired[start : start + len(right)] = right
        old.write_bytes(repaired)
        events, lost = _readable_events(old, len(damaged))
        tasks, classes = _tasks(old, events)
        LabelDatabase(sa.URL.create("sqlite", database=str(new))).close()
        with closing(sqlite3.connect(new)) as db, db:
            db.executemany("INSERT INTO tasks VALUES (?, ?)", tasks)
            db.executemany("INSERT INTO classes (task, name) VALUES (?, ?)", classes)
            places = ", ".join("?" * len(COLUMNS))
            db.executemany(f"INSERT INTO events VALUES ({places})", events)  # nosec B608
        files.commit(path.name, new.read_bytes())
    return len(events), lost


def prove_labels(path: Path) -> None:
    """Give the log of an earlier version the index that stores its events twice."""
    index = next(index for index in EVENTS.indexes if index.name == PROOF)
    columns = ", ".join(column.name for column in index.columns)
    with _opened(path) as db, db:
        db.execute(f"CREATE INDEX IF NOT EXISTS {PROOF} ON events ({columns})")


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=10)) as db:
        yield db


def _header_faults(path: Path) -> list[str]:
    with path.open("rb") as file:
        head = file.read(100)
    wrong = [start for start, right in HEADER.items() if head[start : start + len(right)] != right]
    wrong += [] if head[JOURNAL : JOURNAL + 2] in JOURNALS else [JOURNAL]
    return [f"its header is not sound at byte {start}" for start in wrong]


def _file_faults(db: sqlite3.Connection) -> list[str]:
    faults = [text for (text,) in db.execute("PRAGMA integrity_check") if text != "ok"]
    return faults or [
        f"{row[0]} {row[1]} names no {row[2]}" for row in db.execute("PRAGMA foreign_key_check")
    ]


def _faults(ask: Ask) -> list[str]:
    """Say what contradicts itself in the tables of any database."""
    kinds = ask("SELECT name, kind FROM tasks")
    faults = [f"task {name!r} is of the kind {kind!r}" for name, kind in kinds if kind not in KINDS]
    known = {(task, name) for task, name in ask("SELECT task, name FROM classes")}
    rows = ask("SELECT seq, task, labels FROM events WHERE labels IS NOT NULL")
    faults += [
        f"event {seq}: {labels!r}" for seq, task, labels in rows if not _fits(task, labels, known)
    ]
    rows = ask("SELECT seq FROM events WHERE undoes >= seq OR (undoes IS NULL) = (labels IS NULL)")
    return faults + [f"event {seq} takes back none before it" for (seq,) in rows]


def _fits(task: str, labels: str, known: set[tuple[str, str]]) -> bool:
    given = json.loads(labels)
    return isinstance(given, list) and all((task, name) in known for name in given)


def _readable_events(path: Path, size: int) -> tuple[list[tuple[Any, ...]], int]:
    """Return the events that can be read and that the index does not contradict; count the rest."""
    same = " AND ".join(f"{name} IS ?" for name in COLUMNS)
    stored = f"SELECT {', '.join(COLUMNS)} FROM events NOT INDEXED WHERE seq = ?"  # nosec B608
    proof = f"SELECT count(*) FROM events INDEXED BY {PROOF} WHERE {same}"  # nosec B608
    events, lost = [], 0
    with _opened(path) as db:
        # No event is smaller than 16 bytes, so there are not more of them, whatever is damaged.
        for seq in range(1, _last(db, size // 16) + 1):
            row = _row(db, stored, (seq,))
            if row is None:
                continue
            proven = _row(db, proof, row)  # none where it is the index that is damaged
            if (proven is None or proven[0]) and _is_event(row):
                events.append(row)
            else:
                lost += 1
    there = {row[SEQ] for row in events}
    whole = [row for row in events if row[-1] is None or row[-1] in there]
    return whole, lost + len(events) - len(whole)


def _row(db: sqlite3.Connection, query: str, values: tuple[Any, ...]) -> tuple[Any, ...] | None:
    try:
        row: tuple[Any, ...] | None = db.execute(query, values).fetchone()
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    return row


def _last(db: sqlite3.Connection, most: int) -> int:
    last = _row(db, "SELECT max(seq) FROM events NOT INDEXED", ())
    return most if last is None else min(last[0] or 0, most)


def _is_event(row: tuple[Any, ...]) -> bool:
    task, image, labels = row[1:4]
    try:
        good = labels is None or all(isinstance(name, str) for name in json.loads(labels))
    except (ValueError, TypeError):
        return False
    return good and isinstance(task, str) and isinstance(image, bytes) and len(image) == 32


def _tasks(
    path: Path, events: list[tuple[Any, ...]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return tasks and classes: those that can be read, and those that events speak of."""
    kinds: dict[str, str] = {}
    classes: dict[tuple[str, str], None] = {}
    with _opened(path) as db:
        for table, into in (("tasks", kinds), ("classes", classes)):
            columns = "name, kind" if table == "tasks" else "task, name"
            try:
                for row in db.execute(f"SELECT {columns} FROM {table}"):  # nosec B608
                    into[row[0] if table == "tasks" else row] = row[1]
            except sqlite3.Error:
                continue
    said: dict[str, list[list[str]]] = {}
    for row in events:
        said.setdefault(row[1], []).append(json.loads(row[3]) if row[3] else [])
    for task, lists in said.items():
        if kinds.get(task) not in KINDS:
            one = all(len(labels) == 1 for labels in lists if labels)
            kinds[task] = SINGLE if one else MULTI
        classes |= {(task, name): None for labels in lists for name in labels}
    kinds = {task: kind for task, kind in kinds.items() if kind in KINDS}
    return list(kinds.items()), [pair for pair in classes if pair[0] in kinds]
