"""The two directions in which vectors differ most: a quick look, and where UMAP begins."""

from __future__ import annotations

import numpy as np

from icehouse.maps._neighbours import Floats, Integers
from icehouse.store import VectorRows, unit

BLOCK = 16_384
FLAT = 1e-6  # of the largest variance; what is below comes of rounding


def principal_plane(rows: VectorRows, which: Integers) -> Floats:
    """Project unit vectors on their first two principal components (Pearson 1901).

    Vectors are read by blocks, twice. An axis points to where the largest weight of its component
    is positive, so that the same vectors give the same picture.

    Parameters
    ----------
    rows : VectorRows
    which : array of int64, shape (n,)
        Rows, one at least.

    Returns
    -------
    array of float32, shape (n, 2)
        Centred. A direction in which nothing differs is 0.
    """
    from scipy.linalg import eigh

    n, dim = len(which), rows.dim
    # Seen from one of them, for much of what unit vectors are made of is common to all.
    here = unit(rows.at(which[:1]))
    total, square = np.zeros(dim), np.zeros((dim, dim))
    for start in range(0, n, BLOCK):
        block = unit(rows.at(which[start : start + BLOCK])) - here
        total += block.sum(axis=0, dtype=np.float64)
        square += block.T @ block
    mean = total / n
    covariance, last = square / n - np.outer(mean, mean), dim - 1
    variance, axes = eigh(covariance, subset_by_index=[max(last - 1, 0), last])
    variance, axes = variance[::-1], axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    axes[:, variance <= FLAT * variance[0]] = 0
    xy = np.zeros((n, 2), np.float32)
    for start in range(0, n, BLOCK):
        block = unit(rows.at(which[start : start + BLOCK])) - here
        xy[start : start + len(block), : axes.shape[1]] = (block - mean) @ axes
    return xy
