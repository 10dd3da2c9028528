"""Labels as tables: CSV for spreadsheets, Parquet for programs, JSON lines for everything.

In CSV several labels of one image stand in one cell, with ``;`` between them, as in manifests.
What spreadsheets make of CSV is read, too: other delimiters, and names of columns in capitals.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.errors import SourceError
from icehouse.review.exchange._statements import Statement, read_time

COLUMNS = ("image_id", "dataset", "key", "labels", "annotator", "time", "origin", "note")
SEVERAL = ";"
DELIMITERS = ",;\t"
NAMED_FILES = ("path", "file", "filename")
SCHEMA = pa.schema(
    [(name, pa.list_(pa.string()) if name == "labels" else pa.string()) for name in COLUMNS]
)


def write_rows(rows: Sequence[Mapping[str, Any]], kind: str) -> bytes:
    """Return rows as the bytes of a file.

    Parameters
    ----------
    rows : sequence of mapping
        With :data:`COLUMNS`.
    kind : {"csv", "parquet", "jsonl"}
    """
    if kind == "parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), sink)
        return sink.getvalue().to_pybytes()
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "labels": SEVERAL.join(row["labels"])})
    return text.getvalue().encode()


def read_rows(data: bytes, *, kind: str, several: bool) -> tuple[list[Statement], int]:
    """Read what :func:`write_rows` wrote, or a table like it made by hand.

    Parameters
    ----------
    data : bytes
    kind : {"csv", "parquet", "jsonl"}
    several : bool
        Whether a cell of CSV holds several labels, and an empty one of "labels" says that there
        are none; else ``;`` is a character like others, and an empty cell says nothing.

    Returns
    -------
    statements : list of Statement
    passed : int
        Rows that say nothing, and were passed over.

    Raises
    ------
    SourceError
        It is no such file, or has no rows; or a row names no image, or has no column of labels.
    """
    try:
        rows = list(_rows(data, kind))
    except UnicodeDecodeError:
        advice = "CSV UTF-8" if kind == "csv" else "UTF-8"
        raise SourceError(
            f"this is no {kind} file with labels: it is not UTF-8; save it as {advice}"
        ) from None
    except (ValueError, pa.ArrowException, csv.Error) as error:
        raise SourceError(f"this is no {kind} file with labels: {error}") from error
    if not rows:
        raise SourceError(f"there are no rows in this {kind} file; one names an image and a label")
    read = [_statement(row, f"row {number}", several) for number, row in enumerate(rows, 1)]
    found = [one for one in read if one is not None]
    return found, len(read) - len(found)


def _rows(data: bytes, kind: str) -> Iterable[Any]:
    if kind == "parquet":
        return pq.read_table(pa.BufferReader(data)).to_pylist()
    text = data.decode("utf-8-sig")
    if kind == "jsonl":
        return [json.loads(line) for line in io.StringIO(text) if line.strip()]
    head = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)  # of as many, the comma
    rows = csv.DictReader(io.StringIO(text), strict=True, delimiter=delimiter)
    rows.fieldnames = [name.strip().lower() for name in rows.fieldnames or ()]
    return rows


def _statement(row: Any, where: str, several: bool) -> Statement | None:
    """Return what a row says; None where it says nothing."""
    if not isinstance(row, dict):
        raise SourceError(f"{where}: a row is an object of columns, got {row!r:.60}")
    column = "labels" if row.get("labels") is not None or "label" not in row else "label"
    if column not in row:
        have = ", ".join(map(str, row)) or "none"
        raise SourceError(f"{where} has no column 'labels' or 'label'; it has: {have}")
    labels = row[column]
    empty = not labels or (isinstance(labels, str) and not labels.strip())
    if empty and (labels is None or not several or column == "label"):
        return None
    if isinstance(labels, str):
        labels = [name for name in labels.split(SEVERAL) if name.strip()] if several else [labels]
    image, key = (row.get(name) or None for name in ("image_id", "key"))
    if image is None and key is None:
        raise SourceError(f"{where} names no image: a column 'image_id' or 'key' does{_hint(row)}")
    texts = (row.get("dataset"), key, row.get("annotator"), row.get("note"), image, *labels)
    if not all(isinstance(text, str) for text in texts if text is not None):
        raise SourceError(f"{where}: all but times is text, got {texts!r:.90}")
    when = row.get("time") or None
    return Statement(
        image_id=image,
        dataset=row.get("dataset") or None,
        key=key,
        labels=tuple(labels),
        annotator=row.get("annotator") or None,
        time=None if when is None else read_time(str(when), where),
        note=row.get("note") or None,
        where=where,
    )


def _hint(row: Mapping[str, Any]) -> str:
    """Say which column is likely to be the key under another name."""
    likely = [name for name in NAMED_FILES if row.get(name)]
    return f"; call the column {likely[0]!r} 'key'" if likely else ""
