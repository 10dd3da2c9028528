"""``fsck`` of one encoder: its card, its canary, and every vector of every shard."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.errors import StoreCorrupt
from icehouse.store._features import CANARY, CARD, FeatureShards, card_digest
from icehouse.store._files import Files
from icehouse.store._ids import ID_DTYPE, ID_TYPE, IdArray, ids_from_arrow
from icehouse.store._shard import (
    DAMAGE,
    DTYPES,
    NAME_DIGITS,
    RowDigest,
    VectorArray,
    ViewArray,
    bare,
    flat_vectors,
    open_shard,
)
from icehouse.store.care._findings import Finding, count, found

CANARY_PICTURES = 8
STATED = b"icehouse.rows", b"icehouse.sha256", b"icehouse.encoder"
Spec = Mapping[str, Any]


@dataclass(frozen=True)
class ShardFacts:
    """A shard whose rows are what its checksum says.

    Attributes
    ----------
    name : str
    ids : array of V32, shape (n,)
    views : array of int16, shape (n,)
    kind : (int, str)
        Length and type of its vectors.
    finite : array of bool, shape (n,)
    well_named : bool
    """

    name: str
    ids: IdArray
    views: ViewArray
    kind: tuple[int, str]
    finite: npt.NDArray[np.bool_]
    well_named: bool

    @property
    def augmented(self) -> bool:
        """Whether it holds augmented views only."""
        return bool((self.views > 0).all())

    @property
    def like(self) -> tuple[object, ...]:
        """What shards that may become one have in common."""
        return self.kind, self.augmented


@dataclass
class EncoderFacts:
    """What was found of an encoder."""

    findings: list[Finding] = field(default_factory=list)
    shards: list[ShardFacts] = field(default_factory=list)


def check_encoder(files: Files, features: FeatureShards) -> EncoderFacts:
    """Read all of an encoder, a row group at a time."""
    facts = EncoderFacts()
    card, facts.findings = check_card(files, features)
    if facts.findings:  # another process may have replaced one of the two files
        card, facts.findings = check_card(files, features)
    spec = card["spec"] if card else None
    for name in features.tombstones.names():
        try:
            features.tombstones.read(name)
        except FileNotFoundError:
            continue
        except StoreCorrupt as error:
            facts.findings.append(found("tombstone", name, error))
    seen: set[str] = set()
    while new := [name for name in features.shards() if name not in seen]:
        for name in new:
            _check_shard(files, features, name, spec, facts)
        seen.update(new)
    if facts.shards and spec is None and not files.exists(f"{features.folder}/{CARD}"):
        what = f"it has no {CARD}, which says what made its vectors: no verb uses them without"
        facts.findings.append(found("encoder-card-missing", features.folder, what))
    facts.shards.sort(key=lambda shard: shard.name)
    return facts


def check_card(
    files: Files, features: FeatureShards
) -> tuple[dict[str, Any] | None, list[Finding]]:
    """Compare encoder.json with its seal and its folder, and the canary with both."""
    name = f"{features.folder}/{CARD}"
    try:
        card = json.loads(files.read(name))
        _refuse_card(card, features.encoder_id)
    except FileNotFoundError:
        return None, []
    except DAMAGE as error:
        return None, [found("encoder-card", name, f"damaged: {error!r}")]
    return card, _check_canary(files, f"{features.folder}/{CANARY}", card)


def _refuse_card(card: dict[str, Any], encoder_id: str) -> None:
    """Raise ValueError or KeyError for a card that is not what it was when it was written."""
    spec, seal = card["spec"], card_digest(card)
    fingerprint = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:12]
    if card["encoder_id"] != encoder_id or spec["stored_as"] not in DTYPES:
        raise ValueError(f"it is of {card['encoder_id']}, stored as {spec['stored_as']}")
    if not encoder_id.endswith(f"-{fingerprint}"):
        raise ValueError(f"its spec has the fingerprint {fingerprint}")
    if card.get("seal", {}).get("card", seal) != seal or not card["request"]["name"]:
        raise ValueError("it is not what its seal says")


def _check_canary(files: Files, name: str, card: dict[str, Any]) -> list[Finding]:
    try:
        data = files.read(name)
        shape = np.load(io.BytesIO(data), allow_pickle=False).shape
        right = CANARY_PICTURES, card["spec"]["dim"]
        if shape not in (right, (2, *right)):
            raise ValueError(f"its shape is {shape}, not {right}")
        sealed = card.get("seal", {}).get("canary")
        if sealed not in (None, hashlib.sha256(data).hexdigest()):
            raise ValueError(f"its checksum is not that in {CARD}")
    except FileNotFoundError:
        return [found("canary-missing", name, "the encoder has no canary")]
    except (*DAMAGE, EOFError, SyntaxError) as error:
        return [found("canary", name, f"damaged: {error!r}")]
    return []


def _check_shard(
    files: Files, features: FeatureShards, name: str, spec: Spec | None, facts: EncoderFacts
) -> None:
    try:
        shard = open_shard(files, name, mapped=False)
        strange = _strange(shard, features.encoder_id, spec)
        if strange:
            facts.findings.append(found("shard-foreign", name, strange))
            return
        checked = _read(name, shard)
    except FileNotFoundError:  # compacted meanwhile: its rows are in another one
        return
    except (StoreCorrupt, *DAMAGE) as error:
        facts.findings.append(found("shard", name, error))
        return
    bad = int((~checked.finite).sum())
    if bad:
        what = f"{count(bad, 'vector')} of {len(checked.ids):,} hold NaN or infinity"
        facts.findings.append(found("vectors-not-finite", name, what))
    if not checked.well_named:
        facts.findings.append(found("shard-name", name, "its name is not that of its content"))
    facts.shards.append(checked)


def _strange(shard: pq.ParquetFile, encoder_id: str, spec: Spec | None) -> str | None:
    """Say in what a shard differs from those of its encoder, if it does."""
    schema = shard.schema_arrow
    kind, metadata = schema.field("vector").type, schema.metadata
    if schema.types[:2] != [ID_TYPE, pa.int16()] or not pa.types.is_fixed_size_list(kind):
        return f"its columns are {schema.types}"
    owner = metadata.get(b"icehouse.encoder", encoder_id.encode()).decode(errors="replace")
    if owner != encoder_id:
        return f"it is a shard of encoder {owner}"
    got = kind.list_size, str(kind.value_type).replace("halffloat", "float16")
    got = got[0], {"float": "float32"}.get(got[1], got[1])
    if spec is not None and got != (spec["dim"], spec["stored_as"]):
        return f"its vectors are {got[0]} × {got[1]}, not {spec['dim']} × {spec['stored_as']}"
    return None if got[1] in DTYPES else f"its vectors are of type {got[1]}"


def _read(name: str, shard: pq.ParquetFile) -> ShardFacts:
    """Read a shard by row groups; StoreCorrupt where its checksum is another."""
    metadata, footer = shard.schema_arrow.metadata, shard.metadata.metadata
    if any(metadata.get(key) != footer.get(key) for key in STATED):
        raise StoreCorrupt("its footer states two things")
    groups = range(shard.metadata.num_row_groups)
    ids, views = [np.empty(0, ID_DTYPE)], [np.empty(0, np.int16)]
    for group in groups:
        table = shard.read_row_group(group, ["image_id", "view"])
        ids.append(ids_from_arrow(table["image_id"]))
        views.append(table["view"].to_numpy())
    all_ids, all_views = np.concatenate(ids), np.concatenate(views)
    digest = RowDigest(all_ids, all_views, metadata.get(b"icehouse.salt", b"").decode())
    finite = [np.empty(0, np.bool_)]
    kind = shard.schema_arrow.field("vector").type
    for group in groups:
        table = shard.read_row_group(group, ["vector"])
        if table["vector"].null_count:
            raise StoreCorrupt("it holds nulls")
        vectors = flat_vectors(table)
        digest.add(vectors)
        finite.append(is_finite(vectors))
    stated = metadata.get(b"icehouse.sha256", b"none").decode()
    if stated != digest.hexdigest():
        now, before = digest.hexdigest()[:12], stated[:12]
        raise StoreCorrupt(f"its vectors were changed: their checksum is {now}…, not {before}…")
    well_named = bare(name) == f"{stated[:NAME_DIGITS]}.parquet"
    dtype = np.dtype(kind.value_type.to_pandas_dtype()).name
    rows = np.concatenate(finite)
    return ShardFacts(name, all_ids, all_views, (kind.list_size, dtype), rows, well_named)


def is_finite(vectors: VectorArray) -> npt.NDArray[np.bool_]:
    """Return which vectors are finite, by their exponents' bits, which is quick for float16."""
    if vectors.dtype == np.float16:
        return ((vectors.view(np.uint16) & 0x7C00) != 0x7C00).all(axis=1)
    return ((vectors.view(np.uint32) & 0x7F800000) != 0x7F800000).all(axis=1)
