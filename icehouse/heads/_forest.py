"""Random forest: fitted by scikit-learn, kept as arrays, so that it needs no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from icehouse.heads._base import AnyArray, FloatArray, Head, IntArray, Rows
from icehouse.heads._settings import NOTHING, SEED, between, either, one_of, whole

LEAF = -1


class ForestHead(Head):
    """Random forest (Breiman 2001).

    Parameters
    ----------
    n_estimators : int
        Trees.
    max_depth : int or None
    min_samples_leaf : int
    max_features : str or float
        Features looked at for a split, as in scikit-learn.
    seed : int
    threshold : float
        Of the second of two classes, and of each label in multi-label.
    """

    kind = "forest"
    limits: ClassVar = {
        "n_estimators": whole(1),
        "max_depth": either(whole(1), NOTHING),
        "min_samples_leaf": whole(1),
        "max_features": either(one_of("sqrt", "log2"), between(0, 1, open_low=True)),
        "seed": SEED,
        "threshold": between(0, 1),
    }

    def __init__(
        self,
        n_estimators: int = 200,
        max_depth: int | None = None,
        min_samples_leaf: int = 1,
        max_features: str | float = "sqrt",
        seed: int = 0,
        threshold: float = 0.5,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.seed = seed
        self.threshold = threshold

    def _fit(self, X: FloatArray, target: IntArray, rows: Rows) -> None:  # noqa: N803
        model = RandomForestClassifier(
            n_estimators=self.n_estimators,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            random_state=self.seed,
            n_jobs=-1,
        ).fit(X, target, rows.weight)
        trees = [estimator.tree_ for estimator in model.estimators_]
        # All trees in one array of nodes; children are numbered within it.
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        self.roots_ = starts[:-1].astype(np.int64)
        self.left_ = _children([tree.children_left for tree in trees], starts)
        self.right_ = _children([tree.children_right for tree in trees], starts)
        self.feature_ = np.concatenate([tree.feature for tree in trees]).astype(np.int32)
        self.split_ = np.concatenate([tree.threshold for tree in trees])
        values = np.concatenate([tree.value for tree in trees])
        if self.multi_label_:
            # (nodes, labels, 2): the share of 1, or nothing where a label was never seen.
            once = [len(classes) == 1 for classes in model.classes_]
            share = values[:, :, 1] if values.shape[2] > 1 else np.zeros(values.shape[:2])
            for label, (constant, classes) in enumerate(zip(once, model.classes_, strict=True)):
                if constant:
                    share[:, label] = classes[0]
            self.value_ = share.astype(np.float32)
        else:
            total = values[:, 0].sum(axis=1, keepdims=True)
            self.value_ = (values[:, 0] / total).astype(np.float32)

    def _predict_proba(self, X: FloatArray) -> FloatArray:  # noqa: N803
        rows = np.arange(len(X))
        votes = np.zeros((len(X), self.value_.shape[1]))
        for root in self.roots_:
            node = np.full(len(X), root)
            inner = np.flatnonzero(self.left_[node] != LEAF)
            while len(inner):
                at = node[inner]
                below = X[rows[inner], self.feature_[at]] <= self.split_[at]
                node[inner] = np.where(below, self.left_[at], self.right_[at])
                inner = inner[self.left_[node[inner]] != LEAF]
            votes += self.value_[node]
        return np.asarray(votes / len(self.roots_))

    def to_arrays(self) -> dict[str, AnyArray]:
        """See :meth:`Head.to_arrays`."""
        return {
            "roots": self.roots_,
            "left": self.left_,
            "right": self.right_,
            "feature": self.feature_,
            "split": self.split_,
            "value": self.value_,
        }

    def from_arrays(self, arrays: Mapping[str, AnyArray]) -> None:
        """See :meth:`Head.from_arrays`."""
        self.roots_, self.left_, self.right_ = arrays["roots"], arrays["left"], arrays["right"]
        self.feature_, self.split_ = arrays["feature"], arrays["split"]
        self.value_ = arrays["value"]


def _children(parts: list[AnyArray], starts: AnyArray) -> AnyArray:
    moved = [
        np.where(part == LEAF, LEAF, part + start)
        for part, start in zip(parts, starts, strict=False)
    ]
    return np.concatenate(moved).astype(np.int32)
