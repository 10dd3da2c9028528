"""Where the label log of a store is: the URL of a database, which may hold a password."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from icehouse.errors import UsageError

EXAMPLES = "postgresql://USER@HOST/DATABASE or sqlite:////PATH/labels.sqlite"


def label_url(text: str) -> sa.URL:
    """Read the URL of a database, or say what it has to be like without repeating it.

    Raises
    ------
    UsageError
        It is no URL, or one of another kind of database.
    """
    try:
        url = sa.make_url(text)
        kind = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise UsageError(f"--labels takes the URL of a database, such as {EXAMPLES}") from None
    if kind in ("postgres", "postgresql"):
        driver = url.drivername.partition("+")[2] or "psycopg"
        return url.set(drivername=f"postgresql+{driver}")
    if kind != "sqlite" or (url.database or ":memory:").startswith((":memory:", "file:")):
        raise UsageError(f"labels are kept in PostgreSQL or a file of SQLite, such as {EXAMPLES}")
    return url


def sqlite_file(url: sa.URL) -> Path | None:
    """Return the file of a database; None for one that a server keeps."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def without_secrets(url: sa.URL) -> str:
    """Return a URL as it may be shown: without a password, wherever it stands in it.

    Examples
    --------
    >>> without_secrets(sa.make_url("postgresql://ada:secret@host/ice?sslpassword=secret"))
    'postgresql://ada:***@host/ice'
    """
    return url.set(query={}).render_as_string(hide_password=True)
