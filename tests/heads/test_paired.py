"""Intervals and paired tests, against scipy and against counting."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from icehouse.heads._paired import holm, interval, paired_p


@pytest.mark.parametrize(("won", "lost"), [(5, 0), (3, 9), (20, 20), (1, 0), (70, 31)])
def test_with_one_answer_an_image_it_is_the_exact_test_of_mcnemar(won, lost):
    difference = np.array([1] * won + [-1] * lost + [0] * 50)
    expected = binomtest(won, won + lost, 0.5).pvalue
    assert paired_p(difference) == pytest.approx(expected)


def test_with_several_answers_all_signs_are_counted():
    difference = np.array([3, 2, 2, -1, 1, 0, 3])
    sums = [np.dot(signs, difference) for signs in itertools.product((-1, 1), repeat=7)]
    expected = np.mean(np.abs(sums) >= difference.sum())
    assert paired_p(difference) == pytest.approx(expected)
    assert paired_p(-difference) == pytest.approx(expected)


def test_two_that_answer_alike_cannot_be_told_apart():
    assert paired_p(np.zeros(9, int)) == 1.0


def test_an_interval_of_one_split_is_binomial():
    low, high = interval(np.array([1] * 83 + [0] * 17), np.ones(100, int))
    assert (low, high) == pytest.approx(binom.ppf([0.025, 0.975], 100, 0.83) / 100, abs=0.011)
    assert interval(np.array([1] * 83 + [0] * 17), np.ones(100, int)) == (low, high)


def test_an_image_in_many_splits_is_one_image():
    right = np.array([1] * 83 + [0] * 17)
    once, often = interval(right, np.ones(100, int)), interval(right * 10, np.full(100, 10))
    assert often == pytest.approx(once)


def test_all_right_is_not_certainty():
    low, high = interval(np.ones(15, int), np.ones(15, int))
    assert high == 1.0
    assert low == pytest.approx(binomtest(15, 15).proportion_ci(0.95, "exact").low)
    assert interval(np.zeros(15, int), np.ones(15, int)) == pytest.approx((0.0, 1 - low))


def test_holm_raises_p_by_how_many_are_left_and_keeps_their_order():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
