"""Let the C library keep the memory that a network frees, for as long as it works.

A forward pass on a CPU allocates and frees arrays of some megabytes for every layer. By default
glibc returns them to the system and has each page zeroed and mapped again for the next layer: up
to half of all processor time.
"""

from __future__ import annotations

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
NEVER = 2**31 - 1
THRESHOLDS = 2**30, 2**25  # older versions accept no more than the second


@cache
def keep_freed_memory() -> bool:
    """Keep freed memory for the rest of the process, where the C library can; whether it can."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # Windows, macOS, musl
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, NEVER)) and any(
        mallopt(M_MMAP_THRESHOLD, size) for size in THRESHOLDS
    )


def give_back_freed_memory() -> bool:
    """Give the system what is kept, where the C library can; whether there was something."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return False
    return bool(trim(0))
