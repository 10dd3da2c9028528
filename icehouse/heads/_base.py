"""The head contract: a scikit-learn classifier that turns into plain arrays and back.

``__init__`` only assigns. ``fit(X, y)`` validates, sets attributes with a trailing underscore
and returns self. ``predict_proba`` has a column for each of ``classes_``. ``y`` is a vector of
labels (binary and multi-class), or an indicator matrix of 0 and 1 (multi-label), for which the
probabilities are independent of each other and need not add up to 1.

``sample_weight`` says how much each row counts. ``groups`` says which rows come of one image, for
a head that holds some rows out to see when to stop: it holds out all of an image or nothing.

A fitted head is saved as its parameters (JSON) and arrays (safetensors), never by pickle.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from icehouse.errors import TrainingDataError
from icehouse.heads._settings import Limit, check_settings

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
AnyArray = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """What is said of the rows to fit to, beside features and labels.

    Attributes
    ----------
    weight : array of float32, shape (n,), or None
        None: all 1.
    groups : array of int64, shape (n,), or None
        Numbers of the images that they come of. None: each of its own.
    """

    weight: FloatArray | None = None
    groups: IntArray | None = None


class Head(ClassifierMixin, BaseEstimator, ABC):
    """Base of all heads; a subclass says how to fit, predict and turn into arrays.

    Attributes
    ----------
    classes_ : array, shape (n_classes,)
        The labels, sorted; for multi-label 0 … n_classes - 1.
    multi_label_ : bool
    n_features_in_ : int
    """

    kind: ClassVar[str]
    limits: ClassVar[Mapping[str, Limit]]
    threshold: float = 0.5

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
    ) -> Self:
        """Fit to features and labels.

        Parameters
        ----------
        X : array-like of float, shape (n, D)
        y : array-like, shape (n,), or of 0 and 1, shape (n, n_classes)
        sample_weight : array-like of float, shape (n,), optional
            0 or more, as in scikit-learn: 2 is as if the row were there twice. 1 by default.
        groups : array-like, shape (n,), optional
            Rows with the same value are one image, repeated or augmented. Each on its own by
            default.

        Returns
        -------
        self

        Raises
        ------
        TrainingDataError
            Fewer than two classes, an indicator that is not of 0 and 1, or weights of which one is
            negative or none is positive.
        SettingError
            A parameter beyond its limits.
        ValueError
            From scikit-learn: shapes that do not fit, NaN, targets that are not classes.
        """
        check_settings(self.kind, self.get_params(), self.limits)
        X, y = validate_data(  # noqa: N806
            self, X, y, dtype=np.float32, multi_output=True, ensure_min_samples=2
        )
        with warnings.catch_warnings():
            # Many classes of few images are no regression, as scikit-learn suspects.
            warnings.filterwarnings("ignore", message="The number of unique classes is greater")
            check_classification_targets(y)
            self.multi_label_ = type_of_target(y) == "multilabel-indicator"
            target = self._target(np.asarray(y))
            rows = Rows(_weight(sample_weight, X), _groups(groups, X))
            self._fit(X, target, rows)
        return self

    def _target(self, y: AnyArray) -> IntArray:
        """Set ``classes_``, and return class numbers (n,) or an indicator (n, n_classes)."""
        if self.multi_label_:
            if not np.isin(y, (0, 1)).all():
                raise TrainingDataError(
                    f"a multi-label target is an array of 0 and 1, got {np.unique(y)[:5].tolist()}"
                )
            self.classes_ = np.arange(y.shape[1])
            return y.astype(np.int64)
        self.classes_, target = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if len(self.classes_) < 2:
            raise TrainingDataError(
                f"a classifier needs 2 classes or more, got 1 class: {str(self.classes_[0])!r}. "
                "Label images of another one"
            )
        return target

    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:  # noqa: N803
        """Return the probability of each class, float32 of shape (n, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float32)  # noqa: N806
        return np.asarray(self._predict_proba(X), dtype=np.float32)

    def predict(self, X: Any) -> AnyArray:  # noqa: N803
        """Return labels, shape (n,), or for multi-label 0 and 1, shape (n, n_classes).

        Binary and multi-label classes are taken from ``threshold`` upwards; the second of two
        classes is the positive one.
        """
        return self.decide(self.predict_proba(X))

    def decide(self, proba: FloatArray, threshold: float | FloatArray | None = None) -> AnyArray:
        """Turn probabilities into what :meth:`predict` returns.

        Parameters
        ----------
        proba : array, shape (n, n_classes)
        threshold : float or array of float, shape (n_classes,), optional
            In place of the head's own; an array for multi-label only.
        """
        threshold = self.threshold if threshold is None else threshold
        if self.multi_label_:
            return (proba >= threshold).astype(np.int64)
        if len(self.classes_) == 2:
            return np.asarray(self.classes_[(proba[:, 1] >= threshold).astype(np.int64)])
        return np.asarray(self.classes_[proba.argmax(axis=1)])

    def settings(self) -> dict[str, Any]:
        """Return the parameters as ``head.json`` says them."""
        return {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in self.get_params().items()
        }

    def for_images(self, images: int) -> dict[str, Any]:  # noqa: ARG002
        """Return the settings that go by how many images it is fitted on; none by default."""
        return {}

    def found(self) -> dict[str, Any]:
        """Return the settings that a fit was to choose, and what it chose; none by default."""
        return {}

    def notes(self) -> list[str]:
        """Return what a person should know of a fit; nothing by default."""
        return []

    @abstractmethod
    def _fit(self, X: FloatArray, target: IntArray, rows: Rows) -> None:  # noqa: N803
        """Fit to float32 features and class numbers (n,), or an indicator (n, n_classes)."""

    @abstractmethod
    def _predict_proba(self, X: FloatArray) -> FloatArray:  # noqa: N803
        """Return probabilities of float32 features."""

    @abstractmethod
    def to_arrays(self) -> dict[str, AnyArray]:
        """Return all that was learnt, as numeric arrays by name."""

    @abstractmethod
    def from_arrays(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take up again what :meth:`to_arrays` gave; ``classes_`` are set already."""


def _weight(given: Any, X: FloatArray) -> FloatArray | None:  # noqa: N803
    if given is None:
        return None
    weight = _check_sample_weight(given, X, dtype=np.float32)
    if weight.min() < 0 or not weight.any():
        raise TrainingDataError(
            "sample weights are 0 or more, and one of them is above 0; got "
            f"{weight.min():g} to {weight.max():g}"
        )
    return np.asarray(weight)


def _groups(given: Any, X: FloatArray) -> IntArray | None:  # noqa: N803
    if given is None:
        return None
    check_consistent_length(X, given)
    return np.unique(column_or_1d(given), return_inverse=True)[1]


class Standardiser:
    """Mean 0 and standard deviation 1 for each feature, as seen in training.

    A constant feature is only centred.
    """

    def __init__(self, mean: FloatArray, scale: FloatArray) -> None:
        self.mean = mean
        self.scale = scale

    @classmethod
    def of(cls, X: FloatArray, *, active: bool = True) -> Standardiser:  # noqa: N803
        """Measure features of shape (n, D); inactive, change nothing."""
        if not active:
            return cls(np.zeros(X.shape[1], np.float32), np.ones(X.shape[1], np.float32))
        mean = X.mean(axis=0, dtype=np.float64)
        spread = X.std(axis=0, dtype=np.float64)
        constant = spread <= 1e-7 * np.maximum(np.abs(mean), 1.0)
        scale = np.where(constant, 1.0, spread)
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def __call__(self, X: FloatArray) -> npt.NDArray[np.float32]:  # noqa: N803
        """Return standardised features, float32."""
        return np.asarray((X - self.mean) / self.scale, dtype=np.float32)


def softmax(logits: FloatArray) -> FloatArray:
    """Return probabilities that add up to 1 in each row."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def sigmoid(logits: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-logits)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))


def two_columns(positive: FloatArray) -> FloatArray:
    """Return the probabilities of both classes from that of the second, shape (n,)."""
    return np.stack([1 - positive, positive], axis=1)


def probabilities(logits: FloatArray, *, multi_label: bool) -> FloatArray:
    """Return what logits of shape (n, n_classes), or (n, 1) for two classes, stand for.

    In float64: a tanh in float32 is off by a step of 6e-8, another on each processor, and the
    log-odds of a probability near 1, which calibration divides, are made of nothing else.
    """
    logits = logits.astype(np.float64)
    if multi_label:
        return sigmoid(logits)
    return softmax(logits) if logits.shape[1] > 1 else two_columns(sigmoid(logits[:, 0]))
