"""Answers of ``zero-shot`` as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from icehouse.review._zero_shot_report import ZeroShotAnswer, ZeroShotReport
from icehouse.store import files_at

ANSWERS, DIFFERENCES = "answers.csv", "differences.csv"
COLUMN = "p:"  # before a class, which may be called as another column is


def write_zero_shot(report: ZeroShotReport, folder: str | Path) -> list[str]:
    """Write ``answers.csv``, all images, into a folder or URL.

    Where a head was asked, ``differences.csv`` has those on which it says something else, the
    most certain first; where not, one of an earlier run is removed.
    """
    files = files_at(folder)
    written = [files.commit(ANSWERS, _csv(report, report.answers()))]
    if report.head is None:
        files.remove(DIFFERENCES)
        return written
    different = report.answers(report.differing())
    return [*written, files.commit(DIFFERENCES, _csv(report, different))]


def _csv(report: ZeroShotReport, answers: Iterable[ZeroShotAnswer]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["dataset", "key", "image_id", "labels", "predicted", "probability", "head_predicted",
         "head_probability", *(f"{COLUMN}{name}" for name in report.classes)]
    )  # fmt: skip
    for each in answers:
        sure = each.head_probability
        writer.writerow(
            [
                each.dataset,
                each.key,
                each.image_id,
                ";".join(each.labels or ()),
                ";".join(each.predicted),
                f"{each.probability:.4f}",
                ";".join(each.head_predicted or ()),
                "" if sure is None else f"{sure:.4f}",
                *(f"{each.probabilities[name]:.4f}" for name in report.classes),
            ]
        )
    return text.getvalue().encode()
