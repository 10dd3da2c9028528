"""The shares of a split."""

from __future__ import annotations

import math
from dataclasses import dataclass

from icehouse.errors import UsageError


@dataclass(frozen=True)
class Fractions:
    """Shares of train, validation and test, which add up to 1."""

    train: float = 0.8
    val: float = 0.1
    test: float = 0.1

    @classmethod
    def parse(cls, text: str) -> Fractions:
        """Read ``80/10/10``, or ``0.8/0.1/0.1``.

        Raises
        ------
        UsageError
            Not three shares, none to train on, or shares of something else than 100, or 1.

        Examples
        --------
        >>> Fractions.parse("75/25/0")
        Fractions(train=0.75, val=0.25, test=0.0)
        """
        try:
            shares = [float(part) for part in text.split("/")]
        except ValueError:
            shares = []
        if len(shares) != 3 or not all(0 <= s < math.inf for s in shares) or shares[0] == 0:
            raise UsageError(f"a split is TRAIN/VAL/TEST such as 75/15/10, got {text!r}")
        total = sum(shares)
        if not any(math.isclose(total, whole, rel_tol=1e-6) for whole in (100, 1)):
            raise UsageError(
                f"a split is TRAIN/VAL/TEST which add up to 100, such as 75/15/10; {text} adds up "
                f"to {total:g}"
            )
        return cls(*(share / total for share in shares))
