"""Small JSON files that show by themselves whether they are what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "seal"


def seal_of(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of values as JSON."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def sealed(values: Mapping[str, Any]) -> bytes:
    """Return values as JSON that ends with their checksum."""
    text = json.dumps({**values, SEAL: seal_of(values)}, indent=2, ensure_ascii=False)
    return text.encode()


def unsealed(data: bytes) -> dict[str, Any]:
    """Return what :func:`sealed` was given.

    Raises
    ------
    ValueError
        It is damaged, or was changed by hand.

    Examples
    --------
    >>> unsealed(sealed({"top1": 0.9}))
    {'top1': 0.9}
    """
    values = json.loads(data)
    if not isinstance(values, dict) or values.pop(SEAL, None) is None:
        raise ValueError("it has no seal")
    if sealed(values) != data:  # white space too: any bit that has changed is seen
        raise ValueError("it is not what its seal says")
    return values
