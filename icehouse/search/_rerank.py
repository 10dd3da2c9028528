"""Which of some candidates are nearest, by the vectors as they are stored."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icehouse.store import VectorRows

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

PAIRS = 4096  # that are compared at once: they stay in the cache


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
    import torch

    count = named.shape[1]
    similarity = np.empty((len(queries), min(k, count)), np.float32)
    found = np.empty((len(queries), min(k, count)), np.int64)
    step = max(1, PAIRS // max(count, 1))
    for start in range(0, len(queries), step):
        some = slice(start, start + step)
        vectors = torch.from_numpy(rows.at(np.maximum(named[some], 0).reshape(-1))).float()
        length = torch.linalg.vector_norm(vectors, dim=1).view(-1, count)
        asked = torch.from_numpy(queries[some])[:, :, None]
        dot = torch.bmm(vectors.view(-1, count, rows.dim), asked)[:, :, 0]
        cosine = torch.where(length > 0, dot / length, 0.0).clamp(-1, 1).numpy()
        cosine[named[some] < 0] = -np.inf
        order = np.lexsort((named[some], -cosine), axis=1)[:, :k]
        similarity[some] = np.take_along_axis(cosine, order, axis=1)
        found[some] = np.take_along_axis(named[some], order, axis=1)
    return similarity, found
