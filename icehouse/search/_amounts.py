"""Amounts as people write them: ``4GB``, ``5ms``."""

from __future__ import annotations

import re

from icehouse.errors import SettingError

BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
BYTES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
MILLISECONDS = {"": 1.0, "us": 1e-3, "ms": 1.0, "s": 1e3}
AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def bytes_of(text: str) -> int:
    """Return an amount of memory in bytes.

    Raises
    ------
    SettingError
        It is none.

    Examples
    --------
    >>> bytes_of("4GB"), bytes_of("512 MiB"), bytes_of("1.5kb")
    (4000000000, 536870912, 1500)
    """
    return int(_amount(text, BYTES, "4GB"))


def milliseconds_of(text: str) -> float:
    """Return a time in milliseconds; raises as :func:`bytes_of`.

    Examples
    --------
    >>> milliseconds_of("5ms"), milliseconds_of("0.2s"), milliseconds_of("7")
    (5.0, 200.0, 7.0)
    """
    return _amount(text, MILLISECONDS, "5ms")


def _amount(text: str, units: dict[str, float] | dict[str, int], example: str) -> float:
    said = AMOUNT.fullmatch(text)
    if said is None or said[2].lower() not in units or not float(said[1]):
        raise SettingError(f"{text!r} is no such amount; write it like {example}")
    return float(said[1]) * units[said[2].lower()]
