"""Strategies of active learning: which images to label next, as pure functions of arrays."""

from ._badge import badge
from ._choose import DEFAULT, REASONS, STRATEGIES, choose, parse_strategy
from ._coreset import coreset
from ._herding import herding
from ._pool import Chosen, Pool
from ._scores import (
    density_weighted,
    disagreement,
    entropy,
    expected_error,
    least_confidence,
    margin,
    near_threshold,
)
from ._space import Space
from ._typical import typical

__all__ = [
    "DEFAULT",
    "REASONS",
    "STRATEGIES",
    "Chosen",
    "Pool",
    "Space",
    "badge",
    "choose",
    "coreset",
    "density_weighted",
    "disagreement",
    "entropy",
    "expected_error",
    "herding",
    "least_confidence",
    "margin",
    "near_threshold",
    "parse_strategy",
    "typical",
]
