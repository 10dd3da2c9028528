"""Logistic regression: multinomial for classes that exclude each other, else one for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from sklearn.linear_model import LogisticRegression

from icehouse.heads._base import (
    AnyArray,
    FloatArray,
    Head,
    IntArray,
    Rows,
    Standardiser,
    probabilities,
)
from icehouse.heads._settings import above, between, flag, whole


class LogisticHead(Head):
    """L2-regularised logistic regression on standardised features.

    Parameters
    ----------
    C : float
        Inverse strength of regularisation, as in scikit-learn.
    max_iter : int
        Steps of L-BFGS at most.
    standardise : bool
    threshold : float
        Of the second of two classes, and of each label in multi-label.
    """

    kind = "logistic"
    limits: ClassVar = {
        "C": above(0),
        "max_iter": whole(1),
        "standardise": flag(),
        "threshold": between(0, 1),
    }

    def __init__(
        self,
        C: float = 0.01,  # noqa: N803
        max_iter: int = 1000,
        standardise: bool = True,
        threshold: float = 0.5,
    ) -> None:
        self.C = C
        self.max_iter = max_iter
        self.standardise = standardise
        self.threshold = threshold

    def _fit(self, X: FloatArray, target: IntArray, rows: Rows) -> None:  # noqa: N803
        self.standardiser_ = Standardiser.of(X, active=self.standardise)
        model = LogisticRegression(C=self.C, max_iter=self.max_iter)
        scaled = self.standardiser_(X)
        if not self.multi_label_:
            model.fit(scaled, target, rows.weight)
            self.coef_, self.intercept_ = model.coef_, model.intercept_
            self.n_iter_ = int(model.n_iter_.max())
            return
        self.n_iter_ = 0
        self.coef_ = np.zeros((target.shape[1], X.shape[1]), np.float32)
        self.intercept_ = np.zeros(target.shape[1], np.float32)
        for label, present in enumerate(target.T):
            if present.min() == present.max():
                # Never or always seen: a constant answer, as sure as the sample is large.
                odds = (present.sum() + 0.5) / (len(present) - present.sum() + 0.5)
                self.intercept_[label] = np.log(odds)
                continue
            model.fit(scaled, present, rows.weight)
            self.coef_[label], self.intercept_[label] = model.coef_[0], model.intercept_[0]
            self.n_iter_ = max(self.n_iter_, int(model.n_iter_.max()))

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
