"""What curves of accuracy come to: labels needed, and what is saved against drawing at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t

LEVEL = 0.95
RESAMPLES = 2000

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Needed:
    """Labels that a part of the full-data accuracy takes.

    Attributes
    ----------
    share : float
        Of the accuracy with all labels, such as 0.95.
    labels : float or None
        Where the mean curve first reaches it, between two points by a straight line. None: not
        within the budget. Intervals are percentiles of 2,000 bootstraps over seeds, in pairs.
    low, high : float or None
        95 % interval; None where it ends beyond the budget, or there is one seed.
    saving : float or None
        1 minus the labels by those of drawing at random; negative where it takes more.
    saving_low, saving_high : float or None
    """

    share: float
    labels: float | None
    low: float | None = None
    high: float | None = None
    saving: float | None = None
    saving_low: float | None = None
    saving_high: float | None = None


def mean_interval(accuracy: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Return means over seeds and their 95 % intervals by Student's t, shape (sizes,) each.

    Parameters
    ----------
    accuracy : array of float, shape (seeds, sizes)
        With one seed there is no interval: NaN.
    """
    seeds, mean = len(accuracy), accuracy.mean(axis=0)
    if seeds < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = t.ppf((1 + LEVEL) / 2, seeds - 1) * accuracy.std(axis=0, ddof=1) / np.sqrt(seeds)
    return mean, mean - half, np.minimum(mean + half, 1)


def labels_needed(sizes: Doubles, curves: Doubles, goal: float) -> Doubles:
    """Return where curves first reach a goal, shape (curves,); infinity where they do not.

    Parameters
    ----------
    sizes : array of float, shape (sizes,)
    curves : array of float, shape (curves, sizes)
    goal : float

    Examples
    --------
    >>> sizes = np.array([10.0, 20.0, 40.0])
    >>> labels_needed(sizes, np.array([[0.2, 0.4, 0.8], [0.9, 0.9, 0.9], [0.1, 0.2, 0.3]]), 0.6)
    array([30., 10., inf])
    """
    above = curves >= goal
    at = above.argmax(axis=1)
    before = np.maximum(at - 1, 0)
    every = np.arange(len(curves))
    low, high = curves[every, before], curves[every, at]
    rise = np.where(high > low, high - low, 1)
    part = np.where(at > 0, np.clip((goal - low) / rise, 0, 1), 0)
    found = sizes[before] + part * (sizes[at] - sizes[before])
    return np.where(above.any(axis=1), found, np.inf)


def needed(
    sizes: list[int], accuracy: Doubles, drawn: Doubles, full: float, share: float
) -> Needed:
    """Say how many labels a strategy takes for a share of the full-data accuracy, and saves.

    Parameters
    ----------
    sizes : list of int
    accuracy, drawn : array of float, shape (seeds, sizes)
        Of the strategy, and of drawing at random; a row is one seed, which both began alike.
    full : float
        Accuracy with all labels.
    share : float
    """
    at, seeds = np.array(sizes, np.float64), len(accuracy)
    resamples = np.random.default_rng(0).integers(0, seeds, (RESAMPLES, seeds))
    own, others = (
        np.concatenate(
            [
                labels_needed(at, each.mean(axis=0)[None], share * full),
                labels_needed(at, each[resamples].mean(axis=1), share * full),
            ]
        )
        for each in (accuracy, drawn)
    )
    labels = _finite(own[0])
    if seeds < 2:
        low = high = None
    else:
        low, high = _percentiles(own[1:])
    with np.errstate(invalid="ignore"):
        saved = 1 - own / others  # infinity by infinity is not known
    if not np.isfinite(others[0]) or labels is None:
        return Needed(share, labels, low, high)
    saving_low, saving_high = (None, None) if seeds < 2 else _percentiles(saved[1:])
    return Needed(share, labels, low, high, float(saved[0]), saving_low, saving_high)


def _percentiles(values: Doubles) -> tuple[float | None, float | None]:
    """Return the ends of the 95 % interval; None for one that is beyond all bounds."""
    tail = 100 * (1 - LEVEL) / 2
    if np.isnan(values).any():
        return None, None
    low, high = np.percentile(values, [tail, 100 - tail], method="nearest")
    return _finite(low), _finite(high)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
