"""Gradient-boosted trees of XGBoost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from icehouse.errors import MissingExtra
from icehouse.heads._base import AnyArray, FloatArray, Head, IntArray, Rows, two_columns
from icehouse.heads._settings import SEED, above, between, whole


class XGBoostHead(Head):
    """Gradient boosting (Chen and Guestrin 2016), set for wide, dense features.

    Parameters
    ----------
    n_estimators : int
        Rounds.
    learning_rate : float
    max_depth : int
    max_bin : int
        Histogram bins for each feature; 64 halve the time of the default 256.
    colsample_bytree : float
        Share of the features that a tree may use.
    subsample : float
        Share of the rows that a tree is fitted on.
    seed : int
    threshold : float
        Of the second of two classes, and of each label in multi-label.
    """

    kind = "xgboost"
    limits: ClassVar = {
        "n_estimators": whole(1),
        "learning_rate": above(0),
        "max_depth": whole(1),
        "max_bin": whole(2),
        "colsample_bytree": between(0, 1, open_low=True),
        "subsample": between(0, 1, open_low=True),
        "seed": SEED,
        "threshold": between(0, 1),
    }

    def __init__(
        self,
        n_estimators: int = 100,
        learning_rate: float = 0.3,
        max_depth: int = 4,
        max_bin: int = 64,
        colsample_bytree: float = 0.3,
        subsample: float = 1.0,
        seed: int = 0,
        threshold: float = 0.5,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.max_bin = max_bin
        self.colsample_bytree = colsample_bytree
        self.subsample = subsample
        self.seed = seed
        self.threshold = threshold

    def _fit(self, X: FloatArray, target: IntArray, rows: Rows) -> None:  # noqa: N803
        xgboost = _library()
        settings: dict[str, Any] = {
            "objective": "binary:logistic",
            "eta": self.learning_rate,
            "max_depth": self.max_depth,
            "max_bin": self.max_bin,
            "colsample_bytree": self.colsample_bytree,
            "subsample": self.subsample,
            "seed": self.seed,
            "tree_method": "hist",
            "device": "cuda" if _has_cuda(xgboost) else "cpu",
        }
        if not self.multi_label_ and len(self.classes_) > 2:
            settings |= {"objective": "multi:softprob", "num_class": len(self.classes_)}
        data = xgboost.QuantileDMatrix(X, label=target, weight=rows.weight, max_bin=self.max_bin)
        self.booster_ = xgboost.train(settings, data, self.n_estimators)

    def _predict_proba(self, X: FloatArray) -> FloatArray:  # noqa: N803
        proba = np.asarray(self.booster_.inplace_predict(X))
        if self.multi_label_:
            return proba.reshape(len(X), -1)
        return two_columns(proba) if proba.ndim == 1 else proba

    def to_arrays(self) -> dict[str, AnyArray]:
        """See :meth:`Head.to_arrays`; the trees are XGBoost's own UBJSON, byte by byte."""
        return {"ubjson": np.frombuffer(self.booster_.save_raw("ubj"), dtype=np.uint8)}

    def from_arrays(self, arrays: Mapping[str, AnyArray]) -> None:
        """See :meth:`Head.from_arrays`."""
        self.booster_ = _library().Booster()
        self.booster_.load_model(bytearray(arrays["ubjson"].tobytes()))


def _library() -> Any:
    # Imported here because it is an extra, and takes seconds.
    try:
        import xgboost
    except ImportError:
        raise MissingExtra("xgboost", "cpu") from None
    return xgboost


def _has_cuda(xgboost: Any) -> bool:
    import torch

    return bool(xgboost.build_info().get("USE_CUDA")) and torch.cuda.is_available()
