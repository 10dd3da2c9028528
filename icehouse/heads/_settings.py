"""What the settings of heads may be."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from icehouse.errors import SettingError


@dataclass(frozen=True)
class Limit:
    """A condition on a value, in words and as a test."""

    words: str
    holds: Callable[[Any], bool]


def whole(least: int) -> Limit:
    """Allow whole numbers from ``least`` upwards."""
    return Limit(
        f"a whole number, {least} or more",
        lambda v: isinstance(v, numbers.Integral) and not isinstance(v, bool) and int(v) >= least,
    )


def above(low: float) -> Limit:
    """Allow finite numbers greater than ``low``."""
    return Limit(f"a number above {low:g}", lambda v: _is_number(v) and v > low)


def between(low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> Limit:
    """Allow numbers from ``low`` to ``high``, either of which may be left out."""

    def holds(value: Any) -> bool:
        if not _is_number(value):
            return False
        over = value > low if open_low else value >= low
        return bool(over and (value < high if open_high else value <= high))

    words = f"a number from {low:g} to {high:g}"
    left_out = [f"{v:g}" for v, out in ((low, open_low), (high, open_high)) if out]
    return Limit(words + (f", without {' and '.join(left_out)}" if left_out else ""), holds)


def one_of(*choices: str) -> Limit:
    """Allow some words."""
    return Limit(f"one of {', '.join(choices)}", lambda v: v in choices)


def flag() -> Limit:
    """Allow true and false."""
    return Limit("true or false", lambda v: isinstance(v, bool))


def either(*limits: Limit) -> Limit:
    """Allow what any of some limits allows."""
    return Limit(
        " or ".join(limit.words for limit in limits),
        lambda v: any(limit.holds(v) for limit in limits),
    )


SEED = Limit("a whole number from 0 to 4294967295", lambda v: whole(0).holds(v) and v < 2**32)
NOTHING = Limit("none", lambda v: v is None)


def check_settings(kind: str, settings: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
    """Refuse settings beyond their limits.

    Raises
    ------
    SettingError
        It names the setting, what was got, and what it may be.
    """
    for name, limit in limits.items():
        if name in settings and not limit.holds(settings[name]):
            raise SettingError(
                f"setting {name} of head {kind!r} is {limit.words}; got {settings[name]!r}"
            )


def check_seed(seed: int) -> int:
    """Return what all that draws can begin with, or raise SettingError."""
    if not SEED.holds(seed):
        raise SettingError(f"a seed is {SEED.words}, got {seed!r}")
    return seed


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
