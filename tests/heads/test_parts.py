"""Work in parts comes to the same by however many threads, in order, and errors come out."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from icehouse.embedder import one_torch_thread
from icehouse.heads._logistic_data import SMALL, LogisticData
from icehouse.heads._logistic_solver import solve
from icehouse.heads._parts import in_parts


@pytest.fixture
def threads():
    """Let torch use as many threads as a test says."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 3])
def test_results_come_in_the_order_of_parts(threads, count):
    threads(count)
    with in_parts() as parts:
        assert torch.get_num_threads() == 1
        assert list(parts.each(lambda number: number**2, range(50))) == [n**2 for n in range(50)]
        assert list(parts.each(str, [])) == []
    assert torch.get_num_threads() == count


def test_parts_are_worked_on_by_several_threads_of_one_each(threads):
    threads(2)
    meet = threading.Barrier(2, timeout=60)

    def work(_number):
        meet.wait()  # two of them are under way at once
        return threading.current_thread().name, torch.get_num_threads()

    with in_parts() as parts:
        found = set(parts.each(work, range(4)))
    assert {each for _, each in found} == {1}
    assert len({name for name, _ in found}) == 2


def test_what_is_small_is_done_where_it_is_asked_for(threads):
    threads(2)
    with in_parts(small=True) as parts:
        assert list(parts.each(lambda _: threading.get_ident(), [1])) == [threading.get_ident()]


def test_an_error_in_a_part_comes_out(threads):
    threads(2)
    with in_parts() as parts, pytest.raises(ZeroDivisionError, match="division"):
        list(parts.each(lambda number: 1 / number, [1, 0, 2]))
    assert torch.get_num_threads() == 2


def test_a_fit_is_the_same_to_the_last_bit_by_one_thread_and_by_three(threads):
    random = np.random.default_rng(0)
    X = random.normal(size=(6000, 160)).astype(np.float32)
    y = (X[:, :150] + random.normal(size=(6000, 150))).argmax(axis=1)
    assert X.size * 150 >= SMALL
    found = []
    for count in (1, 3):
        threads(count)
        found.append(solve(LogisticData(X, y), 0.01, steps=6))
    with one_torch_thread():
        found.append(solve(LogisticData(X, y), 0.01, steps=6))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].coef, other.coef)
        np.testing.assert_array_equal(found[0].intercept, other.intercept)
