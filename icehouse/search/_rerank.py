"""Which of some candidates are nearest, by the vectors as they are stored."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from icehouse.embedder import cores, one_torch_thread
from icehouse.store import VectorRows

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

PAIRS = 2048  # that are compared at once: they stay in the cache
WORTH_THREADS = 4  # blocks of pairs


def reranked(queries: Floats, rows: VectorRows, named: Integers, k: int) -> tuple[Floats, Integers]:
    """Return the k nearest of the candidates of each query.

    Parameters
    ----------
    queries : array of float32, shape (q, D)
        Unit vectors.
    rows : VectorRows
    named : array of int64, shape (q, c)
        Candidates, each once for a query; -1 for none.
    k : int

    Returns
    -------
    similarity : array of float32, shape (q, min(k, c))
        Cosines, falling; -inf where there are too few candidates.
    found : array of int64, shape (q, min(k, c))
        Equal ones in the order of their rows; -1 where there are too few.
    """
    count = named.shape[1]
    similarity = np.empty((len(queries), min(k, count)), np.float32)
    found = np.empty((len(queries), min(k, count)), np.int64)
    step = max(1, PAIRS // max(count, 1))

    def compare(start: int) -> None:
        some = slice(start, start + step)
        cosine = _cosines(queries[some], rows, named[some])
        order = np.lexsort((named[some], -cosine), axis=1)[:, :k]
        similarity[some] = np.take_along_axis(cosine, order, axis=1)
        found[some] = np.take_along_axis(named[some], order, axis=1)

    starts = range(0, len(queries), step)
    # Threads of torch would wait for each other at each small product.
    with one_torch_thread():
        if len(starts) < WORTH_THREADS:
            for start in starts:
                compare(start)
        else:
            with ThreadPoolExecutor(cores()) as pool:
                list(pool.map(compare, starts))
    return similarity, found


def _cosines(queries: Floats, rows: VectorRows, named: Integers) -> Floats:
    """Return the cosine of each query with each of its candidates, -inf for none."""
    import torch

    vectors = torch.from_numpy(rows.at(np.maximum(named, 0).reshape(-1))).float()
    vectors = vectors.view(*named.shape, rows.dim)
    length = torch.linalg.vector_norm(vectors, dim=2)
    dot = torch.bmm(vectors, torch.from_numpy(queries)[:, :, None])[:, :, 0]
    cosine: Floats = torch.where(length > 0, dot / length, 0.0).clamp(-1, 1).numpy()
    cosine[named < 0] = -np.inf
    return cosine
