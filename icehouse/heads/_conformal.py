"""Sets of classes that hold the right one as often as was asked: split conformal prediction.

Of images that the head was not fitted on, the probability that each gave to its true class is
kept, sorted. A new image's set are the classes of at least the probability that all but
1 - coverage of those reached (the score of Sadinle, Lei & Wasserman 2019, "Least ambiguous
set-valued classifiers with bounded error levels", which gives the smallest sets on average, and
an empty one where no class reaches it; the adaptive score of Romano, Sesia & Candès 2020 never
says that an image is none of the classes).

With n such images the rank is ceil((n + 1) coverage), by which a new image that comes from where
they came from is covered with at least that probability, on average over draws of them
(Angelopoulos & Bates 2021, "A gentle introduction to conformal prediction", section 1). That is
of all images together, not of each class.

The guarantee is exact where the scores owe nothing to the images: here the calibration owes them
its few numbers, and each image is therefore scored by a calibration fitted on the others. Scores
that are out-of-fold are of other heads than the one that answers (cross-conformal): then only
1 - 2 (1 - coverage) is proven (Barber et al. 2021, "Predictive inference with the jackknife+"), and
the coverage itself is what is found in practice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.heads._base import AnyArray, FloatArray, IntArray

KEPT = 10_000
PREFIX = "conformal."


@dataclass(frozen=True)
class Conformal:
    """Scores of images held out, from which sets of any coverage follow.

    Attributes
    ----------
    truth : array of float32, shape (m,)
        Probabilities of true classes, rising; of more than 10,000 images so many quantiles.
    images : int
        How many they were.
    """

    truth: npt.NDArray[np.float32]
    images: int

    @classmethod
    def of(cls, proba: FloatArray, target: IntArray) -> Conformal:
        """Keep what images say.

        Parameters
        ----------
        proba : array, shape (n, n_classes)
            Calibrated.
        target : array of int, shape (n,), or of 0 and 1, shape (n, n_classes)
            Several labels an image: the least probable of its labels counts, so that a set
            holds all of them.
        """
        if target.ndim == 2:
            truth = np.where(target == 1, proba, 1.0).min(axis=1)
        else:
            truth = proba[np.arange(len(target)), target]
        ranked = np.sort(truth.astype(np.float32))
        n, kept = len(ranked), min(len(ranked), KEPT)
        # The lower end of each share, so that sets become larger rather than smaller.
        return cls(ranked[np.arange(kept) * n // max(kept, 1)], n)

    def least(self, coverage: float) -> float:
        """Return the probability from which a class is in the set.

        0 where there are too few images for the coverage: every set holds all classes then.
        """
        check_coverage(coverage)
        # From above it is rank ceil((n + 1) coverage), so from below n + 1 less that.
        rank = self.images + 1 - math.ceil((self.images + 1) * coverage - 1e-9)
        if rank < 1:
            return 0.0
        return float(self.truth[(rank - 1) * len(self.truth) // self.images])

    def sets(self, proba: FloatArray, coverage: float) -> npt.NDArray[np.bool_]:
        """Return which classes are in each set, shape (n, n_classes)."""
        return np.asarray(proba.astype(np.float32) >= np.float32(self.least(coverage)))

    def to_arrays(self) -> dict[str, AnyArray]:
        """Return it as arrays, beside those of a head."""
        return {f"{PREFIX}truth": self.truth, f"{PREFIX}images": np.array([self.images])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> Conformal | None:
        """Take it up again; None where a head has none."""
        if f"{PREFIX}truth" not in arrays:
            return None
        return cls(arrays[f"{PREFIX}truth"], int(arrays[f"{PREFIX}images"][0]))


def check_coverage(coverage: float) -> float:
    """Return a share of images, between 0 and 1, or raise UsageError."""
    if not 0 < coverage < 1:
        raise UsageError(f"a coverage is a share between 0 and 1, such as 0.95, got {coverage}")
    return coverage


def shortage(coverage: float, images: int) -> list[str]:
    """Return a note where a coverage takes more images held out than there are."""
    enough = math.ceil(coverage / (1 - check_coverage(coverage)) - 1e-9)
    if images >= enough:
        return []
    return [
        f"a coverage of {coverage:g} takes {enough} images held out, and there are {images}: "
        "every set holds all classes"
    ]


def measure_sets(
    y: npt.NDArray[Any], inside: npt.NDArray[np.bool_], classes: npt.NDArray[Any]
) -> tuple[float, float]:
    """Return the share of images whose labels all are in their set, and the mean size of sets."""
    if y.ndim == 2:
        covered = (inside | (y == 0)).all(axis=1)
    else:
        covered = (inside & (y[:, None] == classes)).any(axis=1)
    return float(covered.mean()), float(inside.sum(axis=1).mean())
