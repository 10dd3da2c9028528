"""Which index suits the vectors of a store: some are made, measured, and the fastest is kept.

A thousand vectors are held out of all indexes and asked for. What their neighbours are is known
from exact search, so recall is measured and not assumed; when the choice is made they are added.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from icehouse.errors import LookupFailed, SettingError, UsageError
from icehouse.search import _faiss
from icehouse.search._kinds import FLAT, KINDS, Kind
from icehouse.search._measure import Asked, Measured, measure, measure_flat
from icehouse.store import (
    IndexCard,
    IndexedRows,
    IndexFiles,
    Store,
    VectorRows,
    fingerprints,
    parts_of,
)

SMALL = 20_000  # vectors: of fewer, exact search takes some milliseconds
HELD_OUT = 1000
AT_ONCE = 65_536
Progress = Callable[[str], None]


@dataclass(frozen=True)
class BuildOptions:
    """What an index is to be.

    Attributes
    ----------
    target_recall : float
        Of the ten nearest: how many of them are found on average, at least.
    max_memory : int or None
        Bytes of the index. The stored vectors, by which candidates are compared, come beside it.
    max_latency : float or None
        Milliseconds that 95 of 100 queries take at most when they come one by one.
    kinds : tuple of str
        What is tried; none: all that might help.
    seed : int
    """

    target_recall: float = 0.99
    max_memory: int | None = None
    max_latency: float | None = None
    kinds: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.target_recall <= 1:
            raise SettingError(f"target_recall is in (0, 1], got {self.target_recall}")
        for kind in self.kinds:
            if kind not in (FLAT, *KINDS):
                known = ", ".join((FLAT, *KINDS))
                raise SettingError(f"there is no index {kind!r}; there are {known}")


def build_index(
    store: Store,
    encoder_id: str,
    options: BuildOptions | None = None,
    say: Progress = lambda _: None,
) -> IndexCard:
    """Make indexes of an encoder's vectors, measure them, and keep the fastest that is good enough.

    Parameters
    ----------
    store : Store
    encoder_id : str
    options : BuildOptions, optional
    say : callable, optional
        Is told what is being done.

    Returns
    -------
    IndexCard
        Its ``tried`` is the table that was chosen from. Where nothing is faster than exact search
        its kind is "flat", and there is no index.

    Raises
    ------
    LookupFailed
        There are no vectors.
    UsageError
        Nothing keeps within memory and latency and reaches the recall.
    MissingExtra
        FAISS is not installed.
    """
    options = options or BuildOptions()
    if len(parts_of(encoder_id)) > 1:
        raise UsageError("an index is of one encoder; joined ones are searched exactly")
    rows = store.features(encoder_id).rows()
    if not len(rows):
        raise LookupFailed(f"the store has no features of encoder {encoder_id}")
    _faiss.faiss()
    asked = Asked.of(rows, HELD_OUT, options.seed)
    say(f"exact search of {len(rows):,} vectors")
    tried = [measure_flat(rows, asked)]
    with tempfile.TemporaryDirectory(prefix="icehouse-index-") as folder:
        tried += [
            _try(kind, rows, asked, options, Path(folder), say) for kind in _kinds(rows, options)
        ]
        chosen = _fastest(tried, options)
        path = None
        if chosen.kind != FLAT:
            path = Path(folder) / chosen.kind
            index = _faiss.whole(path)
            _faiss.add(index, rows, asked.held)
            _faiss.write(index, path)
        which = np.concatenate([asked.rest, asked.held])[: len(rows) if path else 0]
        card = IndexCard(
            encoder_id=encoder_id,
            kind=chosen.kind,
            rows=len(which),
            dim=rows.dim,
            parameters=dict(chosen.parameters),
            shards=rows.shards,
            measured=_said(chosen),
            asked={**asdict(options), "kinds": list(options.kinds)},
            tried=tuple(_said(each) for each in tried),
            versions={"faiss": str(_faiss.faiss().__version__)},
        )
        return IndexFiles(store.files, encoder_id).commit(card, path, described(rows, which))


def described(rows: VectorRows, which: Any) -> IndexedRows:
    """Say what the rows of an index are."""
    prints = [
        fingerprints(rows.at(which[start : start + AT_ONCE]))
        for start in range(0, len(which), AT_ONCE)
    ]
    every = np.concatenate([np.empty(0, np.uint64), *prints])
    return IndexedRows(rows.ids[which], rows.shard[which], every)


def _kinds(rows: VectorRows, options: BuildOptions) -> Sequence[Kind]:
    if options.kinds:
        return [KINDS[name] for name in options.kinds if name != FLAT]
    return [] if len(rows) < SMALL or options.target_recall == 1 else list(KINDS.values())


def _try(
    kind: Kind,
    rows: VectorRows,
    asked: Asked,
    options: BuildOptions,
    folder: Path,
    say: Progress,
) -> Measured:
    """Make an index, write it to a folder, and find out how it is best searched."""
    size = kind.bytes(len(rows), rows.dim)
    if options.max_memory is not None and size > options.max_memory:
        return Measured(kind.name, memory=size, why="too large")
    if not len(asked.rest):
        return Measured(kind.name, why="too few vectors")
    say(f"{kind.name}: making an index of about {size / 1e6:,.0f} MB")
    started = time.perf_counter()
    path = folder / kind.name
    _faiss.write(_faiss.made(kind, rows, asked.rest, options.seed), path)
    seconds = time.perf_counter() - started
    say(f"{kind.name}: made in {seconds:,.0f} s, measuring")
    found = measure(kind, _faiss.mapped(path), rows, asked, options.target_recall)
    return replace(found, memory=path.stat().st_size, build_seconds=seconds)


def _fastest(tried: Sequence[Measured], options: BuildOptions) -> Measured:
    good = [
        each
        for each in tried
        if not each.why
        and (options.max_latency is None or each.latency_ms <= options.max_latency)
        and (options.max_memory is None or each.memory <= options.max_memory)
        and (not options.kinds or each.kind in options.kinds)
    ]
    if not good:
        said = "; ".join(
            f"{each.kind}: recall {each.recall:.3f}, {each.memory / 1e6:,.0f} MB, "
            f"{each.latency_ms:.1f} ms {each.why}".rstrip()
            for each in tried
        )
        raise UsageError(
            f"no index reaches recall {options.target_recall:g} within what was asked ({said}). "
            "Ask for less recall, or allow more memory or latency"
        )
    return max(good, key=lambda each: each.queries_per_second)


def _said(each: Measured) -> dict[str, Any]:
    return {**asdict(each), "parameters": dict(each.parameters)}
