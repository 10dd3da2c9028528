"""Pools out of thin air: clusters, probabilities and labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from icehouse.review.strategies import Pool


@pytest.fixture
def pool() -> Callable[..., Pool]:
    """A function that makes a pool of clusters; its further arguments replace what is in it."""

    def make(
        n: int = 120, dim: int = 6, classes: int = 3, given: int = 5, seed: int = 0, **other: Any
    ) -> Pool:
        random = np.random.default_rng(seed)
        centres = random.normal(size=(4, dim)) * 3
        features = centres[random.integers(0, 4, n)] + random.normal(size=(n, dim))
        proba = random.dirichlet(np.ones(classes), n)
        known = np.zeros(n, bool)
        known[random.permutation(n)[:given]] = True
        settings = {"proba": proba, "labelled": known} | other
        return Pool(features.astype(np.float16), **settings)

    return make
