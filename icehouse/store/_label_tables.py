"""The tables of the label log, and transactions on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DatabaseError, DataError, DBAPIError, OperationalError

from icehouse.errors import MissingExtra, StoreCorrupt, StoreUnwritable, UsageError
from icehouse.store._label_url import without_secrets

LOCK_SECONDS = 60  # another run may be recording the labels of some million images
LOCK = 0x1CE40C5E  # that writers of a PostgreSQL hold; of all programs there, only ours ask for it
# Of libpq: seconds to connect, and until a connection on which nothing comes is given up.
PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}

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
    """A database with the tables of the label log.

    Parameters
    ----------
    url : str or sqlalchemy.URL
        Of SQLite or PostgreSQL.
    make : bool
        Make the tables that lack; else only look at what is there.

    Attributes
    ----------
    lacking : set of str
        Tables that were not there.

    Raises
    ------
    MissingExtra, UsageError
        Its driver is not installed.
    StoreUnwritable, StoreCorrupt
        It cannot be used, or is damaged.
    """

    def __init__(self, url: str | sa.URL, *, make: bool = True) -> None:
        self.url = sa.make_url(url)
        self._engine = _engine(self.url)
        with self.read() as db:
            self.lacking = set(METADATA.tables) - set(sa.inspect(db).get_table_names())
        if self.lacking and make:
            with self.write() as db:
                METADATA.create_all(db)

    def ensure(self, metadata: sa.MetaData) -> None:
        """Make further tables, where they lack."""
        with self.read() as db:
            there = set(sa.inspect(db).get_table_names())
        if not set(metadata.tables) <= there:
            with self.write() as db:
                metadata.create_all(db)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Yield a connection that sees one state of the database."""
        engine = self._engine
        if engine.dialect.name != "sqlite":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with _explained(self.url), engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """Yield a connection whose changes all happen, or none; others wait meanwhile."""
        engine = self._engine.execution_options(writes=True)
        with _explained(self.url), engine.begin() as connection:
            yield connection


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url)
        sa.event.listen(engine, "connect", _prepare)
        sa.event.listen(engine, "begin", _begin)
        return engine
    # A run takes hours and asks the database twice: a connection in between would only be lost.
    options: dict[str, Any] = {"poolclass": sa.NullPool, "connect_args": dict(PATIENCE)}
    try:
        engine = sa.create_engine(url, **options)
    except ModuleNotFoundError as error:
        if error.name == "psycopg":
            raise MissingExtra("psycopg", "postgres") from error
        raise UsageError(
            f"the label log {without_secrets(url)} needs {error.name}; install it, or leave the "
            "driver out of the URL"
        ) from error
    except ArgumentError as error:
        raise UsageError(f"the label log {without_secrets(url)} cannot be used: {error}") from error
    sa.event.listen(engine, "begin", _begin_on_server)
    return engine


def _prepare(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    connection.isolation_level = None  # transactions are begun below, not by the driver
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={1000 * LOCK_SECONDS}")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    # A transaction that looks and then writes has to lock before it looks: two of them would
    # else both find nothing there.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN DEFERRED")


def _begin_on_server(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        # Whoever writes waits for the one before, and then sees what that one wrote; so numbers
        # of events also grow in the order in which they come to be seen.
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")


@contextmanager
def _explained(url: sa.URL) -> Iterator[None]:
    where = without_secrets(url)
    try:
        yield
    except DataError as error:
        raise UsageError(f"the label log {where} cannot hold this: {error.orig}") from error
    except DBAPIError as error:
        if url.get_backend_name() != "sqlite":
            said = " ".join(str(error.orig).split())
            raise StoreUnwritable(
                f"the label log {where} cannot be used: {said}. Check that the server runs and "
                "lets this user make and change tables there"
            ) from error
        if not isinstance(error, DatabaseError):
            raise
        if not isinstance(error, OperationalError) or "no such" in str(error.orig):
            raise StoreCorrupt(f"the label log {where} is damaged: {error.orig}") from error
        raise StoreUnwritable(
            f"the label log {where} cannot be used: {error.orig}. Check that its folder "
            "is writable, its disk has space, and no other program holds it locked"
        ) from error
