"""The two directions in which vectors differ most: a quick look, and where UMAP begins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icehouse.store import VectorRows, unit

BLOCK = 16_384


def principal_plane(rows: VectorRows) -> npt.NDArray[np.float32]:
    """Project unit vectors on their first two principal components (Pearson 1901).

    Vectors are read by blocks, twice. An axis points to where the largest weight of its component
    is positive, so that the same vectors give the same picture.

    Returns
    -------
    array of float32, shape (n, 2)
        Centred. A direction in which nothing differs is 0.
    """
    n, dim = len(rows), rows.dim
    total, square = np.zeros(dim), np.zeros((dim, dim))
    for start in range(0, n, BLOCK):
        block = unit(rows.block(start, min(start + BLOCK, n)))
        total += block.sum(axis=0, dtype=np.float64)
        square += block.T @ block
    mean = total / n
    _, vectors = np.linalg.eigh(square / n - np.outer(mean, mean))
    axes = vectors[:, :-3:-1]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    xy = np.zeros((n, 2), np.float32)
    for start in range(0, n, BLOCK):
        block = unit(rows.block(start, min(start + BLOCK, n)))
        xy[start : start + len(block), : axes.shape[1]] = (block - mean) @ axes
    return xy
