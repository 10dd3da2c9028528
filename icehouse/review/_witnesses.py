"""Two witnesses against a label, and whom to believe: pure functions of arrays.

The witnesses are a head's out-of-fold probabilities and the labels of the nearest images. Both
have learnt from the wrong labels, too, so those that are wrong beyond doubt are found first, by
the confident joint of Northcutt et al. (2021), "Confident learning: estimating uncertainty in
dataset labels", and the witnesses are heard again without them. Arrays of "given" labels hold
0 and 1, shape (n, n_classes), and one 1 a row where classes exclude each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from icehouse.errors import TrainingDataError
from icehouse.store import nearest

NEIGHBOURS = 30
TEMPERATURE = 0.1
CLIP = 1e-7

FloatArray = npt.NDArray[np.floating[Any]]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Nearest:
    """The nearest images of each image, itself left out.

    Attributes
    ----------
    similarity : array of float32, shape (n, k)
        Cosine of the vectors with their mean subtracted, falling.
    index : array of int64, shape (n, k)
    """

    similarity: npt.NDArray[np.float32]
    index: npt.NDArray[np.int64]

    @classmethod
    def among(cls, vectors: FloatArray, k: int = NEIGHBOURS) -> Nearest:
        """Search exactly; memory is that of two copies of the vectors, and of a block.

        Raises
        ------
        TrainingDataError
            All vectors are the same, so that no image is nearer than another.
        """
        centred = np.asarray(vectors, np.float32)
        centred = centred - centred.mean(axis=0, dtype=np.float64).astype(np.float32)
        if np.abs(centred).max(initial=0) <= CLIP * np.abs(vectors).max(initial=0):
            raise TrainingDataError(
                f"all {len(vectors)} labelled images have the same features, which say nothing "
                "of their labels. Embed them with another encoder"
            )
        return cls(*nearest(centred, centred, k, skip=np.arange(len(vectors))))

    def votes(self, given: npt.NDArray[Any], heard: BoolArray) -> FloatArray:
        """Return what the nearest images say, shape (n, n_classes).

        As in the head ``knn`` a vote weighs exp(cosine / 0.1), so a near-duplicate outvotes all
        that is only similar, and the class frequencies have one vote as well.

        Parameters
        ----------
        given : array of 0 and 1, shape (n, n_classes)
        heard : array of bool, shape (n,)
            Whose votes count.
        """
        n, k = self.index.shape
        weight = np.exp((self.similarity - self.similarity[:, :1]) / TEMPERATURE)
        weight = weight / weight.sum(axis=1, keepdims=True) * heard[self.index]
        rows = np.arange(0, n * k + 1, k)
        table = csr_array((weight.ravel(), self.index.ravel(), rows), shape=(n, n))
        frequency = given[heard].mean(axis=0)
        total = k * weight.sum(axis=1, keepdims=True) + 1
        return np.asarray((k * (table @ given.astype(np.float64)) + frequency) / total)


def agreed(head: FloatArray, around: FloatArray, *, multi_label: bool) -> FloatArray:
    """Return the probabilities on which both agree: their normed geometric mean.

    That is the mean of their log-odds. The arithmetic mean would let the one that knows nothing
    dilute what the other is certain of; the product would take them for independent, which two
    opinions on the same vectors are not.

    Parameters
    ----------
    head, around : array, shape (n, n_classes)
    multi_label : bool

    Examples
    --------
    >>> both = agreed(np.array([[0.9, 0.1]]), np.array([[0.5, 0.5]]), multi_label=False)
    >>> both.round(2)
    array([[0.75, 0.25]])
    """
    head, around = (np.clip(p.astype(np.float64), CLIP, 1 - CLIP) for p in (head, around))
    both = np.sqrt(head * around)
    if multi_label:
        return np.asarray(both / (both + np.sqrt((1 - head) * (1 - around))))
    return np.asarray(both / both.sum(axis=1, keepdims=True))


def confident_errors(proba: FloatArray, given: npt.NDArray[Any], *, multi_label: bool) -> BoolArray:
    """Return the images off the diagonal of the confident joint, shape (n,).

    An image counts for a class if the class is as probable for it as it is, on average, for the
    images that are labelled so; for the most probable of such classes. So a class of which the
    witnesses are never sure is not taken for an error, nor is one that they favour.

    Parameters
    ----------
    proba : array, shape (n, n_classes)
    given : array of 0 and 1, shape (n, n_classes)
    multi_label : bool
        Then each label is a question of its own, and one error is enough.
    """
    if multi_label:
        found = np.zeros(len(proba), bool)
        for p, has in zip(proba.T, given.T, strict=True):
            sides = (np.stack([1 - each, each], axis=1) for each in (p, has))
            found |= confident_errors(*sides, multi_label=False)
        return found
    images = given.sum(axis=0)
    usual = np.where(images > 0, (proba * given).sum(axis=0) / np.maximum(images, 1), np.inf)
    counts = proba >= usual
    most = np.where(counts, proba, -1).argmax(axis=1)
    return np.asarray(counts.any(axis=1) & (given[np.arange(len(given)), most] == 0))


def trusted(suspected: BoolArray, given: npt.NDArray[Any], folds: int) -> BoolArray:
    """Return the images that are heard without the suspected ones, shape (n,).

    A class stays whole if the rest of it could be in one fold, without which none would know it.
    """
    left = given[~suspected].sum(axis=0)
    whole = left <= np.ceil(given.sum(axis=0) / folds)
    return np.asarray(~suspected | given[:, whole].any(axis=1))
