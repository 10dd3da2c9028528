"""What hiding parts of a picture does to a probability; any encoder and any head can be asked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from skimage.segmentation import slic
from sklearn.linear_model import Ridge

from icehouse.explain._explanation import Floats
from icehouse.explain._question import Question
from icehouse.explain._sight import Masks, Sight

WINDOWS, STEP = (1 / 4, 1 / 2), 1 / 8  # of the picture's side
SEGMENTS, COMPACTNESS, SAMPLES = 50, 10.0, 250
KERNEL = 0.25  # width, as in the authors' code
STRENGTH = 1.0  # of the ridge, as there

Answer = Callable[[Question], Floats]
"""From a question to its map, (H, W); what encoders see is computed before it is asked."""


def occlusion(sight: Sight, seed: int = 0) -> Answer:  # noqa: ARG001
    """Slide windows over the picture (Zeiler and Fergus 2014, "Visualizing and understanding").

    Small and large windows are hidden, and large ones are shown alone. A pixel's value is by how
    much the probability falls when a window around it is hidden, or rises from that of the hidden
    picture when only that window is seen: a mean over windows, the nearer the more, then over the
    three. Where an answer is so sure that no part of it is missed, what each part says alone still
    differs.
    """
    small, large = (windows(*sight.shape, size) for size in WINDOWS)
    ends = np.zeros((2, *sight.shape), np.bool_)
    ends[1] = True
    vectors = sight.vectors(np.concatenate([ends, small, large, ~large]))
    parts = np.split(np.arange(2, len(vectors)), np.cumsum([len(small), len(large)]))

    def answer(question: Question) -> Floats:
        said = question(vectors)
        (whole, hidden), (without, less, alone) = said[:2], (said[part] for part in parts)
        changes = whole - without, whole - less, alone - hidden
        sizes = WINDOWS[0], WINDOWS[1], WINDOWS[1]
        maps = [spread(by, *sight.shape, size) for by, size in zip(changes, sizes, strict=True)]
        return np.mean(maps, axis=0)

    return answer


def spread(changes: Floats, height: int, width: int, size: float) -> Floats:
    """Return a map, (height, width), of what windows of a size change; see :func:`windows`."""
    rows, columns = _near(height, size), _near(width, size)
    return rows @ changes.reshape(rows.shape[1], columns.shape[1]) @ columns.T


def _near(pixels: int, size: float) -> Floats:
    """Return what each window counts for each pixel, (pixels, windows); for a pixel in all 1."""
    apart = np.abs((np.arange(pixels) + 0.5)[:, None] / pixels - _middles(size))
    near = np.maximum(0, 1 - apart / (size / 2 + STEP))
    return near / near.sum(axis=1, keepdims=True)


def windows(height: int, width: int, size: float) -> Masks:
    """Return square windows, (n, height, width), at every step down and across.

    None looks out of the picture: it would hide less than others, and the edges of every map would
    be weak.

    Parameters
    ----------
    height, width : int
        Pixels of the picture.
    size : float
        Of a window, as a share of the picture's sides.
    """
    rows, columns = _bands(height, size), _bands(width, size)
    both = rows[:, None, :, None] & columns[None, :, None, :]
    return both.reshape(-1, height, width)


def _bands(pixels: int, size: float) -> Masks:
    """Return which pixels of a side lie in each window, (windows, pixels)."""
    from_start = (np.arange(pixels) + 0.5) / pixels - _middles(size)[:, None] + size / 2
    return (from_start > -1e-9) & (from_start < size - 1e-9)


def _middles(size: float) -> Floats:
    return np.arange(size / 2, 1 - size / 2 + STEP / 2, STEP)


def lime(sight: Sight, seed: int = 0) -> Answer:
    """Fit a line to what hiding superpixels does (Ribeiro et al. 2016, "Why should I trust you?").

    Superpixels are those of SLIC (Achanta et al. 2012). A pixel's value is the weight of its
    superpixel: by how much the probability rises where it is seen, other things being equal.
    """
    segments = slic(
        sight.views[0].pixels, n_segments=SEGMENTS, compactness=COMPACTNESS, start_label=0
    )
    count = int(segments.max()) + 1
    shown = np.random.default_rng(seed).integers(0, 2, (SAMPLES, count)).astype(np.bool_)
    shown[0] = True
    vectors = sight.vectors(~shown[:, segments])
    near = np.sqrt(shown.mean(axis=1))  # the cosine to the whole picture
    weight = np.exp(-(((1 - near) / KERNEL) ** 2) / 2)

    def answer(question: Question) -> Floats:
        line = Ridge(alpha=STRENGTH).fit(shown, question(vectors), sample_weight=weight)
        return np.asarray(line.coef_)[segments]

    return answer
