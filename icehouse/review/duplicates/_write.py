"""Duplicates as files: a row a file as CSV, a line a cluster as JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

from icehouse.review.duplicates._records import Cluster, DuplicateReport
from icehouse.store import files_at

COLUMNS = ("cluster", "flags", "kind", "distance", "correlation", "mirrored", "cosine",
           "dataset", "key", "image_id", "labels", "source_labels", "split")  # fmt: skip


def write_duplicates(report: DuplicateReport, folder: str | Path) -> list[str]:
    """Write ``duplicates.csv`` and ``duplicates.jsonl`` into a folder or URL.

    A contact sheet of an earlier run is removed: it may show what is no longer in the list.
    """
    files = files_at(folder)
    lines = (json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in report.clusters)
    written = [
        files.commit("duplicates.jsonl", "".join(lines).encode()),
        files.commit("duplicates.csv", _csv(report.clusters).encode()),
    ]
    files.remove("duplicates.png")
    return written


def _csv(clusters: list[Cluster]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, cluster in enumerate(clusters, 1):
        known = (
            number,
            ";".join(cluster.flags),
            cluster.kind,
            "" if cluster.distance is None else cluster.distance,
            "" if cluster.correlation is None else f"{cluster.correlation:.3f}",
            "yes" if cluster.mirrored else "",
            "" if cluster.cosine is None else f"{cluster.cosine:.4f}",
        )
        for copy in cluster.copies:
            labels, said = ";".join(copy.labels or ()), ";".join(copy.said or ())
            place = (copy.dataset, copy.key, copy.image_id, labels, said, copy.split or "")
            writer.writerow((*known, *place))
    return text.getvalue()
