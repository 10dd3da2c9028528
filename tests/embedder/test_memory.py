"""Freed memory is kept and given back where the C library can; nothing breaks where it cannot."""

from __future__ import annotations

import ctypes
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from icehouse.embedder._memory import (
    give_back_freed_memory,
    keep_freed_memory,
)

THREAD = """
import ctypes, os, threading
from icehouse.embedder import keep_freed_memory

print(keep_freed_memory())
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p

def inside() -> None:
    at = malloc(10_000)
    heap = next(line for line in open("/proc/self/maps") if line.endswith("[heap]\\n"))
    first, last = (int(number, 16) for number in heap.split()[0].split("-"))
    print(first <= at < last)

thread = threading.Thread(target=inside)
thread.start()
thread.join()
print(os.environ["ARROW_DEFAULT_MEMORY_POOL"])
"""


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    keep_freed_memory.cache_clear()
    yield
    keep_freed_memory.cache_clear()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own switch")
def test_glibc_accepts_the_thresholds() -> None:
    assert keep_freed_memory()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own switch")
def test_freed_memory_is_kept_until_it_is_given_back() -> None:
    keep_freed_memory()
    blocks = [bytearray(2**16) for _ in range(1000)]
    del blocks
    kept = resident()
    assert give_back_freed_memory()
    assert resident() < kept - 2**25


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own switch")
def test_threads_share_the_first_heap() -> None:
    said = subprocess.run([sys.executable, "-c", THREAD], capture_output=True, check=True)
    assert said.stdout.split() == [b"True", b"True", b"system"]


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_another_c_library_is_left_alone(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: None) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    monkeypatch.setenv("ARROW_DEFAULT_MEMORY_POOL", "system")
    assert not keep_freed_memory()
    assert not give_back_freed_memory()
