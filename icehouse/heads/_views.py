"""Augmented views, beside the plain images of a labelled set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Views:
    """Augmented views of images of a labelled set.

    Attributes
    ----------
    row : array of int64, shape (m,)
        Of the image in the set.
    number : array of int64, shape (m,)
        1, 2, …
    X : array of float16 or float32, shape (m, D)
    """

    row: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    X: npt.NDArray[np.floating[Any]]
