"""Flags as files: Parquet for programs, CSV for spreadsheets, JSON lines for everything."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.review._records import Flag, FlagReport
from icehouse.store import files_at

_NEIGHBOUR = pa.struct(
    [
        pa.field("image_id", pa.string()),
        pa.field("dataset", pa.string()),
        pa.field("key", pa.string()),
        pa.field("source", pa.string()),
        pa.field("path", pa.string()),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("similarity", pa.float64()),
    ]
)
_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string()),
        pa.field("dataset", pa.string()),
        pa.field("key", pa.string()),
        pa.field("source", pa.string()),
        pa.field("path", pa.string()),
        pa.field("labels", pa.list_(pa.string())),
        pa.field("predicted", pa.list_(pa.string())),
        pa.field("probability", pa.float64()),
        pa.field("probabilities", pa.map_(pa.string(), pa.float64())),
        pa.field("doubt", pa.float64()),
        pa.field("reasons", pa.map_(pa.string(), pa.float64())),
        pa.field("neighbours", pa.list_(_NEIGHBOUR)),
        pa.field("origin", pa.string()),
    ]
)


def write_flags(report: FlagReport, folder: str | Path) -> list[str]:
    """Write flags as ``flags.parquet``, ``flags.csv`` and ``flags.jsonl`` into a folder or URL."""
    records = [asdict(each) for each in report.flags]
    files = files_at(folder)
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return [
        files.commit("flags.parquet", _parquet(records)),
        files.commit("flags.csv", _csv(report.flags).encode()),
        files.commit("flags.jsonl", lines.encode()),
    ]


def _parquet(records: list[dict[str, Any]]) -> memoryview:
    pairs = [
        {**record, **{name: list(record[name].items()) for name in ("probabilities", "reasons")}}
        for record in records
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(pairs, _SCHEMA), sink)
    return memoryview(sink.getvalue())


def _csv(flags: list[Flag]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["dataset", "key", "image_id", "labels", "predicted", "probability", "doubt", "reasons",
         "neighbours", "origin"]
    )  # fmt: skip
    for each in flags:
        near = (f"{n.key} [{' '.join(n.labels or ())} {n.similarity:.3f}]" for n in each.neighbours)
        reasons = (f"{name}:{strength:.2f}" for name, strength in each.reasons.items())
        writer.writerow(
            [
                each.dataset,
                each.key,
                each.image_id,
                ";".join(each.labels or ()),
                ";".join(each.predicted),
                f"{each.probability:.4f}",
                f"{each.doubt:.4f}",
                ";".join(reasons),
                "; ".join(near),
                each.origin,
            ]
        )
    return text.getvalue()
