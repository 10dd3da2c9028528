"""Claim: our logistic regression is fitted in 1/3.5 of the time of scikit-learn's, on the same
float32 features, theirs until no entry of the gradient exceeds 1e-4, and ends at a loss that is no
higher.

Features are drawn, 50,000 of them: classes lie in 32 dimensions, the others are noise of a spectrum
that falls off, as an encoder's does; standardised. C = 0.01 is our default, 1 is scikit-learn's.
There it stops 3 % above the lowest loss, where ours would only begin to be exact; a tolerance of
1e-3 stops ours below its loss, too, and with 1e-4 ours goes on to the end: that row is no claim."""

from __future__ import annotations

import time
import warnings

import numpy as np
import numpy.typing as npt
from _common import show
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from icehouse.heads._logistic_data import LogisticData
from icehouse.heads._logistic_solver import solve

IMAGES = 50_000
CASES = (
    (512, 10, 0.01, 1e-4),
    (512, 120, 0.01, 1e-4),
    (1280, 10, 0.01, 1e-4),
    (512, 10, 1.0, 1e-3),
    (512, 10, 1.0, 1e-4),
)
ROUNDS = 3
Floats = npt.NDArray[np.float32]


def main() -> None:
    """Run it."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows = []
    for width, classes, strength, tolerance in CASES:
        features, y = draw(width, classes)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            found = solve(LogisticData(features, y), strength, tolerance=tolerance)
            ours.append(time.perf_counter() - started)
            started = time.perf_counter()
            model = LogisticRegression(C=strength, max_iter=10_000).fit(features, y)
            theirs.append(time.perf_counter() - started)
        ratio = float(np.median(theirs) / np.median(ours))
        loss = objective(features, y, found.coef, found.intercept, strength)
        other = objective(features, y, model.coef_, model.intercept_, strength)
        holds = ratio >= 3.5 and loss <= other
        what = f"{width} wide, {classes} classes, C {strength:g}, tol {tolerance:g}"
        seconds = float(np.median(ours)), float(np.median(theirs))
        rows.append((what, *seconds, ratio, ">= 3.5", f"{loss:.6f}", f"{other:.6f}", holds))
    columns = ("what", "ours, s", "theirs, s", "ratio", "claim", "our loss", "their loss", "holds")
    show("logistic regression", columns, rows)


def draw(width: int, classes: int, images: int = IMAGES) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return standardised features and their classes."""
    random = np.random.default_rng(0)
    y = random.integers(0, classes, images)
    near = random.standard_normal((classes, 32))[y] + random.standard_normal((images, 32)) * 1.5
    spectrum = np.arange(1, width + 1) ** -0.7
    turn = np.linalg.qr(random.standard_normal((width, width)))[0]
    features = 0.15 * near @ random.standard_normal((32, width))
    features += (random.standard_normal((images, width)) * spectrum * 10) @ turn
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    return features.astype(np.float32), y


def objective(
    features: Floats,
    y: npt.NDArray[np.int64],
    coef: Floats,
    intercept: Floats,
    strength: float,
) -> float:
    """Return the mean loss with its penalty, in float64."""
    logits = features.astype(np.float64) @ coef.T.astype(np.float64) + intercept
    highest = logits.max(axis=1)
    total = np.log(np.exp(logits - highest[:, None]).sum(axis=1)) + highest
    penalty = float((coef.astype(np.float64) ** 2).sum()) / (2 * strength * len(y))
    return float((total - logits[np.arange(len(y)), y]).mean()) + penalty


if __name__ == "__main__":
    main()
