"""Freed memory is kept where the C library can, and nothing breaks where it cannot."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator

import pytest

from icehouse.embedder._memory import keep_freed_memory


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    keep_freed_memory.cache_clear()
    yield
    keep_freed_memory.cache_clear()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own switch")
def test_glibc_accepts_the_thresholds() -> None:
    assert keep_freed_memory()


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_another_c_library_is_left_alone(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: None) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert not keep_freed_memory()
