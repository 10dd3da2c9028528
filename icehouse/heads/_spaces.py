"""Where tuning looks for the settings of each kind of head; the defaults are in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Span:
    """A range of numbers, both ends included.

    Attributes
    ----------
    low, high : float
    log : bool
        Look as often between 0.01 and 0.1 as between 0.1 and 1.
    whole : bool
        Whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Pick:
    """Values to choose from."""

    values: tuple[Any, ...]


Space = Mapping[str, Span | Pick]

SPACES: Mapping[str, Space] = {
    "mlp": {
        "hidden": Span(32, 1024, log=True, whole=True),
        "lr": Span(1e-4, 1e-2, log=True),
        "batch_size": Pick((64, 128, 256)),
        "weight_decay": Span(1e-4, 1.0, log=True),
        "label_smoothing": Span(0.0, 0.2),
        "mixup": Span(0.0, 0.5),
    },
    "logistic": {"C": Span(1e-4, 10.0, log=True)},
    "forest": {  # more trees are never worse, so their number is no question
        "max_depth": Pick((None, 8, 12, 16, 24)),
        "min_samples_leaf": Span(1, 16, log=True, whole=True),
        "max_features": Pick(("sqrt", "log2", 0.1)),
    },
    "xgboost": {
        "n_estimators": Span(50, 400, log=True, whole=True),
        "learning_rate": Span(0.03, 0.5, log=True),
        "max_depth": Span(2, 8, whole=True),
        "colsample_bytree": Span(0.1, 1.0),
        "subsample": Span(0.5, 1.0),
        "components": Pick((32, 64, 128, 256)),
    },
    "knn": {
        "k": Span(1, 100, log=True, whole=True),
        "temperature": Span(0.01, 1.0, log=True),
        "centre": Pick((True, False)),
    },
}
