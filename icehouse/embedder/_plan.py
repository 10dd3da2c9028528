"""What a run has to do: compare what a source lists with what the catalog knows."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from icehouse.embedder._known import Known
from icehouse.embedder._views import Coverage
from icehouse.embedder.sources import Entry, Listing, columns_of, keys_of, part
from icehouse.errors import ImageErrorKind, UsageError
from icehouse.store import CatalogRow


@dataclass
class Plan:
    """A source, sorted by what each input needs.

    Attributes
    ----------
    todo : sequence of Entry
        To be read.
    rows : list of CatalogRow
        New rows that need no reading: errors seen from outside, changed labels, keys gone.
    reused : int
        Unchanged inputs whose image has a vector.
    errors : Counter
        Unchanged or new inputs that cannot be read, by kind.
    gone : int
        Keys that the source no longer has.
    moved : Counter
        Inputs that another source had before, by that source.
    """

    todo: Sequence[Entry] = ()
    rows: list[CatalogRow] = field(default_factory=list)
    reused: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    gone: int = 0
    moved: Counter[str] = field(default_factory=Counter)


def make_plan(
    listing: Listing,
    known: Known,
    coverage: Coverage,
    *,
    retry_errors: bool = False,
) -> Plan:
    """Sort the inputs of a source by what they need.

    Parameters
    ----------
    listing : Listing
    known : Known
    coverage : Coverage
        The views that the encoder has of each image, and those that are wanted.
    retry_errors : bool
        Read again what could not be decoded the last time. What the system refused to
        read is always tried again.

    Returns
    -------
    Plan
    """
    said = columns_of(listing.entries)
    keys = said["key"].combine_chunks()
    held = coverage.held if not coverage.wanted.views else ()  # else it depends on the entry
    news = array("q", np.flatnonzero(~known.unchanged(said, listing.source, held)).tobytes())
    plan = Plan(reused=len(keys) - len(news))
    todo = array("q")
    rows = known.rows(keys.take(pa.array(news, pa.int64())))
    for number, entry, row in zip(news, part(listing.entries, news), rows, strict=True):
        if row is not None and row.source is not None and row.source != listing.source:
            plan.moved[row.source] += 1
        if entry.error is not None:
            plan.errors[entry.error] += 1
            now = error_row(entry, listing.source, entry.error, entry.detail)
            if now != row:
                plan.rows.append(now)
        elif row is None or not _unchanged(row, entry):
            todo.append(number)
        elif row.image_id is not None and not coverage.missing(row.image_id, entry):
            plan.reused += 1
            _describe(plan, row, entry, listing.source)
        elif row.error is not None and not _again(row.error, retry_errors):
            plan.errors[row.error] += 1
            _describe(plan, row, entry, listing.source)
        else:
            todo.append(number)
    plan.todo = part(listing.entries, todo)
    gone = [replace(row, gone=True) for row in known.others(keys, listing.may_hold)]
    plan.rows += gone
    plan.gone = len(gone)
    return plan


def error_row(entry: Entry, source: str, kind: ImageErrorKind, detail: str | None) -> CatalogRow:
    """Return the row of an input that is not a picture."""
    row = CatalogRow(
        entry.key, error=kind.value, error_detail=detail, bytes=entry.bytes, mtime_ns=entry.mtime_ns
    )
    return _described(row, entry, source)


def refuse_stranger(dataset: str, listing: Listing, known: Known) -> None:
    """Refuse a source that shares nothing with the dataset whose name it was given.

    Raises
    ------
    UsageError
        The dataset came from elsewhere, and none of its keys is listed here.
    """
    before = known.sources
    if not before or (listing.source in before and not listing.handed_in):
        return
    left_out = pa.array(listing.left_out, pa.string())
    if not known.has_any(keys_of(listing.entries)) and not known.has_any(left_out):
        raise UsageError(
            f"dataset {dataset!r} was made from {sorted(str(s) for s in before)[0]}, and "
            f"{listing.source} has no file in common with it. Name the new one: --dataset NAME"
        )


def _described(row: CatalogRow, entry: Entry, source: str) -> CatalogRow:
    return replace(
        row, labels=entry.labels, split=entry.split, extra=entry.extra, source=source, gone=False
    )


def _describe(plan: Plan, row: CatalogRow, entry: Entry, source: str) -> None:
    """Note what is said of an unchanged input now, where that is news."""
    said = (entry.labels, entry.split, entry.extra, source)
    if (row.labels, row.split, row.extra, row.source) != said:
        plan.rows.append(_described(row, entry, source))


def _unchanged(row: CatalogRow, entry: Entry) -> bool:
    same = entry.mtime_ns is not None and row.mtime_ns == entry.mtime_ns
    return same and entry.bytes in (None, row.bytes)


def _again(error: str, retry_errors: bool) -> bool:
    return retry_errors or ImageErrorKind(error).transient
