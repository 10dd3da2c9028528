"""What is compared of two thumbnails: a hash, to find pairs by, and the pixels, to be sure.

The hash is the perceptual one of Zauner (2010): signs of the 63 lowest frequencies of a cosine
transform. Brightness and contrast do not change them, and recompressing or resizing changes few.
A mirrored picture has the same frequencies but for the sign of those that are odd from left to
right, so its hash is that of the picture with these bits turned. A picture that was cut at its
edges is another one at 16 pixels; it is found by a second hash, that of the thumbnail without a
25th of its width and height on each side, against which a cut of up to about 5 % is small.

Pixels are compared by the concordance correlation of Lin (1989), which falls not only where two
pictures vary otherwise, but also where one is much brighter or has more contrast: many a field
has the shape of another one, and few have its light. What compression does to a picture counts as
alike, which matters only where there is little more to see: as the constants of SSIM do (Wang et
al. 2004), it keeps two copies of the sea together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

FREQUENCIES = 8
CUT = 0.04  # of width and height, on each side
FLAT = 0.5  # standard deviation of grey levels; what has less is one colour, and its rounding
MAX_DISTANCE = 16
MIN_CORRELATION = 0.9
NOISE = 2.0  # variance of grey levels that compressing a picture adds
AT_ONCE = 16_384

Hashes = npt.NDArray[np.uint64]
Square = npt.NDArray[np.float32]
Picture = npt.NDArray[np.floating[Any]]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Probe:
    """One way to look at a picture, whose hash is compared with those of all others.

    Attributes
    ----------
    hashes : array of uint64, shape (n,)
    down, across : array of float32, shape (side, side)
        The thumbnail that is seen is ``down @ thumbnail @ across.T``.
    mirrored : bool
    symmetric : bool
        Whether the second of two pictures, so seen, is as far from the first as the first is
        from the second.
    """

    hashes: Hashes
    down: Square
    across: Square
    mirrored: bool
    symmetric: bool


class Looks:
    """Thumbnails with their hashes.

    Parameters
    ----------
    vectors : array, shape (n, side * side)
        Of the encoder ``thumbnail``.
    """

    def __init__(self, vectors: npt.NDArray[np.floating[Any]]) -> None:
        side = round(vectors.shape[1] ** 0.5)
        self._vectors = vectors
        self._side = side
        self._waves = _waves(side)
        self._mirror = np.eye(side, dtype=np.float32)[::-1]
        self._cut = _cut(side)

    def __len__(self) -> int:
        return len(self._vectors)

    @cached_property
    def flat(self) -> npt.NDArray[np.bool_]:
        """Whether there is nothing on a picture by which it could be known; shape (n,)."""
        parts = [_pixels(self._vectors[part]).std(axis=(1, 2)) for part in _parts(len(self))]
        return np.concatenate([np.empty(0, np.float32), *parts]) < FLAT

    @cached_property
    def hashes(self) -> Hashes:
        """Of the pictures as they are, shape (n,)."""
        return self._hashed(np.eye(self._side, dtype=np.float32))

    @cached_property
    def probes(self) -> tuple[Probe, ...]:
        """The ways to look at each picture: as it is, mirrored, cut, and both."""
        odd = _packed(np.tile(np.arange(FREQUENCIES) % 2 == 1, (1, FREQUENCIES, 1)))[0]
        whole = np.eye(self._side, dtype=np.float32)
        cut = self._hashed(self._cut)
        mirrored = self._cut @ self._mirror
        return (
            Probe(self.hashes, whole, whole, mirrored=False, symmetric=True),
            Probe(self.hashes ^ odd, whole, self._mirror, mirrored=True, symmetric=True),
            Probe(cut, self._cut, self._cut, mirrored=False, symmetric=False),
            Probe(cut ^ odd, self._cut, mirrored, mirrored=True, symmetric=False),
        )

    def correlation(self, probe: Probe, one: Rows, other: Rows) -> Square:
        """Return the concordance correlation of the pixels of pairs, -1 to 1; shape (m,), float32.

        The first of each pair is seen by the probe.
        """
        found = np.empty(len(one), np.float32)
        for part in _parts(len(one)):
            seen = probe.down @ _pixels(self._vectors[one[part]]) @ probe.across.T
            found[part] = _concordance(seen, _pixels(self._vectors[other[part]]))
        return found

    def _hashed(self, seen: Square) -> Hashes:
        waves = self._waves @ seen
        parts = [
            _packed(waves @ _pixels(self._vectors[part]) @ waves.T > 0)
            for part in _parts(len(self))
        ]
        return np.concatenate([np.empty(0, np.uint64), *parts])


def _parts(n: int) -> Iterator[slice]:
    return (slice(start, start + AT_ONCE) for start in range(0, n, AT_ONCE))


def _pixels(vectors: npt.NDArray[np.floating[Any]]) -> Square:
    side = round(vectors.shape[1] ** 0.5)
    return vectors.astype(np.float32).reshape(-1, side, side)


def _concordance(one: Picture, other: Picture) -> Picture:
    over = (1, 2)
    apart = one.mean(axis=over) - other.mean(axis=over)
    one = one - one.mean(axis=over, keepdims=True)
    other = other - other.mean(axis=over, keepdims=True)
    spread = np.square(one).mean(axis=over) + np.square(other).mean(axis=over) + np.square(apart)
    shared = 2 * (one * other).mean(axis=over)
    return (shared + 2 * NOISE) / (spread + 2 * NOISE)


def _packed(signs: npt.NDArray[np.bool_]) -> Hashes:
    """Return 8 x 8 signs as the bits of a number; the mean grey level is none of them."""
    bits = signs.reshape(-1, FREQUENCIES * FREQUENCIES).copy()
    bits[:, 0] = False
    return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def _waves(side: int) -> Square:
    """Return the lowest frequencies of the cosine transform (DCT-II), shape (8, side)."""
    wave, pixel = np.arange(FREQUENCIES)[:, None], np.arange(side)[None]
    waves: Square = np.cos(np.pi * wave * (2 * pixel + 1) / (2 * side)).astype(np.float32)
    return waves


def _cut(side: int) -> Square:
    """Return what resizes the middle of a line of pixels to the whole, linearly."""
    at = (np.arange(side) + 0.5) * (1 - 2 * CUT) + CUT * side - 0.5
    left = np.floor(at).astype(np.int64)
    weights = np.zeros((side, side), np.float32)
    weights[np.arange(side), left] = 1 - (at - left)
    weights[np.arange(side), left + 1] = at - left
    return weights
