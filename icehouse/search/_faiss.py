"""FAISS at its edge: indexes are made, written, mapped and asked here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import MissingExtra
from icehouse.search._kinds import Kind, lists
from icehouse.store import VectorRows, unit

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

AT_ONCE = 65_536
TRAINED_ON = 32  # rows for each centre
MOST_TRAINED_ON = 131_072
BREADTH = 80  # of the search for neighbours while a graph is made


def faiss() -> Any:
    """Return the library.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingExtra("faiss", "cpu") from error
    return faiss


def made(kind: Kind, rows: VectorRows, which: Integers, seed: int = 0) -> Any:
    """Return an index of some rows, in their order."""
    index = faiss().index_factory(
        rows.dim, kind.factory(len(which), rows.dim), faiss().METRIC_INNER_PRODUCT
    )
    if hasattr(index, "hnsw"):
        index.hnsw.efConstruction = BREADTH
    if hasattr(index, "cp"):
        index.cp.min_points_per_centroid = 1  # there is a warning on standard output otherwise
        index.cp.seed = seed + 1
    if hasattr(index, "pq"):
        index.pq.cp.min_points_per_centroid = 1
    if not index.is_trained:
        most = min(MOST_TRAINED_ON, max(TRAINED_ON * lists(len(which)), 4096))
        chosen = np.random.default_rng(seed).permutation(len(which))[:most]
        _train(index, unit(rows.at(which[np.sort(chosen)])))
    add(index, rows, which)
    return index


def _train(index: Any, vectors: Floats) -> None:
    """Learn centres on all threads, then codes on one: a hundred small problems, one by one.

    On two threads that wait for each other at each of them, codes took eight times the time.
    """
    if hasattr(index, "train_q1"):
        pointer = faiss().swig_ptr(vectors)
        index.train_q1(len(vectors), pointer, False, index.metric_type)
    threads = faiss().omp_get_max_threads()
    faiss().omp_set_num_threads(1 if hasattr(index, "pq") else threads)
    try:
        index.train(vectors)
    finally:
        faiss().omp_set_num_threads(threads)


def add(index: Any, rows: VectorRows, which: Integers) -> None:
    """Add rows to an index, by blocks."""
    for start in range(0, len(which), AT_ONCE):
        index.add(unit(rows.at(which[start : start + AT_ONCE])))


def write(index: Any, path: Path) -> None:
    """Write an index to a file of this machine."""
    faiss().write_index(index, str(path))


def mapped(path: Path) -> Any:
    """Open an index without reading all of it."""
    return faiss().read_index(str(path), faiss().IO_FLAG_MMAP_IFC)


def whole(path: Path) -> Any:
    """Read an index, to change it."""
    return faiss().read_index(str(path))


def candidates(
    index: Any,
    queries: Floats,
    count: int,
    parameters: Mapping[str, float],
    allowed: Mask | None = None,
) -> Integers:
    """Return rows of an index that may be the nearest, probable ones first, -1 for none.

    Parameters
    ----------
    index : faiss.Index
    queries : array of float32, shape (q, D)
        Unit vectors.
    count : int
    parameters : mapping
        "nprobe" or "efSearch".
    allowed : array of bool, shape (index.ntotal,), optional
        Rows that alone may be named.
    """
    said: dict[str, Any] = {}
    if allowed is not None:
        bits = np.packbits(allowed, bitorder="little")
        said["sel"] = faiss().IDSelectorBitmap(bits)
    if "nprobe" in parameters:
        said["nprobe"] = min(int(parameters["nprobe"]), index.nlist)
        options = faiss().SearchParametersIVF(**said)
    else:
        said["efSearch"] = max(int(parameters["efSearch"]), count)
        options = faiss().SearchParametersHNSW(**said)
    count = min(count, index.ntotal)
    _, found = index.search(queries, count, params=options)
    rows: Integers = found
    return rows
