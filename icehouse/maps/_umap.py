"""A layout by UMAP (McInnes, Healy and Melville 2018), the same each time."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from icehouse.maps._neighbours import Floats, Integers

if TYPE_CHECKING:
    import numpy.typing as npt

WIDTH = 10.0  # of what UMAP begins with, as it scales its own beginnings
DENSE = 1e-4  # of that width: points that begin at one place would never part


def umap_layout(
    distance: Floats,
    neighbours: Integers,
    start: npt.NDArray[np.float32],
    min_dist: float,
    seed: int,
) -> npt.NDArray[np.float32]:
    """Lay points out so that neighbours stay near each other.

    Parameters
    ----------
    distance : array of float32, shape (n, k)
        Rising.
    neighbours : array of int64, shape (n, k)
        Without the point itself.
    start : array of float32, shape (n, 2)
        It begins with the principal components, as Kobak and Linderman (2021, "Initialization is
        critical for preserving global data structure") found to be as good as a spectral layout,
        which does not converge on some graphs.
    min_dist : float
        How near points may come.
    seed : int

    Returns
    -------
    array of float32, shape (n, 2)
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ImportWarning)  # of TensorFlow
        from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

    own = np.arange(len(distance))[:, None]
    random = np.random.RandomState(seed)  # what UMAP takes
    graph, _, _ = fuzzy_simplicial_set(
        start,
        distance.shape[1] + 1,
        random,
        "euclidean",  # not looked at: neighbours are given
        knn_indices=np.concatenate([own, neighbours], axis=1),
        knn_dists=np.concatenate([np.zeros_like(own, np.float32), distance], axis=1),
    )
    a, b = find_ab_params(1.0, min_dist)
    layout, _ = simplicial_set_embedding(
        start,
        graph,
        n_components=2,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=None,
        init=_scaled(start, random),
        random_state=random,
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
        parallel=False,  # in parallel it would be another map each time
    )
    return np.asarray(layout, np.float32)


def _scaled(
    start: npt.NDArray[np.float32], random: np.random.RandomState
) -> npt.NDArray[np.float32]:
    largest = float(np.abs(start).max())
    scaled = start * (WIDTH / largest) if largest > 0 else start
    noise = random.normal(scale=DENSE * WIDTH, size=start.shape)
    return np.asarray(scaled + noise, np.float32)
