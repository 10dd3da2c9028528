"""Work that costs less together: asked for one by one, prepared apart, and done in batches.

A few threads do both. A thread that is free runs a batch as soon as one is full, or else prepares
what came next; where there is nothing to prepare it runs what is there. It waits for others, a few
milliseconds at most, only while another thread prepares something: so what comes alone waits for
nothing, and under load batches are full, for neither stage can starve the other.

Nothing here knows of images, encoders or HTTP.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from icehouse.errors import IcehouseError, ServiceBusy, ServiceDown
from icehouse.service.inference._crew import Crew

Given = TypeVar("Given", contravariant=True)
Ready = TypeVar("Ready")
Result = TypeVar("Result", covariant=True)
Seen = Callable[[int, float], None]

TICK = 0.5  # seconds after which a thread that waits looks around
LONGEST_WAIT = 60
LEARNING = 0.2  # the part that the last batch has in the mean


class Work(Protocol[Given, Ready, Result]):
    """What a batcher does; all of it may be called by several threads at once."""

    @property
    def full(self) -> int:
        """How many cost as much as one does, or fewer than that."""
        ...

    @property
    def most(self) -> int:
        """How many are done at once, at most."""
        ...

    def prepare(self, given: Given) -> Ready:
        """Bring one thing to the form in which it is done; what is raised is its own answer."""
        ...

    def run(self, batch: list[Ready]) -> Sequence[Result | Exception]:
        """Do many; what is raised is an answer to all, and only an IcehouseError is no failure."""
        ...

    def renew(self) -> None:
        """Make ready again what has failed; called until it raises nothing."""
        ...


@dataclass(frozen=True)
class BatchOptions:
    """How a batcher works.

    Attributes
    ----------
    threads : int
    at_once : int
        Batches that are run at the same time.
    limit : int
        What may be waited for, by all together.
    window : float
        Seconds for which a batch that is not full waits for what is being prepared.
    slow : float
        Seconds after which a thread that is still at the same work is given another at its side.
    stuck : float
        Seconds of one batch after which something is wrong.
    pause : float
        Seconds between attempts to make ready again what has failed.
    """

    threads: int = 1
    at_once: int = 1
    limit: int = 256
    window: float = 0.004
    slow: float = 2.0
    stuck: float = 30.0
    pause: float = 1.0


@dataclass(slots=True)
class _Job:
    given: Any
    future: Future[Any]
    ready: Any = None
    since: float = 0.0  # when it was prepared


class Batcher(Generic[Given, Ready, Result]):
    """Threads that work in batches, for many who ask for one.

    Parameters
    ----------
    work : Work
    name : str
        Of its threads.
    options : BatchOptions, optional
    seen : callable, optional
        Called after each batch with its size and the seconds that it took.
    """

    def __init__(
        self,
        work: Work[Given, Ready, Result],
        name: str,
        options: BatchOptions | None = None,
        seen: Seen = lambda _size, _seconds: None,
    ) -> None:
        self._work = work
        self._options = options or BatchOptions()
        self._seen = seen
        self._change = threading.Condition()
        self._given: deque[_Job] = deque()
        self._ready: deque[_Job] = deque()
        self._held = self._preparing = self._running = 0
        self._each = 0.0  # seconds that one of a batch takes, on the average
        self._closing = False
        self._crew = Crew(name, self._step, self._options, work.renew, self._given_up)
        self._crew.fill()

    @property
    def waiting(self) -> int:
        """How many answers are owed."""
        return self._held

    def submit(self, several: Sequence[Given]) -> list[Future[Result]]:
        """Ask for the results of several things: of all of them, or of none.

        Cancelling one of the futures takes back what has not been begun.

        Raises
        ------
        ServiceBusy
            So much is waiting that these would be too many.
        ServiceDown
            Nobody is there to do it.
        """
        jobs = [_Job(given, Future()) for given in several]
        self._crew.relieve()
        with self._change:
            if self._closing or not self._crew.living:
                raise ServiceDown("what would answer has failed, and is started anew. Try again")
            if self._held + len(jobs) > self._options.limit:
                raise ServiceBusy(
                    f"{self._held} are waiting, and no more than {self._options.limit} may. "
                    f"Try again in {self._seconds_to_wait()} s",
                    self._seconds_to_wait(),
                )
            self._held += len(jobs)
            self._given.extend(jobs)
            self._change.notify(len(jobs))
        for job in jobs:
            job.future.add_done_callback(self._done)
        return [job.future for job in jobs]

    def trouble(self) -> str | None:
        """Say what is wrong, or None: a thread that has died, or is stuck in a batch."""
        self._crew.relieve()
        return self._crew.trouble()

    def close(self, seconds: float = 10.0) -> None:
        """End the threads, once all is done that was asked for."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        self._crew.close(seconds)

    # What its threads do.

    def _step(self) -> bool:
        """Do one piece of work; return whether there may be more."""
        with self._change:
            jobs, prepare = self._next()
            if not jobs:
                return False
            # A cancelled one is answered already.
            jobs = [job for job in jobs if not job.future.cancelled()]
            if prepare:
                self._preparing += 1
            else:
                self._running += 1
        try:
            if prepare:
                self._prepare(jobs)
            else:
                self._run(jobs)
        except BaseException as error:  # it ends this thread
            words = "what would answer has failed, and is started anew. Try again"
            _answer(jobs, [ServiceDown(words)] * len(jobs), cause=error)
            raise
        finally:
            with self._change:
                if prepare:
                    self._preparing -= 1
                else:
                    self._running -= 1
                self._change.notify_all()
        return True

    def _next(self) -> tuple[list[_Job], bool]:
        """Wait for work; return it, and whether it is to be prepared. Nothing: go home."""
        while not self._crew.superfluous():
            may_run = self._running < self._options.at_once
            if may_run and len(self._ready) >= max(self._work.full, 1):
                return self._take(), False
            if self._given:
                self._crew.begin(batch=False)
                return [self._given.popleft()], True
            left = TICK
            if may_run and self._ready:
                left = self._ready[0].since + self._options.window - time.monotonic()
                if left <= 0 or not self._preparing:
                    return self._take(), False
            if self._closing and not (self._ready or self._preparing):
                return [], False
            self._crew.rest()
            self._change.wait(min(left, TICK))
        return [], False

    def _take(self) -> list[_Job]:
        self._crew.begin(batch=True)
        some = min(len(self._ready), max(self._work.most, 1))
        return [self._ready.popleft() for _ in range(some)]

    def _prepare(self, jobs: list[_Job]) -> None:
        for job in jobs:
            try:
                job.ready = self._work.prepare(job.given)
            except Exception as error:  # whatever it is, it is of this one alone
                _answer([job], [error])
                continue
            finally:
                job.given = None
            with self._change:
                job.since = time.monotonic()
                self._ready.append(job)

    def _run(self, jobs: list[_Job]) -> None:
        jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
        if not jobs:
            return
        started = time.monotonic()
        try:
            results = self._work.run([job.ready for job in jobs])
        except IcehouseError as error:
            results = [error] * len(jobs)
        seconds = time.monotonic() - started
        share = seconds / len(jobs)
        self._each = share if not self._each else self._each + LEARNING * (share - self._each)
        _answer(jobs, results)
        self._seen(len(jobs), seconds)

    def _done(self, _future: Future[Any]) -> None:
        with self._change:
            self._held -= 1

    def _given_up(self) -> None:
        """Answer all that waits: there is nobody to do it, and it is not known until when."""
        with self._change:
            jobs = [*self._given, *self._ready]
            self._given.clear()
            self._ready.clear()
        down = ServiceDown("what would answer has failed, and could not be started anew yet")
        _answer(jobs, [down] * len(jobs))

    def _seconds_to_wait(self) -> int:
        seconds = self._held * self._each / self._options.at_once
        return min(max(1, math.ceil(seconds)), LONGEST_WAIT)


def _answer(
    jobs: Sequence[_Job], results: Sequence[Any], cause: BaseException | None = None
) -> None:
    for job, result in zip(jobs, results, strict=True):
        job.ready = None
        if job.future.done() or not (
            job.future.running() or job.future.set_running_or_notify_cancel()
        ):
            continue
        if isinstance(result, Exception):
            result.__cause__ = cause
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
