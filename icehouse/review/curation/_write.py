"""What curation found as files: a row an image as CSV, a line a thing as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from icehouse.review.curation._records import GapReport, OutlierReport, Picture, TypicalReport
from icehouse.store import files_at

PLACE = ("dataset", "key", "image_id", "labels")


def write_outliers(report: OutlierReport, folder: str | Path) -> list[str]:
    """Write ``outliers.csv`` and ``outliers.jsonl`` into a folder or URL; return where they are.

    A sheet of an earlier run is removed, here as below: it may show what is no longer listed.
    """
    rows = (
        (rank, f"{each.distance:.4f}", f"{each.lof:.3f}", *_place(picture))
        for rank, each in enumerate(report.outliers, 1)
        for picture in each.pictures
    )
    header = ("rank", "distance", "lof", *PLACE)
    return _written(folder, "outliers", report.outliers, (header, *rows))


def write_typical(report: TypicalReport, folder: str | Path) -> list[str]:
    """Write ``typical.csv`` and ``typical.jsonl`` into a folder or URL; return where they are."""
    rows = (
        (
            each.name,
            kind,
            rank,
            "" if member.own is None else f"{member.own:.4f}",
            f"{member.other:.4f}",
            ";".join(member.near),
            member.copies,
            *_place(member.picture),
        )
        for each in report.classes
        for kind in ("typical", "far", "astray")
        for rank, member in enumerate(getattr(each, kind), 1)
    )
    header = ("class", "kind", "rank", "own", "other", "near", "copies", *PLACE)
    return _written(folder, "typical", report.classes, (header, *rows))


def write_gaps(report: GapReport, folder: str | Path) -> list[str]:
    """Write ``gaps.csv`` and ``gaps.jsonl`` into a folder or URL; return where they are."""
    rows = (
        (
            number,
            f"{distance:.4f}",
            "" if ratio is None else f"{ratio:.3f}",
            "" if at else "yes",
            *_place(picture),
        )
        for number, gap in enumerate(report.gaps, 1)
        for at, (picture, distance, ratio) in enumerate(
            zip(gap.pictures, gap.distances, gap.ratios, strict=True)
        )
    )
    header = ("gap", "distance", "ratio", "stands_for_it", *PLACE)
    return _written(folder, "gaps", report.gaps, (header, *rows))


def _written(
    folder: str | Path, name: str, records: Iterable[Any], rows: Iterable[Sequence[object]]
) -> list[str]:
    files, text = files_at(folder), io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    lines = (json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in records)
    written = [
        files.commit(f"{name}.jsonl", "".join(lines).encode()),
        files.commit(f"{name}.csv", text.getvalue().encode()),
    ]
    files.remove(f"{name}.png")
    return written


def _place(picture: Picture) -> tuple[str, ...]:
    return picture.dataset, picture.key, picture.image_id, ";".join(picture.labels or ())
