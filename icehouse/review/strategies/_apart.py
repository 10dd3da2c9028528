"""A batch that no two near-duplicates are in: one label would do for both."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icehouse.heads import NEAR_DUPLICATE
from icehouse.review.strategies._pool import Chosen
from icehouse.review.strategies._space import Doubles, IntArray, Space

LOOKED_AT = 256  # candidates at once


class Batch:
    """Images that are chosen one after the other.

    Parameters
    ----------
    space : Space
    size : int
        How many are wanted.
    """

    def __init__(self, space: Space, size: int) -> None:
        self.space = space
        self.size = min(size, len(space))
        self._units = np.empty((self.size, space.features.shape[1]))
        self._has_mean = False
        self._rows: list[int] = []
        self._scores: list[float] = []
        self._strategies: list[str] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> IntArray:
        """Those that are in it."""
        return np.array(self._rows, np.int64)

    def offer(self, row: int, score: float, strategy: str) -> bool:
        """Take an image if it is admitted, and say whether it was."""
        unit = self.space.units(np.array([row]))
        if self._near(unit).any():
            return False
        self._take(row, unit[0], score, strategy)
        return True

    def fill(self, rows: IntArray, scores: Doubles, strategy: str, size: int) -> None:
        """Take images that are admitted in the order given, until there are so many in all."""
        for begin in range(0, len(rows), LOOKED_AT):
            some = rows[begin : begin + LOOKED_AT]
            units = self.space.units(some)
            near: npt.NDArray[np.bool_] = self._near(units)
            twins = np.asarray(units @ units.T >= NEAR_DUPLICATE)
            empty = ~np.asarray(units.any(axis=1))
            twins |= empty[:, None] & empty
            for number, row in enumerate(some.tolist()):
                if len(self) >= size:
                    return
                if not near[number]:
                    self._take(row, units[number], float(scores[begin + number]), strategy)
                    near |= twins[number]

    def chosen(self) -> Chosen:
        """Return what was chosen."""
        return Chosen(self.rows, np.array(self._scores, np.float64), tuple(self._strategies))

    def _near(self, units: Doubles) -> npt.NDArray[np.bool_]:
        near = np.asarray((units @ self._units[: len(self)].T >= NEAR_DUPLICATE).any(axis=1))
        # Vectors that are the mean have no direction, and are each other's duplicates.
        return near | ~units.any(axis=1) if self._has_mean else near

    def _take(self, row: int, unit: Doubles, score: float, strategy: str) -> None:
        self._units[len(self)] = unit
        self._has_mean |= not unit.any()
        self._rows.append(row)
        self._scores.append(score)
        self._strategies.append(strategy)
