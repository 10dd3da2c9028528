"""Thresholds that are chosen on images held out: for the best F1, or for a precision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.heads._base import FloatArray

F1, PRECISION = "f1", "precision"


@dataclass(frozen=True)
class ThresholdRule:
    """What a threshold is to reach.

    Attributes
    ----------
    precision : float or None
        The lowest threshold of this precision, so with the most recall; None: the highest F1.
    """

    precision: float | None = None

    @classmethod
    def parse(cls, text: str) -> ThresholdRule:
        """Read ``f1`` or ``precision=0.95``.

        Raises
        ------
        UsageError

        Examples
        --------
        >>> ThresholdRule.parse("precision=0.95")
        ThresholdRule(precision=0.95)
        """
        name, equals, value = text.partition("=")
        try:
            if name == F1 and not equals:
                return cls()
            precision = float(value) if name == PRECISION else math.nan
        except ValueError:
            precision = math.nan
        if 0 < precision <= 1:
            return cls(precision)
        meant = f"; did you mean precision={precision / 100:g}?" if 1 < precision <= 100 else ""
        raise UsageError(
            "a threshold is chosen by f1, or by precision=0.95, which is a share above 0 and up to "
            f"1, not by {text!r}{meant}"
        )

    def choose(
        self, proba: FloatArray, truth: npt.NDArray[np.bool_], default: float
    ) -> tuple[float, str]:
        """Choose the threshold of one label.

        It lies half-way between the probabilities of two images; of several that are as good the
        one nearest to a half is taken.

        Parameters
        ----------
        proba, truth : array, shape (n,)
            Of the label, in images that the head was not fitted on.
        default : float
            Where none of them has the label.

        Returns
        -------
        threshold : float
        note : str
            What a person should know; empty if nothing.
        """
        if not truth.any():
            return default, f"no image held out has it: its threshold stays {default:g}"
        order = np.argsort(-proba, kind="stable")
        falling = proba[order].astype(np.float64)
        below = np.append(falling[1:], 0.0)
        last = falling > below  # where a threshold can lie: between images, not among equals
        last[-1] = True
        between = ((falling + below) / 2)[last]
        found = np.cumsum(truth[order])[last]
        given = np.arange(1, len(proba) + 1)[last]
        precision = found / given
        if self.precision is None:
            return _best(2 * found / (given + truth.sum()), between), ""
        if (precision >= self.precision).any():
            return _best(np.where(precision >= self.precision, found, -1.0), between), ""
        threshold = _best(precision, between)
        return threshold, (
            f"no threshold reaches precision {self.precision:g}: "
            f"{precision.max():.3f} at {threshold:.3f}"
        )


def _best(score: FloatArray, threshold: FloatArray) -> float:
    best = threshold[score >= score.max()]
    return float(best[np.abs(best - 0.5).argmin()])
