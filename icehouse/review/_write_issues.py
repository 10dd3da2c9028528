"""Labels that are probably wrong, as files: CSV for spreadsheets, JSON lines for everything."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

from icehouse.review._issue_records import LabelIssueReport
from icehouse.store import files_at


def write_label_issues(report: LabelIssueReport, folder: str | Path) -> list[str]:
    """Write ``label-issues.csv`` and ``label-issues.jsonl`` into a folder or URL.

    A contact sheet of an earlier run is removed: it may show what is no longer in the list.
    """
    files = files_at(folder)
    lines = "".join(json.dumps(asdict(i), ensure_ascii=False) + "\n" for i in report.issues)
    written = [
        files.commit("label-issues.csv", _csv(report).encode()),
        files.commit("label-issues.jsonl", lines.encode()),
    ]
    files.remove("label-issues.png")
    return written


def _csv(report: LabelIssueReport) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["dataset", "key", "image_id", "labels", "label", "suggested", "score", "head",
         "neighbours", "copies"]
    )  # fmt: skip
    for each in report.issues:
        writer.writerow(
            [
                each.dataset,
                each.key,
                each.image_id,
                ";".join(each.labels),
                each.label,
                ";".join(each.suggested),
                f"{each.score:.4f}",
                each.head,
                each.around,
                each.said_of_copies,
            ]
        )
    return text.getvalue()
