"""How often somebody may ask."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

AT_ONCE = 2.0  # seconds' worth of requests that may come at once
REMEMBERED = 10_000


class Rate:
    """A bucket for each address, which fills up at a steady rate.

    Parameters
    ----------
    rate : float
        Requests a second; 0: any number.
    clock : callable
        Seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, address: str) -> int:
        """Count a request; return the seconds to wait before another, 0 where this one may pass."""
        if not self._rate:
            return 0
        now, most = self._clock(), max(1.0, AT_ONCE * self._rate)
        left, since = self._buckets.pop(address, (most, now))
        left = min(most, left + (now - since) * self._rate)
        passes = left >= 1
        self._buckets[address] = (left - 1 if passes else left, now)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return 0 if passes else max(1, math.ceil((1 - left) / self._rate))
