"""Temperature scaling (Guo et al. 2017, "On calibration of modern neural networks")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from icehouse.heads._base import FloatArray, sigmoid, softmax

CLIP = 1e-7
BOUNDS = (-3.0, 3.0)  # of log T
# A normal prior on log T. Fifteen validation images, all answered rightly, would else make a
# head certain of everything; against a thousand images the prior weighs nothing.
PRIOR_DEVIATION = 0.5


def scale(proba: FloatArray, temperature: float, *, multi_label: bool = False) -> FloatArray:
    """Soften (T > 1) or sharpen (T < 1) probabilities.

    For classes that exclude each other p becomes p^(1/T), normed to 1, which is the softmax of
    the logits divided by T, whatever the logits were. The most probable class stays so, and
    for two classes 0.5 stays 0.5. In multi-label each label's log-odds are divided by T.

    Parameters
    ----------
    proba : array, shape (n, n_classes)
    temperature : float
    multi_label : bool

    Examples
    --------
    >>> scale(np.array([[0.9, 0.1], [0.5, 0.5]]), temperature=2.0).round(2)
    array([[0.75, 0.25],
           [0.5 , 0.5 ]])
    """
    wide = np.clip(proba.astype(np.float64), CLIP, 1 - CLIP)
    if multi_label:
        return sigmoid(np.log(wide / (1 - wide)) / temperature)
    return softmax(np.log(wide) / temperature)


def fit_temperature(proba: FloatArray, target: npt.NDArray[np.int64]) -> float:
    """Find the most probable temperature: the lowest log loss, with a prior around 1.

    Parameters
    ----------
    proba : array, shape (n, n_classes)
        Of images that the head was not fitted on.
    target : array of int, shape (n,), or of 0 and 1, shape (n, n_classes)
        Columns of ``proba``.

    Returns
    -------
    float
        1.0 where there is nothing to learn from.
    """
    if len(proba) == 0:
        return 1.0
    multi_label = target.ndim == 2

    def loss(log_temperature: float) -> float:
        scaled = scale(proba, float(np.exp(log_temperature)), multi_label=multi_label)
        scaled = np.clip(scaled, CLIP, 1 - CLIP)
        if multi_label:
            right = np.where(target == 1, scaled, 1 - scaled)
        else:
            right = scaled[np.arange(len(target)), target]
        prior = 0.5 * (log_temperature / PRIOR_DEVIATION) ** 2
        return float(prior - np.log(right).sum())

    return float(np.exp(minimize_scalar(loss, bounds=BOUNDS, method="bounded").x))
