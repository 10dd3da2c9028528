"""Work in a thread of its own, whose answer is waited for later, or never."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def begin(work: Callable[[], T]) -> Future[T]:
    """Start some work; the end of the process does not wait for it."""
    answer: Future[T] = Future()
    threading.Thread(target=fill, args=(answer, work), daemon=True).start()
    return answer


def fill(answer: Future[T], work: Callable[[], T]) -> None:
    """Do some work, and put what comes of it where others wait for it."""
    try:
        answer.set_result(work())
    except BaseException as error:
        answer.set_exception(error)
