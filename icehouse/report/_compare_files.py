"""Comparisons as files: CSV for spreadsheets, Markdown for reports, a picture for the eye."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icehouse.report._compare_pictures import draw_comparison, draw_label_counts
from icehouse.report._compare_tables import (
    EXPLAINED,
    OF_ENCODERS,
    against_best,
    best_of,
    cell,
    labels_title_of,
    shown_columns,
    title_of,
)
from icehouse.store import files_at

if TYPE_CHECKING:
    from icehouse.heads import CompareOptions, Comparison, LabelCounts

METRICS = "top5", "precision", "recall", "f1", "auc_roc", "log_loss", "ece"
NUMBERS = "train", "val", "fit_seconds", "predict_rate", "encode_rate", "dim", "bytes_per_image"


def write_comparison(
    comparison: Comparison, folder: str | Path, options: CompareOptions | None = None
) -> list[str]:
    """Write ``compare.csv``, ``compare.md`` and ``compare.png`` into a folder or URL.

    Given the options, the names also hold a digest of them: what another question came to stays.
    """
    name = f"compare{_digest(options)}"
    first = ["encoder", "encoder_id", "head", "balance", "accuracy", "low", "high", "spread"]
    rows = [
        [c.encoder, c.encoder_id, c.head, c.balance, c.metrics.top1, c.low, c.high, c.spread]
        + [getattr(c.metrics, name) for name in METRICS]
        + [getattr(c, name) for name in NUMBERS]
        + [c.p, c.like_best]
        for c in comparison.contenders
    ]
    files = files_at(folder)
    return [
        files.commit(f"{name}.csv", _csv([*first, *METRICS, *NUMBERS, "p", "like_best"], rows)),
        files.commit(f"{name}.md", _comparison_page(comparison, f"{name}.png").encode()),
        files.commit(f"{name}.png", draw_comparison(comparison)),
    ]


def write_label_counts(
    counts: LabelCounts, folder: str | Path, options: CompareOptions | None = None
) -> list[str]:
    """Write ``label-counts.csv``, ``.md`` and ``.png``; see :func:`write_comparison`."""
    sizes = [point.count for point in counts.curves[0].points]
    name = f"label-counts{_digest(options, *sizes)}"
    rows = [
        [c.encoder, c.encoder_id, c.head, p.count, p.labels, p.accuracy, p.spread]
        for c in counts.curves
        for p in c.points
    ]
    header = ["encoder", "encoder_id", "head", "count", "labels", "accuracy", "spread"]
    files = files_at(folder)
    return [
        files.commit(f"{name}.csv", _csv(header, rows)),
        files.commit(f"{name}.md", _counts_page(counts, f"{name}.png").encode()),
        files.commit(f"{name}.png", draw_label_counts(counts)),
    ]


def _digest(options: CompareOptions | None, *sizes: int) -> str:
    if options is None:
        return ""
    asked = {**asdict(options), "task": None, "sizes": sizes}  # the folder is that of the task
    text = json.dumps(asked, sort_keys=True).encode()
    return f"-{hashlib.sha256(text).hexdigest()[:8]}"


def _csv(header: list[str], rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([f"{each:.6g}" if type(each) is float else each for each in row])
    return text.getvalue().encode()


def _comparison_page(comparison: Comparison, picture: str) -> str:
    columns = [*shown_columns(comparison), *OF_ENCODERS]
    best = {column.name: best_of(column, comparison.contenders) for column in columns}
    rows = []
    for each in comparison.contenders:
        cells = [cell(column, column.of(each)) for column in columns]
        cells = [
            f"**{text}**" if text and text == best[column.name] else text
            for text, column in zip(cells, columns, strict=True)
        ]
        if each.spread is not None:
            cells[0] += f" ± {each.spread:.3f}"
        cells.insert(1, f"{each.low:.3f}–{each.high:.3f}")
        rows.append([each.encoder, each.called, *cells, against_best(each)])
    titles = [column.title for column in columns]
    titles.insert(1, "95 % interval")
    table = _table(["encoder", "head", *titles, "vs best"], rows)
    return _page(title_of(comparison), picture, table, [EXPLAINED, *comparison.notes])


def _counts_page(counts: LabelCounts, picture: str) -> str:
    sizes = [str(point.count) for point in counts.curves[0].points]
    rows = [
        [c.encoder, c.head]
        + [
            f"{p.accuracy:.3f}" + ("" if p.spread is None else f" ± {p.spread:.3f}")
            for p in c.points
        ]
        for c in counts.curves
    ]
    table = _table(["encoder", "head", *sizes], rows)
    return _page(labels_title_of(counts), picture, table, counts.notes)


def _page(title: str, picture: str, table: str, notes: Sequence[str]) -> str:
    lines = "".join(f"\n- {note}" for note in notes)
    return f"# {title}\n\n{table}\n![{title}]({picture})\n" + (lines + "\n" if notes else "")


def _table(header: list[str], rows: list[list[str]]) -> str:
    rule = ["---", "---", *["---:"] * (len(header) - 2)]
    lines = [[text.replace("|", "\\|") for text in row] for row in (header, rule, *rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
