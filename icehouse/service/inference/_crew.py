"""Threads that do one kind of work, of which it is always known whether they do it.

One that dies is noticed by the very next who asks, and another takes its place once what it worked
with has been made ready again. One that is at the same piece of work for long (a picture that takes
many seconds to decode) gets another at its side meanwhile, so that it holds up nobody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

MOST = 4  # times as many threads as are wanted, those that are slow included
LOG = logging.getLogger(__name__)


class CrewOptions(Protocol):
    """See :class:`BatchOptions`."""

    @property
    def threads(self) -> int:
        """How many are wanted."""
        ...

    @property
    def slow(self) -> float:
        """Seconds."""
        ...

    @property
    def stuck(self) -> float:
        """Seconds."""
        ...

    @property
    def pause(self) -> float:
        """Seconds."""
        ...


class Crew:
    """Threads that call ``step`` until it returns False.

    Parameters
    ----------
    name : str
        Of the threads.
    step : callable
        What it raises ends the thread, and is a failure.
    options : CrewOptions
    renew : callable
        Makes ready again what has failed; tried until it raises nothing.
    given_up : callable
        Called when that has failed, and no thread is left.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], bool],
        options: CrewOptions,
        renew: Callable[[], None],
        given_up: Callable[[], None],
    ) -> None:
        self._name = name
        self._step = step
        self._options = options
        self._renew = renew
        self._given_up = given_up
        self._lock = threading.RLock()
        # Since when each thread is at a piece of work, None while it is at none.
        self._at: dict[threading.Thread, float | None] = {}
        self._batches: set[threading.Thread] = set()
        self._failure: str | None = None
        self._renewing: threading.Thread | None = None
        self._end = threading.Event()

    @property
    def living(self) -> int:
        """How many threads there are."""
        with self._lock:
            return sum(thread.is_alive() for thread in self._at)

    def fill(self) -> None:
        """Start the threads that are lacking."""
        with self._lock:
            while len(self._at) - self._slow() < self._options.threads:
                if len(self._at) >= MOST * self._options.threads or self._end.is_set():
                    break
                thread = threading.Thread(target=self._live, name=self._name, daemon=True)
                self._at[thread] = None
                thread.start()

    def relieve(self) -> None:
        """Give slow threads others at their side, and notice what died without a word."""
        with self._lock:
            silent = [thread for thread in self._at if thread.ident and not thread.is_alive()]
            for thread in silent:
                self._lost(thread, "it is gone")
            if self._slow() and self._failure is None:
                self.fill()

    def trouble(self) -> str | None:
        """Say what is wrong, or None."""
        with self._lock:
            now = time.monotonic()
            for thread in self._batches:
                since = self._at.get(thread)
                if since is not None and now - since > self._options.stuck:
                    return f"{self._name} has been at one batch for {now - since:.0f} s"
            return self._failure

    def close(self, seconds: float) -> None:
        """Wait for the threads, which have to find out themselves that they are to end."""
        self._end.set()
        end = time.monotonic() + seconds
        for thread in list(self._at):
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))

    # What threads say of themselves.

    def rest(self) -> None:
        """Note that this thread waits."""
        with self._lock:
            self._at[threading.current_thread()] = None
            self._batches.discard(threading.current_thread())

    def begin(self, *, batch: bool) -> None:
        """Note that this thread begins a piece of work, which is a batch or not."""
        with self._lock:
            self._at[threading.current_thread()] = time.monotonic()
            if batch:
                self._batches.add(threading.current_thread())

    def superfluous(self) -> bool:
        """Whether this thread is one too many, as those at whose side it was are free again."""
        with self._lock:
            return len(self._at) - self._slow() > self._options.threads

    def _live(self) -> None:
        thread, word = threading.current_thread(), None
        try:
            while True:
                if not self._step():
                    break
                self.rest()
        except BaseException as error:  # SystemExit ends a thread, too
            LOG.exception("%s has failed", self._name)
            word = repr(error)
        with self._lock:
            if word is None:
                self._at.pop(thread, None)
            else:
                self._lost(thread, word)

    def _lost(self, thread: threading.Thread, word: str) -> None:
        self._at.pop(thread, None)
        self._batches.discard(thread)
        self._failure = f"a thread of {self._name} has died, and is started anew ({word})"
        if self._renewing is None and not self._end.is_set():
            self._renewing = threading.Thread(target=self._make_ready, daemon=True)
            self._renewing.start()

    def _make_ready(self) -> None:
        while not self._end.is_set():
            try:
                self._renew()
            except Exception as error:
                LOG.exception("%s could not be started anew", self._name)
                with self._lock:
                    self._failure = f"{self._name} could not be started anew: {error}"
                if not self.living:
                    self._given_up()
                self._end.wait(self._options.pause)
                continue
            with self._lock:
                self._failure = self._renewing = None
                self.fill()
            return

    def _slow(self) -> int:
        now = time.monotonic()
        return sum(
            since is not None and now - since > self._options.slow for since in self._at.values()
        )
