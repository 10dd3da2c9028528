"""How strongly logistic regression is regularised, by cross-validation along a path.

All folds are one problem whose columns stand side by side, so that features are read once for all
of them. The path goes from the strongest regularisation to the weakest, and stops where the loss of
images held out has risen twice. Each solution begins where the last two point to: coefficients are
smooth in log C, so that takes three steps for every five from where the last one ended (predictor
and corrector, as in Park & Hastie 2007, "L1-regularization path algorithm for generalized linear
models").
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import softplus

from icehouse.heads._logistic_data import FloatArray, LogisticData
from icehouse.heads._logistic_solver import Solution, solve

AUTO = "auto"
STRENGTHS = np.logspace(-4, 0.5, 10)
"""Values of C that are tried, for standardised features."""
FOLDS = 5
TOLERANCE = 1e-3  # the loss of images held out moves less than that from fold to fold
RISES = 2


def strength_for(C: float | str | None, images: float) -> float:  # noqa: N803
    """Return C as a number, by how many images it is for: that of ``None`` is 1 / sqrt(images)."""
    return float(images) ** -0.5 if C is None or isinstance(C, str) else float(C)


def best_strength(
    X: FloatArray,  # noqa: N803
    target: npt.NDArray[Any],
    columns: int,
    weight: FloatArray,
    strengths: npt.ArrayLike = STRENGTHS,
) -> tuple[float, Solution]:
    """Return the C by which images held out are answered best, and where to begin with it.

    Parameters
    ----------
    X : array of float32, shape (n, D)
        Standardised: the folds share the scale of all of them.
    target : array of int, shape (n,), or of 0 and 1, shape (n, columns)
    columns : int
    weight : array of float, shape (n,)
    strengths : array of float
        In ascending order, each as many times the one before.

    Returns
    -------
    (float, Solution)
        The lowest log loss over five stratified folds, and the mean of the folds' coefficients.
    """
    held = _folds(target) == np.arange(min(FOLDS, len(X)))[:, None]
    data = LogisticData(X, target, columns, np.where(held, 0, weight))
    losses: list[float] = []
    kept: list[Solution] = []
    for strength in np.asarray(strengths):
        found = solve(data, float(strength), _ahead(kept[-2:]), tolerance=TOLERANCE)
        losses.append(held_out_loss(data, found, np.where(held, weight, 0)))
        kept.append(found)
        if len(losses) - 1 - int(np.argmin(losses)) >= RISES:
            break
    best = int(np.argmin(losses))
    coef = kept[best].coef.reshape(len(held), columns, -1).mean(axis=0)
    intercept = kept[best].intercept.reshape(len(held), columns).mean(axis=0)
    return float(np.asarray(strengths)[best]), replace(kept[best], coef=coef, intercept=intercept)


def _ahead(last: list[Solution]) -> Solution | None:
    """Return where the next solution is to be expected, after one or two of a path."""
    if len(last) < 2:
        return last[0] if last else None
    before, here = last
    return replace(
        here,
        coef=2 * here.coef - before.coef,
        intercept=2 * here.intercept - before.intercept,
    )


def held_out_loss(data: LogisticData, solution: Solution, weights: FloatArray) -> float:
    """Return the mean loss of images that took no part in a problem, over all problems.

    Parameters
    ----------
    data : LogisticData
    solution : Solution
    weights : array of float, shape (problems, n)
        Of each image in each problem; 0 where it was fitted to.
    """
    weights = weights / weights.sum()
    coef = data.tensor(solution.coef, torch.float32)
    intercept = data.tensor(solution.intercept, torch.float32)[:, None]
    total = 0.0
    for rows in data.rows:
        logits = (coef @ data.features[rows].T + intercept).view(len(weights), data.columns, -1)
        target = data.target[:, rows]
        if data.exclusive:
            truth = target.expand(len(weights), 1, -1)
            losses = -logits.log_softmax(1).gather(1, truth)
        else:
            losses = softplus(logits) - target * logits
        total += float((losses.sum(1) * data.tensor(weights[:, rows], torch.float32)).sum())
    return total


def _folds(target: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Deal the images of each class out to the folds in turn, the same on every run."""
    random = np.random.default_rng(0)
    order = random.permutation(len(target))
    if target.ndim == 1:
        order = order[np.argsort(target[order], kind="stable")]
    elif target.shape[1] == 1:
        order = order[np.argsort(target[order, 0], kind="stable")]
    folds = np.empty(len(target), np.int64)
    folds[order] = np.arange(len(target)) % min(FOLDS, len(target))
    return folds
