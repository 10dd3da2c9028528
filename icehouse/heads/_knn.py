"""k nearest neighbours by cosine, on the store's own search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from icehouse.heads._base import AnyArray, FloatArray, Head, IntArray, Rows
from icehouse.heads._settings import above, between, flag, whole
from icehouse.store import nearest, unit


class KNNHead(Head):
    """Vote of the k nearest training images, and of one that stands for all the others.

    The probability of a class is (k s + f) / (k + 1), with s its share of the weighted votes and
    f its frequency in training: ten neighbours of one mind do not make another class impossible.
    Sample weights multiply votes and frequency, and do not change which images are neighbours.

    Parameters
    ----------
    k : int
        Neighbours; fewer where the training set is smaller.
    temperature : float
        A neighbour's vote weighs exp(cosine / temperature), as in Wu et al. (2018),
        "Unsupervised feature learning via non-parametric instance discrimination".
    centre : bool
        Subtract the mean of the training features first, which spreads the cosines.
    threshold : float
        Of the second of two classes, and of each label in multi-label.
    """

    kind = "knn"
    limits: ClassVar = {
        "k": whole(1),
        "temperature": above(0),
        "centre": flag(),
        "threshold": between(0, 1),
    }

    def __init__(
        self, k: int = 10, temperature: float = 0.1, centre: bool = True, threshold: float = 0.5
    ) -> None:
        self.k = k
        self.temperature = temperature
        self.centre = centre
        self.threshold = threshold

    def _fit(self, X: FloatArray, target: IntArray, rows: Rows) -> None:  # noqa: N803
        self.weight_ = rows.weight
        share = np.full(len(target), 1 / len(target))
        if rows.weight is not None:
            share = rows.weight / rows.weight.sum(dtype=np.float64)
        count = share @ target if self.multi_label_ else np.bincount(target, share)
        self.prior_ = count.astype(np.float32)
        mean = X.mean(axis=0) if self.centre else np.zeros(X.shape[1])
        self.mean_ = mean.astype(np.float32)
        self.vectors_ = unit(X - self.mean_)
        self.target_ = target

    def notes(self) -> list[str]:
        """See :meth:`Head.notes`: whether there are as many neighbours as were asked for."""
        there = len(self.vectors_)
        few = f"k is {self.k}, and there are {there} training images: all of them vote"
        return [few] if self.k > there else []

    def _predict_proba(self, X: FloatArray) -> FloatArray:  # noqa: N803
        similarity, index = nearest(X - self.mean_, self.vectors_, self.k)
        weight = np.exp((similarity - similarity[:, :1]) / self.temperature)
        if self.weight_ is not None:
            weight *= self.weight_[index]
        # Neighbours that all count for nothing have no vote, and the prior is left.
        weight /= np.maximum(weight.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        votes = np.zeros((len(X), len(self.classes_)))
        if self.multi_label_:
            votes += np.einsum("nk,nkc->nc", weight, self.target_[index])
        else:
            np.add.at(votes, (np.arange(len(X))[:, None], self.target_[index]), weight)
        k = similarity.shape[1] * weight.sum(axis=1, keepdims=True)
        return np.asarray((k * votes + self.prior_) / (k + 1))

    def to_arrays(self) -> dict[str, AnyArray]:
        """See :meth:`Head.to_arrays`."""
        learnt = {
            "mean": self.mean_,
            "vectors": self.vectors_,
            "target": self.target_,
            "prior": self.prior_,
        }
        return learnt if self.weight_ is None else {**learnt, "weight": self.weight_}

    def from_arrays(self, arrays: Mapping[str, AnyArray]) -> None:
        """See :meth:`Head.from_arrays`."""
        self.mean_, self.vectors_ = arrays["mean"], arrays["vectors"]
        self.target_, self.prior_ = arrays["target"], arrays["prior"]
        self.weight_ = arrays.get("weight")
