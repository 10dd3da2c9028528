"""What hiding parts of a picture does to a probability; any encoder and any head can be asked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from skimage.segmentation import slic
from sklearn.linear_model import Ridge

from icehouse.explain._explanation import Floats
from icehouse.explain._question import Question
from icehouse.explain._sight import Masks, Sight, faded

WINDOW, STEP = 1 / 4, 1 / 8  # of the picture's side
SEGMENTS, COMPACTNESS, SAMPLES = 50, 10.0, 400
KERNEL = 0.25  # width, as in the authors' code
STRENGTH = 1.0  # of the ridge, as there

Answer = Callable[[Question], Floats]
"""From a question to its map, (H, W); what encoders see is computed before it is asked."""


def occlusion(sight: Sight, seed: int = 0) -> Answer:  # noqa: ARG001
    """Slide a window over the picture (Zeiler and Fergus 2014, "Visualizing and understanding").

    A pixel's value is by how much the probability falls when a window is hidden that it lies in,
    as a mean over those windows.
    """
    masks = windows(*sight.shape)
    vectors = sight.vectors(np.concatenate([np.zeros_like(masks[:1]), masks]))

    weight = faded(masks)

    def answer(question: Question) -> Floats:
        whole, *without = question(vectors)
        fall = whole - np.array(without)
        return np.tensordot(fall, weight, 1) / weight.sum(axis=0)

    return answer


def windows(height: int, width: int) -> Masks:
    """Return windows that lie over each other by halves, and at the edges look out by a half."""
    masks = []
    for top in _starts(height):
        for left in _starts(width):
            mask = np.zeros((height, width), np.bool_)
            mask[_span(top, height), _span(left, width)] = True
            masks.append(mask)
    return np.stack(masks)


def _starts(size: int) -> Floats:
    return np.arange(-STEP, 1 - STEP / 2, STEP) * size


def _span(start: float, size: int) -> slice:
    return slice(max(0, round(start)), min(size, round(start + WINDOW * size)))


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
