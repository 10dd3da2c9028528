"""A logistic head that follows its labels: refitted, with its folds, from where it was.

A label that changes moves the optimum by little, and what costs time is all else: reading features,
rounding them, the curvature of a sample. That is kept. The head and its folds are problems side by
side, of which the first has the images that train and each other one leaves a fold out, so that one
search finds them all. Each has the scale that its own images would give: a coefficient of shared
scale s counts as (s_p / s)^2 in a problem whose own is s_p.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone

from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads._base import FloatArray, IntArray, Standardiser, probabilities
from icehouse.heads._logistic import LogisticHead
from icehouse.heads._logistic_data import LogisticData
from icehouse.heads._logistic_path import AUTO, strength_for
from icehouse.heads._logistic_solver import solve

TOLERANCE = 1e-7
"""Tighter than a fit's: the change of one label among 50,000 has to show."""
FEW = 3  # steps, after which next to nothing is left of such a change


class LiveHead:
    """A logistic head of single labels and its out-of-fold probabilities, kept up with labels.

    Parameters
    ----------
    settings : LogisticHead
        What to fit; it is not changed. With ``C="auto"`` the strength is chosen once, here.
    X : array of float, shape (n, D)
    y : array of str, shape (n,)
    fold : array of int, shape (n,)
        Which fold holds each image; they stay, whatever becomes of its label.
    train : array of bool, shape (n,), optional
        Images that the head learns from; the folds learn from all. By default all.

    Attributes
    ----------
    classes : array of str, shape (n_classes,)
    steps : int
        Of the last search.

    Raises
    ------
    TrainingDataError
        There is one class only.
    """

    def __init__(
        self,
        settings: LogisticHead,
        X: FloatArray,  # noqa: N803
        y: npt.NDArray[Any],
        fold: IntArray,
        train: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        train = np.ones(len(y), np.bool_) if train is None else train
        self.classes, target = np.unique(y, return_inverse=True)
        if len(self.classes) < 2:
            raise TrainingDataError("a classifier needs 2 classes or more; label images of another")
        self._settings = clone(settings)
        if settings.C == AUTO:
            self._settings.set_params(C=clone(settings).fit(X[train], y[train]).C_)
        self._fold = np.unique(fold, return_inverse=True)[1]
        learning = np.concatenate([train[None], fold != np.unique(fold)[:, None]])
        self._scales = [Standardiser.of(X[rows], active=settings.standardise) for rows in learning]
        self._shared = Standardiser.of(X, active=settings.standardise)
        own = np.stack([each.scale for each in self._scales]).astype(np.float64)
        images = learning.sum(axis=1)
        strengths = [strength_for(self._settings.C, float(each)) for each in images]
        self._strength = strengths[0]
        two = len(self.classes) == 2
        self._columns = 1 if two else len(self.classes)
        self._data = LogisticData(
            self._shared(X),
            target[:, None] if two else target,
            self._columns,
            learning.astype(np.float64),
            (own / self._shared.scale) ** 2 / np.array(strengths)[:, None],
        )
        self._solution = solve(self._data, 1.0, tolerance=TOLERANCE, steps=settings.max_iter)
        self.steps = self._solution.steps

    def relabel(self, rows: IntArray, labels: npt.NDArray[Any]) -> Self:
        """Change labels; nothing is fitted before :meth:`refit`.

        Raises
        ------
        UsageError
            A label is of no class: begin anew with it.
        """
        number = np.searchsorted(self.classes, labels)
        known = self.classes[np.minimum(number, len(self.classes) - 1)] == labels
        if not known.all():
            new = ", ".join(sorted(set(map(str, np.asarray(labels)[~known]))))
            raise UsageError(f"no class {new}; a new class takes a new fit")
        self._data.relabel(rows, number)
        return self

    def refit(self, steps: int = FEW) -> Self:
        """Search on from where it ended; what a few steps leave, the next ones take."""
        self._solution = solve(
            self._data,
            1.0,  # the strength of each problem is in its penalties
            self._solution,
            tolerance=TOLERANCE,
            steps=steps,
            near=True,
        )
        self.steps = self._solution.steps
        return self

    @property
    def head(self) -> LogisticHead:
        """The head, as a fit would have left it."""
        head = clone(self._settings)
        head.multi_label_, head.classes_ = False, self.classes
        head.n_features_in_ = self._data.features.shape[1]
        head.standardiser_ = own = self._scales[0]
        coef, intercept = self._problem(0)
        shift = coef @ ((own.mean - self._shared.mean) / self._shared.scale)
        head.coef_ = coef * (own.scale / self._shared.scale)
        head.intercept_ = intercept + shift
        head.C_, head.n_iter_ = self._strength, self.steps
        return head

    @property
    def proba(self) -> npt.NDArray[np.float32]:
        """Out-of-fold probabilities, not calibrated, (n, n_classes)."""
        found = np.empty((len(self._fold), len(self.classes)), np.float32)
        for number in range(len(self._scales) - 1):
            held = self._fold == number
            coef, intercept = self._problem(number + 1)
            features = self._data.features[torch.from_numpy(held)]
            logits = (features @ self._data.tensor(coef, torch.float32).T).cpu().numpy()
            found[held] = probabilities(logits + intercept, multi_label=False)
        return found

    def _problem(self, number: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        some = slice(number * self._columns, (number + 1) * self._columns)
        return self._solution.coef[some], self._solution.intercept[some]
