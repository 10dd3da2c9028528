"""Claim: on the same features, in one process, our network is fitted 2.5 times as fast as
scikit-learn's MLPClassifier, and is as right; kNN answers 2.3 times as fast as its
KNeighborsClassifier by cosine, the same (1.3 times by Euclid, on vectors of one length);
XGBoost as we set it is fitted twice as fast as by its defaults, and is as right. Processor time of
all cores, runs in turn; features of ``tiny``, real or drawn."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that wait would count as working

import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _common import icehouse, show, workplace
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from icehouse.heads import load_labelled, make_head
from icehouse.store import Store, unit

ROUNDS = 3
SEEDS = range(3)  # of networks: when they stop depends on them
SETTLED = 0.2  # seconds after which threads of the last run no longer wait for work
FITTED = {
    "mlp": 8000,
    "xgboost": 3000,
}  # images; by its defaults XGBoost takes a minute for so many
SYNTHETIC = 15_000, 352, 10


def main() -> None:
    """Run it."""
    named, X, y, trains = features()  # noqa: N806
    train, test = (X[trains], y[trains]), (X[~trains], y[~trains])
    print(f"{named}: {len(train[0]):,} to train on, {len(test[0]):,} to answer, {X.shape[1]} wide")
    claims = {"mlp": network, "knn": neighbours, "xgboost": boosting}
    for name in sys.argv[1:] or claims:
        some = slice(FITTED.get(name))
        show(
            f"{name}: processor seconds, medians of {ROUNDS} runs in turn",
            ("what", "ours", "theirs", "ratio", "claim", "right, ours", "theirs", "same", "holds"),
            claims[name]((train[0][some], train[1][some]), test),
        )


def features() -> tuple[str, Any, Any, Any]:
    """Return a name, features, labels, and which rows train."""
    folder = os.environ.get("ICEHOUSE_REAL")
    if not folder:
        n, width, classes = SYNTHETIC
        random = np.random.default_rng(0)
        y = random.integers(0, classes, n)
        X = 0.22 * random.normal(size=(classes, width))[y] + random.normal(size=(n, width))  # noqa: N806
        return "SYNTHETIC features", X.astype(np.float32), y, random.random(n) < 0.8
    with workplace() as place:
        icehouse("embed", Path(folder) / "eurosat", "--store", place / "s", "--encoder", "tiny")
        store = Store.open(place / "s")
        data = load_labelled(store, store.encoder_ids()[0], store.labels.tasks()[0])
    _, y = np.unique(data.y, return_inverse=True)
    return "EuroSAT, tiny", data.X.astype(np.float32), y, data.split == "train"


def network(train: Any, test: Any) -> list[tuple[object, ...]]:
    """Fit both networks, of the same size and with the same rules for when to stop."""

    def ours() -> list[Any]:
        return [make_head("mlp", {"seed": seed}).fit(*train) for seed in SEEDS]

    def theirs() -> list[Any]:
        return [peer(seed).fit(*train) for seed in SEEDS]

    def peer(seed: int) -> Any:
        settings = {"max_iter": 50, "early_stopping": True, "n_iter_no_change": 8}
        network = MLPClassifier((256,), batch_size=128, random_state=seed, **settings)
        return make_pipeline(StandardScaler(), network)

    seconds = in_turn(ours, theirs)
    right = [float(np.mean([each.score(*test) for each in fit()])) for fit in (ours, theirs)]
    return [row(f"mlp, {len(SEEDS)} fits", seconds, 2.5, *right)]


def neighbours(train: Any, test: Any) -> list[tuple[object, ...]]:
    """Answer by the same neighbours, with votes of the same weight."""
    ours = make_head("knn").fit(*train)
    mean = train[0].mean(axis=0)
    rows = []
    # On vectors of one length both have one order; for the second scikit-learn has a faster way.
    for metric, claim in (("cosine", 2.3), ("euclidean", 1.3)):
        distance = (lambda d: d) if metric == "cosine" else (lambda d: d * d / 2)
        theirs = KNeighborsClassifier(
            10,
            weights=lambda d, distance=distance: np.exp(-distance(d) / ours.temperature),
            metric=metric,
            algorithm="brute",
        ).fit(unit(train[0] - mean), train[1])
        queries = unit(test[0] - mean)
        answer = partial(theirs.predict, queries)
        seconds = in_turn(partial(ours.predict, test[0]), answer)
        same = float((ours.predict(test[0]) == answer()).mean())
        right = ours.score(*test), theirs.score(queries, test[1])
        rows.append(row(f"knn, predict; theirs {metric}", seconds, claim, *right, same))
    return rows


def boosting(train: Any, test: Any) -> list[tuple[object, ...]]:
    """Fit trees as we set them and as XGBoost does."""
    from xgboost import XGBClassifier

    theirs = XGBClassifier()
    seconds = in_turn(lambda: make_head("xgboost").fit(*train), lambda: theirs.fit(*train))
    ours = make_head("xgboost").fit(*train)
    return [row("xgboost, fit", seconds, 2.0, ours.score(*test), theirs.score(*test))]


def in_turn(ours: Callable[[], Any], theirs: Callable[[], Any]) -> tuple[float, float]:
    """Return the median processor seconds of both, run in turn."""
    found: tuple[list[float], list[float]] = ([], [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(ROUNDS):
            for run, seconds in zip((ours, theirs), found, strict=True):
                time.sleep(SETTLED)
                started = time.process_time()
                run()
                seconds.append(time.process_time() - started)
    return float(np.median(found[0])), float(np.median(found[1]))


def row(
    what: str,
    seconds: tuple[float, float],
    claim: float,
    ours: float,
    theirs: float,
    same: float | str = "",
) -> tuple[object, ...]:
    """Return a row of the table; as right as theirs is within half a percentage point."""
    ratio = seconds[1] / seconds[0]
    holds = ratio >= claim and ours >= theirs - 0.005 and (same == "" or float(same) >= 0.99)
    return (what, *seconds, ratio, f">= {claim}", ours, theirs, same, holds)


if __name__ == "__main__":
    main()
