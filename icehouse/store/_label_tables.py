"""The tables of the label log, and transactions on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from icehouse.errors import StoreCorrupt, StoreUnwritable

METADATA = sa.MetaData()
TASKS = sa.Table(
    "tasks",
    METADATA,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("kind", sa.String, nullable=False),
)
CLASSES = sa.Table(
    "classes",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("task", sa.String, sa.ForeignKey("tasks.name"), nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.UniqueConstraint("task", "name"),
)
EVENTS = sa.Table(
    "events",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("task", sa.String, sa.ForeignKey("tasks.name"), nullable=False),
    sa.Column("image_id", sa.LargeBinary(32), nullable=False),
    sa.Column("labels", sa.String),
    sa.Column("annotator", sa.String, nullable=False),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("origin", sa.String, nullable=False),
    sa.Column("note", sa.String),
    sa.Column("undoes", sa.Integer, sa.ForeignKey("events.seq")),
    sa.Index("events_by_image", "task", "image_id"),
    # All columns once more: PRAGMA integrity_check compares them, so that no bit can change unseen.
    sa.Index(
        "events_proof",
        *("task", "image_id", "labels", "annotator", "time", "origin", "note", "undoes"),
    ).ddl_if(dialect="sqlite"),
)


class LabelDatabase:
    """A database with the tables of the label log, which are made where they lack.

    Parameters
    ----------
    url : str or sqlalchemy.URL
    """

    def __init__(self, url: str | sa.URL) -> None:
        self.url = sa.make_url(url)
        self._engine = sa.create_engine(self.url)
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _prepare)
            sa.event.listen(self._engine, "begin", _begin)
        with self.read() as db:
            complete = set(METADATA.tables) <= set(sa.inspect(db).get_table_names())
        if not complete:
            with self.write() as db:
                METADATA.create_all(db)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees one state of the database."""
        with _explained(self.url), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Yield a connection whose changes all happen, or none; others wait meanwhile."""
        engine = self._engine.execution_options(writes=True)
        with _explained(self.url), engine.begin() as connection:
            yield connection


def _prepare(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # Milliseconds; another run may be recording the labels of some million images.
    cursor.execute("PRAGMA busy_timeout=60000")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # A transaction that looks and then writes has to lock before it looks: two of them would
    # else both find nothing there.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")


@contextmanager
def _explained(url: sa.URL) -> Iterator[None]:
    where = url.render_as_string(hide_password=True)
    try:
        yield
    except OperationalError as error:
        if "no such" in str(error.orig):
            raise StoreCorrupt(f"the label log {where} is damaged: {error.orig}") from error
        raise StoreUnwritable(
            f"the label log {where} cannot be used: {error.orig}. Check that its folder "
            "is writable, its disk has space, and no other program holds it locked"
        ) from error
    except DatabaseError as error:
        raise StoreCorrupt(f"the label log {where} is damaged: {error.orig}") from error
