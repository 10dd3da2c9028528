"""The nearest pictures of many, block by block, where pictures that are nearly the same count once.

Breunig et al. define neighbours so for a reason: a point that is there more often than k times is
its own neighbourhood, of no extent at all. Images are: frames of a film, and copies. So images that
are near-duplicates of each other are one *picture*, and the neighbours of a picture are others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from icehouse.heads import NEAR_DUPLICATE
from icehouse.search import Engine
from icehouse.store import unit

BLOCK = 16_384  # images that ask at once
SAMPLE = 8192  # images whose mean is that of all, nearly
NOISE = 1e-6  # of a cosine in float32: vectors that are nearer than that are one

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def near(engine: Engine, asked: Integers, k: int, among: Integers) -> tuple[Floats, Integers]:
    """Find the k images that are nearest to each of many, itself left out.

    Parameters
    ----------
    engine : Engine
    asked : array of int64, shape (q,)
        Rows of its vectors.
    k : int
    among : array of int64, shape (m,)
        Rows that alone may be neighbours.

    Returns
    -------
    similarity : array of float32, shape (q, k)
        Cosines, falling; -inf where there are fewer.
    index : array of int64, shape (q, k)
        Rows of the engine's vectors; -1 where there are fewer.
    """
    allowed = np.zeros(len(engine.rows), np.bool_)
    allowed[among] = True
    itself = int(allowed[asked].any())
    similarity = np.full((len(asked), k + itself), -np.inf, np.float32)
    index = np.full((len(asked), k + itself), -1)
    for start in range(0, len(asked), BLOCK):
        some = slice(start, start + BLOCK)
        cosine, row = engine.nearest(engine.rows.at(asked[some]), k + itself, allowed)
        similarity[some, : cosine.shape[1]], index[some, : row.shape[1]] = cosine, row
    if not itself:
        return similarity, index
    # The image itself goes to the end; where k + 1 copies come before it, the last of them does.
    order = np.argsort(index == asked[:, None], axis=1, kind="stable")[:, :-1]
    similarity, index = (np.take_along_axis(each, order, axis=1) for each in (similarity, index))
    own = index == asked[:, None]  # it was among fewer than k + 1
    similarity[own], index[own] = -np.inf, -1
    return similarity, index


@dataclass(frozen=True)
class Centre:
    """The mean of unit vectors, and how each of them lies to it.

    All images of an encoder lie in one direction from the origin; which are nearly the same is
    said by cosines about the mean.

    Attributes
    ----------
    toward : array of float32, shape (n,)
        Product of each vector of the engine with the mean; 0 for those that were not asked about.
    squared : float
        Length of the mean, squared.
    empty : array of bool, shape (n,)
        Vectors of length 0, which have no direction.
    """

    toward: Floats
    squared: float
    empty: Mask

    @classmethod
    def of(cls, engine: Engine, rows: Integers) -> Centre:
        """Look at some rows of an engine, at least one."""
        some = rows[np.unique(np.linspace(0, len(rows) - 1, SAMPLE).astype(np.int64))]
        mean = unit(engine.rows.at(some)).mean(axis=0)
        toward = np.zeros(len(engine.rows), np.float32)
        empty = np.zeros(len(engine.rows), np.bool_)
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            units = unit(engine.rows.at(part))
            toward[part], empty[part] = units @ mean, ~units.any(axis=1)
        return cls(toward, float(mean @ mean), empty)

    def twins(self, similarity: Floats, one: Integers, other: Integers) -> Mask:
        """Whether pairs are near-duplicates: centred cosine 0.995 or more, or one vector.

        With unit vectors a, b and their mean m, (a - m)(b - m) = ab - am - bm + mm: it takes no
        vectors, only their products.
        """
        at, bt = (self.toward[each].astype(np.float64) for each in (one, other))
        dot = similarity - at - bt + self.squared
        lengths = (1 - 2 * at + self.squared) * (1 - 2 * bt + self.squared)
        near = dot >= NEAR_DUPLICATE * np.sqrt(np.maximum(lengths, 0))
        return np.asarray(near & (dot > NOISE) | (similarity >= 1 - NOISE))


@dataclass(frozen=True)
class Pictures:
    """Images of which near-duplicates are one picture, and the nearest others of each picture.

    Attributes
    ----------
    rows : array of int64, shape (m,)
        The first image of each picture, as rows of the engine; rising.
    similarity : array of float32, shape (m, k)
        Cosines to the k nearest other pictures, falling.
    index : array of int64, shape (m, k)
        Which they are, from 0 to m - 1.
    images : array of int64, shape (n,)
        All images, as rows of the engine.
    member : array of int64, shape (n,)
        The picture that each of them is.
    """

    rows: Integers
    similarity: Floats
    index: Integers
    images: Integers
    member: Integers

    def __len__(self) -> int:
        return len(self.rows)

    def copies(self, picture: int) -> Integers:
        """Return the images that are a picture, its first one first, as rows of the engine."""
        return self.images[self.member == picture]

    @classmethod
    def of(
        cls, engine: Engine, images: Integers, k: int, centre: Centre, farthest: int = 0
    ) -> Pictures:
        """Find pictures and the k nearest of each; of fewer, all others.

        An image within a centred cosine of 0.995 of an earlier one is that picture. It is not if it
        is only near to one of its copies: chains of images, each a little different, have no end.

        Parameters
        ----------
        engine : Engine
        images : array of int64, shape (n,)
            Rows, rising.
        k : int
        centre : Centre
        farthest : int
            So many pictures, those that are farthest from their k-th neighbour, are to be the right
            ones, and their neighbours, though the engine has an index that passes some over.
        """
        search = _Search(engine, images, k, centre)
        search.look(engine, np.arange(len(images)))
        if engine.index is not None and farthest:
            search.settle(farthest)
        first = search.first
        while (first[first] != first).any():
            first = first[first]
        kept, member = np.unique(first, return_inverse=True)
        width = min(k, len(kept) - 1)
        number = np.full(len(images), -1)
        number[kept] = np.arange(len(kept))
        nearest = number[search.index[kept, :width]]
        return cls(images[kept], search.similarity[kept, :width], nearest, images, member)


class _Search:
    """Images, the picture that each counts as so far, and the nearest other ones."""

    def __init__(self, engine: Engine, images: Integers, k: int, centre: Centre) -> None:
        self._engine, self._images, self._k, self._centre = engine, images, k, centre
        self.first = np.arange(len(images))
        self.similarity = np.empty((len(images), k), np.float32)
        self.index = np.empty((len(images), k), np.int64)
        self._place = np.full(len(engine.rows), -1)
        self._place[images] = self.first

    @property
    def _kept(self) -> Mask:
        return np.asarray(self.first == np.arange(len(self.first)))

    def look(self, engine: Engine, stale: Integers) -> None:
        """Find the nearest of some images, and again of those whose nearest are no pictures."""
        images = self._images
        while len(stale):
            among = images[self._kept]
            self.similarity[stale], found = near(engine, images[stale], self._k, among)
            self.index[stale] = np.where(found < 0, -1, self._place[found])
            row, column = np.nonzero(self.index[stale] >= 0)
            one, other = stale[row], self.index[stale[row], column]
            cosine = self.similarity[one, column]
            twins = self._centre.twins(cosine, images[one], images[other])
            absorb(self.first, one[twins], other[twins])
            kept = self._kept
            lost = ~kept[self.index] & (self.index >= 0)
            stale = np.flatnonzero(kept & lost.any(axis=1))

    def settle(self, count: int) -> None:
        """Search exactly for the neighbours of the farthest pictures, until no other can be one.

        An index passes over neighbours, so a picture is at most as far as it seems to be: once all
        that seem to be the farthest have been looked at, they are. Passing over is what it does to
        outliers above all: few of the others have them among their links.
        """
        exact = replace(self._engine, index=None)
        settled = np.zeros(len(self.first), np.bool_)
        while True:
            kept = np.flatnonzero(self._kept)
            far = kept[np.argsort(self.similarity[kept, -1], kind="stable")[:count]]
            far = far[~settled[far]]
            if not len(far):
                return
            self.look(exact, far)
            settled[far] = True


def absorb(first: Integers, one: Integers, other: Integers) -> None:
    """Give each image of a pair that is no picture of its own any more the first that it is like.

    Parameters
    ----------
    first : array of int64, shape (n,)
        For each image the one that it counts as, which is changed; at the beginning itself.
    one, other : array of int64, shape (p,)
        Pairs that are alike.

    Examples
    --------
    >>> first = np.arange(4)
    >>> absorb(first, np.array([1, 2]), np.array([0, 1]))  # 2 is like 1, which is like 0
    >>> first
    array([0, 0, 2, 3])
    """
    early, late = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((early, late))
    for before, after in zip(early[order].tolist(), late[order].tolist(), strict=True):
        if first[after] == after and first[before] == before:
            first[after] = before
