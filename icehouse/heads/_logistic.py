"""Logistic regression: multinomial for classes that exclude each other, else one for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np

from icehouse.heads._base import (
    AnyArray,
    FloatArray,
    Head,
    IntArray,
    Rows,
    Standardiser,
    probabilities,
)
from icehouse.heads._logistic_data import LogisticData
from icehouse.heads._logistic_path import AUTO, best_strength, strength_for
from icehouse.heads._logistic_solver import solve
from icehouse.heads._settings import NOTHING, above, between, either, flag, one_of, whole


class LogisticHead(Head):
    """L2-regularised logistic regression on standardised features.

    The objective is scikit-learn's; see :mod:`icehouse.heads._logistic_solver` for how it is
    minimised.

    Parameters
    ----------
    C : float, "auto" or None
        Inverse strength of regularisation, as in scikit-learn. None: 1 / sqrt(n) of n images, so
        that the penalty 1 / (C n) falls as fast as what chance does to the loss (Shalev-Shwartz &
        Ben-David 2014, "Understanding machine learning", 13.4); from 60 to 18,900 images it was
        at least as good as the best of six fixed ones. "auto" chooses it by cross-validation
        within what is fitted to (:func:`best_strength`).
    tol : float
        No entry of the gradient is larger at the end, as in scikit-learn; and the objective is at
        most a fifth of it above its minimum, as far as can be told.
    max_iter : int
        Steps of L-BFGS at most.
    standardise : bool
    threshold : float
        Of the second of two classes, and of each label in multi-label.

    Attributes
    ----------
    C_ : float
        The strength that was chosen.
    n_iter_ : int
    """

    kind = "logistic"
    limits: ClassVar = {
        "C": either(above(0), one_of(AUTO), NOTHING),
        "tol": above(0),
        "max_iter": whole(1),
        "standardise": flag(),
        "threshold": between(0, 1),
    }

    def __init__(
        self,
        C: float | Literal["auto"] | None = None,  # noqa: N803
        tol: float = 1e-4,
        max_iter: int = 1000,
        standardise: bool = True,
        threshold: float = 0.5,
    ) -> None:
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.standardise = standardise
        self.threshold = threshold

    def _fit(self, X: FloatArray, target: IntArray, rows: Rows) -> None:  # noqa: N803
        self.standardiser_ = Standardiser.of(X, active=self.standardise)
        scaled = self.standardiser_(X)
        weight = np.ones(len(X), np.float32) if rows.weight is None else rows.weight
        columns = self._columns(target)
        count = columns.shape[1] if columns.ndim == 2 else len(self.classes_)
        varies = np.ones(count, np.bool_)
        if self.multi_label_:
            seen = columns[weight > 0]
            varies = seen.min(axis=0) < seen.max(axis=0)
            columns = columns[:, varies]
        self.coef_ = np.zeros((count, X.shape[1]), np.float32)
        self.intercept_ = np.zeros(count, np.float32)
        self.C_, self.n_iter_ = strength_for(self.C, float(weight.sum())), 0
        if varies.any():
            start = None
            if self.C == AUTO:
                self.C_, start = best_strength(scaled, columns, int(varies.sum()), weight)
            data = LogisticData(scaled, columns, int(varies.sum()), weight[None])
            found = solve(data, self.C_, start, tolerance=self.tol, steps=self.max_iter)
            self.coef_[varies], self.intercept_[varies] = found.coef, found.intercept
            self.n_iter_ = found.steps
        # Never or always seen: a constant answer, as sure as the sample is large.
        positive = weight @ target[:, ~varies] if self.multi_label_ else np.zeros(0)
        self.intercept_[~varies] = np.log((positive + 0.5) / (weight.sum() - positive + 0.5))

    def _columns(self, target: IntArray) -> IntArray:
        """Return the target as the solver takes it: one column for two classes."""
        two = not self.multi_label_ and len(self.classes_) == 2
        return target[:, None] if two else target

    def found(self) -> dict[str, float]:
        """See :meth:`Head.found`."""
        return {"C": self.C_} if self.C == AUTO else {}

    def for_images(self, images: int) -> dict[str, float]:
        """See :meth:`Head.for_images`."""
        return {"C": strength_for(self.C, images)} if self.C is None else {}

    def _predict_proba(self, X: FloatArray) -> FloatArray:  # noqa: N803
        logits = self.standardiser_(X) @ self.coef_.T + self.intercept_
        return probabilities(logits, multi_label=self.multi_label_)

    def to_arrays(self) -> dict[str, AnyArray]:
        """See :meth:`Head.to_arrays`."""
        return {
            "coef": self.coef_,
            "intercept": self.intercept_,
            "mean": self.standardiser_.mean,
            "scale": self.standardiser_.scale,
        }

    def from_arrays(self, arrays: Mapping[str, AnyArray]) -> None:
        """See :meth:`Head.from_arrays`."""
        self.coef_, self.intercept_ = arrays["coef"], arrays["intercept"]
        self.standardiser_ = Standardiser(arrays["mean"], arrays["scale"])
