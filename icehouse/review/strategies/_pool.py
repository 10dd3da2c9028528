"""What a strategy may look at, and what it has chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.review.strategies._space import Space, blocks

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pool:
    """Images, of which some are to be labelled next.

    Attributes
    ----------
    features : array of float16 or float32, shape (n, D)
        As stored; it is never copied as a whole.
    proba : array of float, shape (n, n_classes), or None
        Calibrated. None where there is no head yet.
    labelled : array of bool, shape (n,), or None
        Which images have a label already. None: none has.
    multi_label : bool
        Classes do not exclude each other.
    threshold : float or array of float, shape (n_classes,)
        Of the second of two classes, or of labels.
    committee : sequence of arrays, each of shape (n, n_classes)
        Probabilities of others that were asked: heads, heads on other encoders, captions.
    label_error : array of float, shape (n,), or None
        The probability that the label of an image is wrong; 0 where it has none.
    space : Space, optional
        Of the features, where somebody who chooses again and again has it already.

    Raises
    ------
    UsageError
        Shapes that do not fit each other, or numbers that are not finite.
    """

    features: FloatArray
    proba: FloatArray | None = None
    labelled: BoolArray | None = None
    multi_label: bool = False
    threshold: float | FloatArray = 0.5
    committee: Sequence[FloatArray] = ()
    label_error: FloatArray | None = None
    space: Space | None = None

    def __post_init__(self) -> None:
        if self.features.ndim != 2:
            raise UsageError(f"features are of shape (n, D), got {self.features.shape}")
        wide = {"proba": self.proba, **{f"committee {i}": p for i, p in enumerate(self.committee)}}
        flat = {"labelled": self.labelled, "label_error": self.label_error}
        for name, array in (wide | flat).items():
            if array is None:
                continue
            dimensions = 2 if name in wide else 1
            if array.ndim != dimensions or len(array) != len(self):
                raise UsageError(f"{name} has shape {array.shape} for {len(self)} images")
            _refuse_non_finite(name, array)
        if self.space is None:
            _refuse_non_finite("features", self.features)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def free(self) -> IntArray:
        """The images without a label."""
        if self.labelled is None:
            return np.arange(len(self))
        return np.flatnonzero(~np.asarray(self.labelled, bool))

    @property
    def known(self) -> IntArray:
        """The images with a label."""
        return np.flatnonzero(np.zeros(len(self)) if self.labelled is None else self.labelled)

    def proba_for(self, strategy: str) -> FloatArray:
        """Return the probabilities, which a strategy cannot do without.

        Raises
        ------
        UsageError
            There are none.
        """
        if self.proba is None:
            raise UsageError(
                f"strategy {strategy!r} goes by a head's probabilities, and there are none. Fit a "
                "head first, or begin with 'typical' or 'coreset', which need no labels"
            )
        return self.proba


@dataclass(frozen=True)
class Chosen:
    """A batch, in the order in which it was chosen.

    Attributes
    ----------
    rows : array of int64, shape (k,)
        Of the pool; fewer than were asked for where there are not so many that differ.
    scores : array of float64, shape (k,)
        As of the strategy that chose each; higher is more worth a label.
    strategies : tuple of str
        Which chose each; see ``REASONS`` for what that means in words.
    """

    rows: IntArray
    scores: npt.NDArray[np.float64]
    strategies: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)


def _refuse_non_finite(name: str, array: npt.NDArray[Any]) -> None:
    for rows in blocks(array):
        # A sum is NaN or infinite if a number is; float64 holds any sum of float32.
        if not np.isfinite(array[rows].sum(dtype=np.float64)):
            raise UsageError(
                f"{name} holds NaN or infinity in rows {rows.start} to {rows.stop - 1}; "
                "leave such images out, or embed them again"
            )
