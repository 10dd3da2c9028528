"""Axes that fit what is drawn: round numbers around it."""

from __future__ import annotations

import math
from collections.abc import Iterable

LEAST = 0.04  # of accuracy that an axis covers: less would make noise look like learning


def steps_around(low: float, high: float, limit: float = math.inf) -> list[float]:
    """Return round numbers around a range, about five of them, none above the limit."""
    span = max(high - low, 1e-3 * max(abs(high), 1e-3))
    power = 10.0 ** math.floor(math.log10(span / 4))
    step: float = next(power * each for each in (1, 2, 5, 10) if power * each >= span / 4)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = [number * step for number in range(first, max(last, first + 1) + 1)]
    return [tick for tick in ticks if tick <= limit + step / 1e6]


def steps_of_shares(shares: Iterable[float]) -> list[float]:
    """Return round numbers around accuracies; none is above 1."""
    known = list(shares)
    highest = max(known)
    return steps_around(max(0.0, min(*known, highest - LEAST)), highest, limit=1.0)


def digits_of(steps: list[float]) -> int:
    """Return how many digits tell one step from the next.

    Examples
    --------
    >>> digits_of([0.85, 0.9, 0.95]), digits_of([0.0, 20.0]), digits_of([0.0, 0.5])
    (2, 0, 1)
    """
    return max(0, -math.floor(math.log10(steps[1] - steps[0]) + 1e-9))
