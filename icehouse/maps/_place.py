"""Images that are new to a map, each placed where those are that it is like."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icehouse.maps._neighbours import Floats, Integers

STEPS = 30


def placed_among(
    distance: Floats, place: Integers, xy: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Place points at the weighted geometric median of their neighbours.

    The weights are UMAP's: exp(-(d - d_1) / s), with d_1 the distance of the nearest, and s such
    that all fall off alike. UMAP itself begins with the mean and goes on from there; but the mean
    of neighbours on two islands lies in the sea between them, and the median (Weiszfeld 1937) on
    the island of most.

    Parameters
    ----------
    distance : array of float32, shape (m, k)
        Rising.
    place : array of int64, shape (m, k)
        Rows of ``xy``.
    xy : array of float32, shape (n, 2)

    Returns
    -------
    array of float32, shape (m, 2)

    Examples
    --------
    >>> xy = np.array([[0, 0], [0, 1], [9, 9]], np.float32)
    >>> placed_among(np.array([[0.1, 0.1, 0.1]], np.float32), np.array([[0, 1, 2]]), xy).round(1)
    array([[0., 1.]], dtype=float32)
    """
    over = distance - distance[:, :1]
    scale = over.mean(axis=1, keepdims=True)
    weight = np.exp(-np.divide(over, scale, out=np.zeros_like(over), where=scale > 0))
    near = xy[place]
    at = _weighted_mean(near, weight)
    size = max(float(np.ptp(xy)) if xy.size else 0.0, 1.0)
    for _ in range(STEPS):
        away = np.linalg.norm(near - at[:, None], axis=2)
        at = _weighted_mean(near, weight / np.maximum(away, 1e-6 * size))
    return at


def _weighted_mean(
    near: npt.NDArray[np.float32], weight: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    total = weight.sum(axis=1, keepdims=True)
    return np.asarray((near * weight[..., None]).sum(axis=1) / total, np.float32)
