"""Distances to the nearest of a growing number of centres, worked out only where they matter.

A new centre can only bring the nearest one nearer, so what was once measured stays an upper bound.
That is enough to find the farthest image: those of the largest bounds are measured anew, until one
of them is farther than all other bounds. And it is enough to draw an image with a probability in
proportion to its squared distance, by rejection: one is drawn in proportion to its bound, measured,
and taken with the probability of squared distance to bound. Both are what measuring all images
after each centre would come to, in a small part of the time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from icehouse.review.strategies._space import Doubles, FloatArray, IntArray, Rows, blocks

FIRST = 256  # centres that all images are measured to at the beginning
LEAST, GROWTH = 64, 4  # images that are measured to find the farthest, and how their number grows
REJECTED, PER_DRAW = 64, 50  # draws, 1 for 50 images, before all bounds are brought up to date
NOISE = 1e-12  # of squared lengths: a distance below is rounding
GONE = -1.0


class Distances:
    """Squared distances of images to the nearest centre, as upper bounds.

    Parameters
    ----------
    factors : callables
        Each returns some vectors, shape (k, d) float64, for rows. An inner product of two images
        is the product of those of their factors.
    free : array of int64
        Rows that may be chosen.
    like : array, shape (n, d)
        As wide as the widest factor: that sets the size of blocks.

    Attributes
    ----------
    bound : array of float32, shape (n,)
        -1 for images that may not be chosen.
    """

    def __init__(
        self, *factors: Callable[[Rows], FloatArray], free: IntArray, like: FloatArray
    ) -> None:
        self._factors = factors
        self._like = like
        self.bound = np.full(len(like), GONE, np.float32)
        self.bound[free] = np.inf
        self._seen = np.zeros(len(like), np.int64)
        self._centres: list[Doubles] = []
        self._lengths = np.empty(0)
        self._count = 0
        self._left = 0
        self._total: Doubles = np.empty(0)
        self._drawn_by = self.bound

    def add(self, rows: IntArray) -> None:
        """Add centres, which cannot be chosen any more."""
        parts = [factor(rows) for factor in self._factors]
        if not self._centres:
            self._centres = [part[:0] for part in parts]
        end = self._count + len(rows)
        if end > len(self._centres[0]):
            room = max(end - self._count, self._count)
            grown = [np.zeros((room, part.shape[1])) for part in parts]
            pairs = zip(self._centres, grown, strict=True)
            self._centres = [np.concatenate(pair) for pair in pairs]
            self._lengths = np.concatenate([self._lengths, np.zeros(room)])
        for centres, part in zip(self._centres, parts, strict=True):
            centres[self._count : end] = part
        self._lengths[self._count : end] = _squared(parts)
        self._count = end
        self.ban(rows)

    def ban(self, rows: IntArray) -> None:
        """Take images out of the choice."""
        self.bound[rows] = GONE

    def measure_all(self) -> None:
        """Bring all bounds up to date; from nothing on, by the first centres alone."""
        for block in blocks(self._like):
            rows = np.arange(block.start, block.stop)
            rows = rows[self.bound[rows] > 0]
            new = np.isinf(self.bound[rows])
            self._measure(rows[new], FIRST)
            self._measure(rows[~new])

    def farthest(self) -> int:
        """Return the image that is farthest from its nearest centre, the first of several; or -1.

        There is a centre.
        """
        width = LEAST
        while True:
            whole = width >= len(self.bound)
            top = np.arange(len(self.bound))
            if not whole:
                top = np.argpartition(self.bound, len(self.bound) - width)[-width:]
            floor = self.bound[top].min()
            self._measure(top[self.bound[top] > 0])
            best = self.bound[top].max()
            if best > floor or whole:
                found = int(top[self.bound[top] == best].min())
                return found if self.bound[found] > GONE else -1
            width *= GROWTH

    def draw(self, random: np.random.Generator) -> int:
        """Return an image with a probability in proportion to its squared distance; -1 for none."""
        while True:
            if not self._left:
                self.measure_all()
                self._drawn_by = np.maximum(self.bound, 0)
                self._total = np.cumsum(self._drawn_by, dtype=np.float64)
                self._left = max(REJECTED, len(self.bound) // PER_DRAW)
            if not self._total[-1] > 0:
                self._left = 0
                return -1
            row = np.searchsorted(self._total, random.random() * self._total[-1], side="right")
            row = min(int(row), len(self.bound) - 1)
            if self.bound[row] > 0:
                self._measure(np.array([row]))
            if random.random() * self._drawn_by[row] < self.bound[row]:
                return row
            self._left -= 1

    def _measure(self, rows: IntArray, most: int | None = None) -> None:
        """Bring some bounds up to date, for as many centres as are said, or all."""
        end = min(self._count, most or self._count)
        stale = rows[self._seen[rows] < end]
        for seen in np.unique(self._seen[stale]):
            some = stale[self._seen[stale] == seen]
            step = max(1, 2**22 // (end - int(seen)))
            for begin in range(0, len(some), step):
                self._compare(some[begin : begin + step], slice(int(seen), end))
        self._seen[stale] = end

    def _compare(self, rows: IntArray, centres: slice) -> None:
        parts = [factor(rows) for factor in self._factors]
        inner = np.ones(1)
        for part, known in zip(parts, self._centres, strict=True):
            inner = inner * (part @ known[centres].T)
        lengths = _squared(parts)[:, None] + self._lengths[centres]
        squared = lengths - 2 * inner
        squared[squared < NOISE * lengths] = 0
        nearest = squared.min(axis=1).astype(np.float32)
        self.bound[rows] = np.minimum(self.bound[rows], nearest)


def _squared(parts: list[FloatArray]) -> Doubles:
    found = np.ones(len(parts[0]))
    for part in parts:
        found = found * np.einsum("nd,nd->n", part, part)
    return found
