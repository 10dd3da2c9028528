"""The batcher: many who ask for one, few batches; and of failures it is always known."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait

import pytest

from icehouse.errors import EncoderError, ServiceBusy, ServiceDown
from icehouse.service.inference._batcher import Batcher, BatchOptions

QUICK = 0.01


class Squares:
    """Squares numbers by batches; doors hold it up, and some numbers are trouble."""

    most = 8

    def __init__(self) -> None:
        self.kills = 0
        self.batches: list[list[int]] = []
        self.preparing, self.running = threading.Event(), threading.Event()
        self.preparing.set()
        self.running.set()
        self.fails: BaseException | None = None
        self.renewed = 0
        self.broken = False

    @property
    def full(self) -> int:
        """What an idle thread asks for as it looks around: where it can be killed."""
        if self.kills:
            self.kills -= 1
            raise SystemExit
        return 4

    def prepare(self, given: int) -> int:
        if given == 13:
            raise ValueError("13 is no number")
        if given == 99:
            self.preparing.wait(30)
        return given

    def run(self, batch: list[int]) -> Sequence[int | Exception]:
        self.batches.append(sorted(batch))
        self.running.wait(30)
        if self.fails is not None:
            raise self.fails
        return [ValueError("7 has no square") if n == 7 else n * n for n in batch]

    def renew(self) -> None:
        self.renewed += 1
        if self.broken:
            raise EncoderError("the weights are gone")
        self.fails = None


@pytest.fixture
def work() -> Iterator[Squares]:
    work = Squares()
    yield work
    work.preparing.set()
    work.running.set()


Make = Callable[..., "Batcher[int, int, int]"]


@pytest.fixture
def make(work: Squares) -> Iterator[Make]:
    made: list[Batcher[int, int, int]] = []

    def one(**options: float) -> Batcher[int, int, int]:
        made.append(Batcher(work, "squares", BatchOptions(**options)))  # type: ignore[arg-type]
        return made[-1]

    yield one
    work.preparing.set()
    work.running.set()
    for batcher in made:
        batcher.close()


def results(futures: Sequence[Future[int]]) -> list[int]:
    return [future.result(30) for future in futures]


def until(holds: Callable[[], object]) -> None:
    for _ in range(3000):
        if holds():
            return
        time.sleep(QUICK)
    raise AssertionError("it does not come to be")


# Batches.


def test_each_gets_the_result_of_its_own(make: Make) -> None:
    batcher = make(threads=3, at_once=2)
    futures = [batcher.submit([n])[0] for n in range(20, 80)]
    assert results(futures) == [n * n for n in range(20, 80)]
    assert batcher.waiting == 0


def test_what_comes_while_a_batch_is_run_is_one_batch(make: Make, work: Squares) -> None:
    batcher = make(threads=2, at_once=1)
    work.running.clear()
    first = batcher.submit([1])
    until(lambda: work.batches)
    others = batcher.submit([2, 3, 4, 5, 6, 8])
    until(lambda: len(batcher._ready) == 6)
    work.running.set()
    assert results([*first, *others]) == [1, 4, 9, 16, 25, 36, 64]
    assert work.batches == [[1], [2, 3, 4, 5, 6, 8]]


def test_no_batch_is_larger_than_it_may(make: Make, work: Squares) -> None:
    batcher = make(threads=2, at_once=1)
    work.running.clear()
    futures = batcher.submit([20])
    until(lambda: work.batches)
    futures += batcher.submit(list(range(21, 41)))
    until(lambda: len(batcher._ready) == 20)
    work.running.set()
    results(futures)
    assert max(map(len, work.batches)) == work.most


def test_alone_it_waits_for_nobody_and_beside_slow_ones_not_for_long(
    make: Make, work: Squares
) -> None:
    batcher = make(threads=2, window=QUICK)
    assert results(batcher.submit([5])) == [25]
    work.preparing.clear()
    held_up = batcher.submit([99])
    assert results(batcher.submit([6])) == [36]  # though something is being prepared
    work.preparing.set()
    assert results(held_up) == [99 * 99]


def test_what_cannot_be_prepared_or_done_fails_alone(make: Make, work: Squares) -> None:
    batcher = make(threads=2)
    good, never, wrong = batcher.submit([6, 13, 7])
    assert good.result(30) == 36
    with pytest.raises(ValueError, match="13 is no number"):
        never.result(30)
    with pytest.raises(ValueError, match="7 has no square"):
        wrong.result(30)
    assert batcher.trouble() is None


# Too much.


def test_more_than_may_wait_is_refused_all_or_none(make: Make, work: Squares) -> None:
    batcher = make(limit=5)
    work.running.clear()
    futures = batcher.submit([1, 2, 3])
    with pytest.raises(ServiceBusy, match=r"3 are waiting, and no more than 5 may") as busy:
        batcher.submit([4, 5, 6])
    assert busy.value.retry_after >= 1
    futures += batcher.submit([4, 5])
    work.running.set()
    assert results(futures) == [1, 4, 9, 16, 25]
    assert results(batcher.submit([6])) == [36]


def test_what_is_taken_back_is_not_done(make: Make, work: Squares) -> None:
    batcher = make(limit=5)
    work.running.clear()
    first = batcher.submit([1])
    until(lambda: work.batches)
    others = batcher.submit([2, 3, 4, 5])
    assert [future.cancel() for future in others] == [True] * 4
    assert batcher.waiting == 1
    later = batcher.submit([6])
    work.running.set()
    assert results([*first, *later]) == [1, 36]
    assert work.batches == [[1], [6]]


def test_a_slow_one_gets_another_thread_at_its_side(make: Make, work: Squares) -> None:
    batcher = make(threads=1, slow=QUICK)
    work.preparing.clear()
    slow = batcher.submit([99])
    time.sleep(3 * QUICK)
    assert results(batcher.submit([2])) == [4]
    work.preparing.set()
    assert results(slow) == [99 * 99]
    until(lambda: batcher._crew.living == 1)


# Failures.


@pytest.mark.parametrize("failure", [RuntimeError("lost the device"), SystemExit(3)])
def test_a_thread_that_dies_is_noticed_and_started_anew(
    make: Make, work: Squares, failure: BaseException
) -> None:
    batcher = make(threads=1, pause=QUICK)
    work.fails, work.broken = failure, True
    with pytest.raises(ServiceDown, match="has failed") as down:
        results(batcher.submit([1]))
    assert down.value.__cause__ is failure
    until(lambda: "weights are gone" in str(batcher.trouble()))
    with pytest.raises(ServiceDown, match="started anew"):
        batcher.submit([2])
    work.broken = False
    until(lambda: batcher.trouble() is None)
    assert results(batcher.submit([3])) == [9]


def test_the_others_go_on_when_one_dies(make: Make, work: Squares) -> None:
    batcher = make(threads=2, at_once=2, pause=QUICK)
    work.broken = True
    work.kills = 1
    until(lambda: batcher.trouble() is not None)
    assert results(batcher.submit([1, 2, 3])) == [1, 4, 9]
    work.broken = False
    until(lambda: batcher.trouble() is None)
    assert batcher._crew.living == 2


def test_a_failure_that_was_meant_ends_no_thread(make: Make, work: Squares) -> None:
    batcher = make()
    work.fails = EncoderError("there is no memory for even one image")
    with pytest.raises(EncoderError, match="no memory"):
        results(batcher.submit([1]))
    work.fails = None
    assert batcher.trouble() is None
    assert results(batcher.submit([2])) == [4]
    assert work.renewed == 0


def test_a_batch_that_does_not_end_is_trouble(make: Make, work: Squares) -> None:
    batcher = make(stuck=QUICK)
    work.running.clear()
    futures = batcher.submit([1])
    until(lambda: "at one batch for" in str(batcher.trouble()))
    work.running.set()
    assert results(futures) == [1]
    until(lambda: batcher.trouble() is None)


def test_closing_does_first_what_was_accepted(make: Make, work: Squares) -> None:
    batcher = make(threads=2)
    work.running.clear()
    futures = batcher.submit(list(range(20, 30)))
    closing = threading.Thread(target=batcher.close)
    closing.start()
    work.running.set()
    closing.join(30)
    assert results(futures) == [n * n for n in range(20, 30)]
    wait(futures)
    with pytest.raises(ServiceDown, match="has failed"):
        batcher.submit([1])
