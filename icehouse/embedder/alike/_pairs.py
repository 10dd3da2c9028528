"""Pairs of pictures, and what is known of how alike the two are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Pairs:
    """Pairs of pictures, one row a pair.

    Attributes
    ----------
    one, other : array of int64, shape (m,)
        Numbers of the pictures.
    distance : array of uint8, shape (m,)
        Bits in which their hashes differ, of 63.
    correlation : array of float32, shape (m,)
        Concordance of their pixels, seen so that the hashes are near.
    mirrored : array of bool, shape (m,)
        Whether one had to be mirrored for that.
    """

    one: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]
    distance: npt.NDArray[np.uint8]
    correlation: npt.NDArray[np.float32]
    mirrored: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.one)

    def take(self, which: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Pairs:
        """Return some of them."""
        return Pairs(*(getattr(self, field.name)[which] for field in fields(self)))

    def numbered(self, numbers: npt.NDArray[np.int64]) -> Pairs:
        """Return them with the numbers that the pictures have elsewhere."""
        return replace(self, one=numbers[self.one], other=numbers[self.other])

    @classmethod
    def joined(cls, several: Sequence[Pairs]) -> Pairs:
        """Return all pairs of several."""
        types = (np.int64, np.int64, np.uint8, np.float32, np.bool_)
        columns = [
            np.concatenate([np.empty(0, kind), *(getattr(each, field.name) for each in several)])
            for field, kind in zip(fields(cls), types, strict=True)
        ]
        return cls(*columns)

    def closest(self) -> npt.NDArray[np.int64]:
        """Return their order, the closest first: by distance, then by correlation."""
        return np.lexsort((self.other, self.one, -self.correlation, self.distance))
