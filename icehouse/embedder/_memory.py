"""Let the C library keep the memory that a network frees, for as long as it works.

A forward pass on a CPU allocates and frees arrays of some megabytes for every layer. By default
glibc returns them to the system and has each page zeroed and mapped again for the next layer: up
to half of all processor time. In the heaps that it gives to threads it does so whatever it is told,
because each of them ends at 64 MiB: so all threads share the first.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
NEVER = 2**31 - 1
THRESHOLDS = 2**30, 2**25  # older versions accept no more than the second


@cache
def keep_freed_memory() -> bool:
    """Keep freed memory for the rest of the process, where the C library can; whether it can.

    In one heap of all threads, and of Arrow. A program should call it before it imports Arrow and
    starts threads: Arrow chooses its heap when it is imported, and a heap that a thread has left is
    given to the next one.
    """
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # Windows, macOS, musl
        return False
    return (
        bool(mallopt(M_ARENA_MAX, 1))
        and bool(mallopt(M_TRIM_THRESHOLD, NEVER))
        and any(mallopt(M_MMAP_THRESHOLD, size) for size in THRESHOLDS)
    )


def give_back_freed_memory() -> bool:
    """Give the system what is kept, where the C library can; whether there was something."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return False
    return bool(trim(0))
