"""What comes of it: what can be said in words and numbers, and the map over the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """How a probability falls and rises with parts of a picture (Petsiuk et al. 2018, "RISE").

    Mean probabilities, 0 to 1, while parts are hidden, or shown again, in an order: that of the
    map, or by lot.

    Attributes
    ----------
    deletion : float
        The parts that matter most are hidden first: the lower, the better the map.
    insertion : float
        They are shown first: the higher, the better.
    random_deletion, random_insertion : float
        Means of random orders.
    """

    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float


@dataclass(frozen=True)
class Explanation:
    """Why a head answers as it does, in words and numbers.

    Attributes
    ----------
    name : str
        The file, or the key in the dataset.
    image_id : str
        Hexadecimal; empty for an error.
    task, head, encoder_id, method : str
    predicted : tuple of str
        The answer.
    probabilities : dict
        By class, falling; calibrated.
    shown : str
        The class that is explained.
    probability : float
        Of that class.
    hidden : float
        The same with all of the picture hidden; for "black-and-white" without its colours.
    unit : str
        Of the map.
    scores : Scores or None
    randomised : float or None
        Mean rank correlation of the map with those of heads whose weights were shuffled: 1 where
        the map does not depend on what the head has learnt, around 0 where it does (Adebayo et al.
        2018, "Sanity checks for saliency maps").
    passed : bool or None
        Whether the map has changed: that is below 0.5, and not for turned signs alone.
    error : str or None
    """

    name: str
    image_id: str
    task: str
    head: str
    encoder_id: str
    method: str
    predicted: tuple[str, ...] = ()
    probabilities: dict[str, float] | None = None
    shown: str = ""
    probability: float = 0.0
    hidden: float = 0.0
    unit: str = ""
    scores: Scores | None = None
    randomised: float | None = None
    passed: bool | None = None
    error: str | None = None


@dataclass(frozen=True)
class Explained:
    """An explanation with its pictures.

    Attributes
    ----------
    explanation : Explanation
    original : array of uint8, shape (height, width, 3)
        Upright, no side longer than 640 pixels.
    box : (float, float, float, float)
        Which part of it the map lies over: top, left, bottom, right, as shares of its sides.
    map : array of float, shape (H, W)
        For each pixel that the encoder sees how much it speaks for the class (above 0) or against.
    without_colour : array of uint8, shape (H, W, 3), or None
        What the encoder sees without colour; for "black-and-white" only.
    """

    explanation: Explanation
    original: Pixels
    box: tuple[float, float, float, float]
    map: Floats
    without_colour: Pixels | None = None
