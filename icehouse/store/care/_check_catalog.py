"""``fsck`` of the catalog: every shard, and every row in force."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from icehouse.store._catalog import (
    REPLACES,
    SCHEMA,
    Catalog,
    in_force,
    is_compacted,
    tag_of,
)
from icehouse.store._files import Files
from icehouse.store._ids import IdArray, ids_from_arrow
from icehouse.store._shard import DAMAGE, bare
from icehouse.store.care._findings import Finding, count, found

COLUMNS = ["dataset", "key", "image_id", "error", "gone"]


@dataclass
class DatasetFacts:
    """What was found of a dataset.

    Attributes
    ----------
    findings : list of Finding
    images : array of V32, shape (n,)
        Of the rows in force, sorted and unique.
    odd_keys : list of str
        Of rows in force that name both an image and an error, or neither.
    """

    findings: list[Finding]
    images: IdArray
    odd_keys: list[str] = field(default_factory=list)


def check_dataset(files: Files, catalog: Catalog, dataset: str) -> DatasetFacts:
    """Read all shards of a dataset; the damaged ones are left out of its rows."""
    seen: set[str] = set()
    findings: list[Finding] = []
    tables: dict[str, pa.Table] = {}
    replaced: set[str] = set()
    while new := [name for name in catalog.shards(dataset) if name not in seen]:
        for name in new:
            try:
                table = _read_shard(files, name)
            except FileNotFoundError:  # compacted meanwhile: its rows are in another one
                continue
            except DAMAGE as error:
                findings.append(found("catalog-shard", name, f"damaged: {error!r}"))
                continue
            replaced |= set(json.loads((table.schema.metadata or {}).get(REPLACES, b"[]")))
            tables[name] = table.select(COLUMNS).replace_schema_metadata()
        seen.update(new)
    names = sorted(tables, key=lambda name: (not is_compacted(name), name))
    live = [name for name in names if bare(name) not in replaced]
    empty = pa.schema([SCHEMA.field(name) for name in COLUMNS]).empty_table()
    rows = in_force(history := pa.concat_tables([empty, *(tables[name] for name in live)]))
    facts = DatasetFacts(findings, np.unique(ids_from_arrow(rows["image_id"].drop_null())))
    facts.odd_keys = _odd_keys(rows, dataset)
    where = f"catalog/{dataset}"
    if facts.odd_keys:
        what = (
            f"{count(len(facts.odd_keys), 'row')} in force of {len(rows):,} (first: "
            f"{facts.odd_keys[0]!r}) belong to another dataset, or have both or neither of "
            "image and error"
        )
        findings.append(found("catalog-rows", where, what))
    old = len(history) - len(rows)
    if old or len(tables) > 1:
        what = f"{count(len(tables), 'shard')} with {count(old, 'row')} no longer in force"
        findings.append(found("superseded-rows", where, what))
    return facts


def _read_shard(files: Files, name: str) -> pa.Table:
    data = files.read(name)
    if not bare(name).endswith(f"{tag_of(data)}.parquet"):
        raise ValueError(f"its checksum is {tag_of(data)}, which is not that of its name")
    table = pq.ParquetFile(pa.BufferReader(data)).read()
    wrong = [
        field.name
        for field in SCHEMA
        if field.name not in table.schema.names or table.schema.field(field.name).type != field.type
    ]
    if wrong:
        raise ValueError(f"its columns {wrong} are absent or of another type")
    return table


def _odd_keys(rows: pa.Table, dataset: str) -> list[str]:
    good = pc.xor(rows["image_id"].is_valid(), rows["error"].is_valid())
    good = pc.and_(good, pc.equal(rows["dataset"], dataset))
    keys: list[str] = rows.filter(pc.invert(good))["key"].to_pylist()
    return keys
