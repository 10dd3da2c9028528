"""What files of labels say, whatever their format."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from icehouse.errors import SourceError


@dataclass(frozen=True)
class Statement:
    """A row of a file: an image, and what is said of it.

    Attributes
    ----------
    image_id : str or None
        Hexadecimal; None where the file names images by their keys.
    dataset, key : str or None
    labels : tuple of str
    annotator : str or None
    time : float or None
        Seconds since 1970, UTC.
    note : str or None
    where : str
        Row or task of the file, for messages.
    """

    image_id: str | None
    dataset: str | None
    key: str | None
    labels: tuple[str, ...]
    annotator: str | None = None
    time: float | None = None
    note: str | None = None
    where: str = ""


def time_text(seconds: float) -> str:
    """Return a time as files say it.

    Examples
    --------
    >>> time_text(1.5)
    '1970-01-01T00:00:01.500000Z'
    """
    when = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return when.isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_time(text: str, where: str) -> float:
    """Read a time; one without a zone is UTC.

    Raises
    ------
    SourceError
        It is none.
    """
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise SourceError(
            f"{where}: {text!r} is no time; one looks like 2026-11-22T10:30:00Z"
        ) from None
    return when.replace(tzinfo=when.tzinfo or datetime.UTC).timestamp()


def as_row(statement: Statement, origin: str) -> Mapping[str, Any]:
    """Return a statement as a row of a table."""
    return {
        "image_id": statement.image_id,
        "dataset": statement.dataset,
        "key": statement.key,
        "labels": list(statement.labels),
        "annotator": statement.annotator,
        "time": None if statement.time is None else time_text(statement.time),
        "origin": origin,
        "note": statement.note,
    }
