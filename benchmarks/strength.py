"""Claim: the strength of regularisation is chosen among ten by five folds in a tenth of the time of
LogisticRegressionCV, which chooses the same one or its neighbour, on features as in logistic.py."""

from __future__ import annotations

import time
import warnings

import numpy as np
from _common import show
from logistic import draw, objective
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV

from icehouse.heads._logistic_data import LogisticData
from icehouse.heads._logistic_path import STRENGTHS, best_strength
from icehouse.heads._logistic_solver import solve

IMAGES, WIDTH, CLASSES = 10_000, 512, 10


def main() -> None:
    """Run it."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    features, y = draw(WIDTH, CLASSES, IMAGES)
    started = time.perf_counter()
    chosen, start = best_strength(features, y, CLASSES, np.ones(len(y)))
    found = solve(LogisticData(features, y), chosen, start)
    ours = time.perf_counter() - started
    started = time.perf_counter()
    model = LogisticRegressionCV(
        Cs=STRENGTHS, cv=5, scoring="neg_log_loss", max_iter=10_000, use_legacy_attributes=False
    ).fit(features, y)
    theirs = time.perf_counter() - started
    other = float(model.C_)
    apart = abs(int(np.argmin(abs(STRENGTHS - chosen))) - int(np.argmin(abs(STRENGTHS - other))))
    ratio = theirs / ours
    show(
        "strength",
        ("what", "ours", "theirs", "claim", "holds"),
        [
            ("seconds", ours, theirs, f"{ratio:.1f}, >= 10", ratio >= 10),
            ("C", chosen, other, "at most one apart", apart <= 1),
            (
                "loss with our C",
                objective(features, y, found.coef, found.intercept, chosen),
                objective(features, y, model.coef_, model.intercept_, chosen),
                "",
                "",
            ),
        ],
    )


if __name__ == "__main__":
    main()
