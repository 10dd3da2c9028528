"""How well and how fast an index is searched, by queries whose neighbours are known."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.search import _faiss
from icehouse.search._kinds import CANDIDATES, FLAT, Kind
from icehouse.search._rerank import reranked
from icehouse.store import VectorRows, nearest, unit

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

K = 10
WIDTHS = (10, 12, 16, 20, 24, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256)  # candidates for ten
SLOWER = 0.7  # of the best speed: a search that takes longer than that is not the way
ONE_BY_ONE = 30


@dataclass(frozen=True)
class Measured:
    """An index as it was measured.

    Attributes
    ----------
    kind : str
    parameters : mapping
        Of a search, with the "candidates" for ten neighbours.
    recall : float
        Share of the ten nearest that were found.
    queries_per_second : float
        When many come at once.
    latency_ms : float
        That 95 of 100 queries take at most when they come one by one.
    memory : int
        Bytes.
    build_seconds : float
    why : str
        Why it cannot be taken; empty where it can.
    """

    kind: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    recall: float = 0.0
    queries_per_second: float = 0.0
    latency_ms: float = 0.0
    memory: int = 0
    build_seconds: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class Asked:
    """Queries, and what is right.

    Attributes
    ----------
    held, rest : arrays of int64
        Rows that are queries, and all others, which alone are searched.
    queries : array of float32, shape (q, D)
        Unit vectors.
    right : array of int64, shape (q, k)
        Their nearest rows.
    seconds : float
        That exact search took.
    """

    held: Integers
    rest: Integers
    queries: Floats
    right: Integers
    seconds: float

    @classmethod
    def of(cls, rows: VectorRows, most: int, seed: int) -> Asked:
        """Hold some rows out, a tenth at most, and find their neighbours among the rest."""
        order = np.random.default_rng(seed).permutation(len(rows))
        number = min(most, len(rows) // 10)
        held, rest = np.sort(order[:number]), np.sort(order[number:])
        queries = unit(rows.at(held))
        import torch  # noqa: F401  (a large search loads it, which is no part of its time)

        started = time.perf_counter()
        _, right = nearest(queries, rows, K, among=rest)
        return cls(held, rest, queries, right, time.perf_counter() - started)


def measure_flat(rows: VectorRows, asked: Asked) -> Measured:
    """Return how fast exact search is."""

    def ask(queries: Floats) -> object:
        return nearest(queries, rows, K)

    speed = len(asked.held) / asked.seconds if len(asked.held) else 0.0
    alone = _one_by_one(ask, asked.queries[: ONE_BY_ONE // 6])
    return Measured(FLAT, recall=1.0, queries_per_second=speed, latency_ms=alone)


def measure(kind: Kind, index: Any, rows: VectorRows, asked: Asked, target: float) -> Measured:
    """Find the fastest search of an index that reaches a recall; or how far it came.

    Neighbours are looked for among many candidates once: that says for every smaller number of them
    what the recall would be. Recall is of a sample, so two standard errors are taken off it. More
    candidates than a graph is searched broadly make FAISS search it more broadly, so that there no
    more are asked for.
    """
    best = Measured(kind.name, why="recall not reached")
    for value in kind.values:
        if not len(asked.held):
            values = {**kind.most(index.ntotal), CANDIDATES: WIDTHS[-1]}
            return Measured(kind.name, values, recall=1.0)
        most = WIDTHS[-1] if kind.parameter == "nprobe" else min(value, WIDTHS[-1])
        recalls = _recalls(index, asked, {kind.parameter: value}, most)
        enough = [width for width, (mean, error) in recalls.items() if mean - 2 * error >= target]
        if not enough:
            mean, _ = recalls[max(recalls)]
            if best.why and mean > best.recall:
                best = replace(best, recall=mean, parameters={kind.parameter: value})
        else:
            parameters = {kind.parameter: value, CANDIDATES: enough[0]}
            speed, alone = _speed(index, rows, asked, parameters)
            if best.why or speed > best.queries_per_second:
                recall = recalls[enough[0]][0]
                best = Measured(kind.name, parameters, recall, speed, alone)
            if speed < SLOWER * best.queries_per_second:
                break
        if kind.parameter == "nprobe" and value >= index.nlist:
            break
    return best


def _recalls(
    index: Any, asked: Asked, parameters: Mapping[str, float], most: int
) -> dict[int, tuple[float, float]]:
    """Return mean and standard error of the recall by the number of candidates, at most so many."""
    named = _faiss.candidates(index, asked.queries, most, parameters)
    rows = np.where(named < 0, -1, asked.rest[np.maximum(named, 0)])
    hit = np.stack([(rows == right[:, None]).T for right in asked.right.T])  # (k, c, q)
    ever = np.maximum.accumulate(hit, axis=1).mean(axis=0)
    found = {width: ever[min(width, len(ever)) - 1] for width in WIDTHS if width <= most}
    return {
        width: (float(each.mean()), float(each.std() / np.sqrt(len(each))))
        for width, each in found.items()
    }


def _speed(
    index: Any, rows: VectorRows, asked: Asked, parameters: Mapping[str, float]
) -> tuple[float, float]:
    """Return queries/s of many at once, and the milliseconds of one."""
    width = int(parameters[CANDIDATES])

    def ask(queries: Floats) -> object:
        named = _faiss.candidates(index, queries, width, parameters)
        named = np.where(named < 0, -1, asked.rest[np.maximum(named, 0)])
        return reranked(queries, rows, named, K)

    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        ask(asked.queries)
        seconds.append(time.perf_counter() - started)
    return len(asked.queries) / min(seconds), _one_by_one(ask, asked.queries[:ONE_BY_ONE])


def _one_by_one(ask: Callable[[Floats], object], queries: Floats) -> float:
    seconds = [0.0]
    for query in queries[:, None]:
        started = time.perf_counter()
        ask(query)
        seconds.append(time.perf_counter() - started)
    return float(np.quantile(seconds, 0.95) * 1000)
