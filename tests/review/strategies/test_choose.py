"""Batches: what is in them, what never is, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from icehouse.errors import UsageError
from icehouse.heads import NEAR_DUPLICATE
from icehouse.review.strategies import (
    REASONS,
    STRATEGIES,
    Pool,
    _space,
    choose,
    margin,
    parse_strategy,
)

GO_BY_FEATURES = ["random", "coreset", "typical", "auto"]
ALL = [name for name in STRATEGIES if name not in ("near-threshold", "label-error")]


@pytest.fixture
def full(pool):
    """A pool that has all that any strategy for three classes asks for."""

    def make(**settings):
        made = pool(**settings)
        other = np.random.default_rng(7).dirichlet(np.ones(made.proba.shape[1]), len(made))
        return replace(made, committee=(other,))

    return make


def cosines(features, rows):
    wide = features.astype(np.float64) - features.astype(np.float64).mean(axis=0)
    units = wide[rows] / np.linalg.norm(wide[rows], axis=1, keepdims=True)
    found = units @ units.T
    np.fill_diagonal(found, -1)
    return found


@pytest.mark.parametrize("strategy", ALL)
def test_a_batch_has_new_images_without_near_duplicates(full, strategy):
    made = full()
    twice = np.repeat(made.features, 2, axis=0)  # every image is there twice
    labels = np.repeat(made.labelled, 2)
    doubled = Pool(
        twice,
        np.repeat(made.proba, 2, axis=0),
        labels,
        committee=[np.repeat(made.committee[0], 2, 0)],
    )
    chosen = choose(doubled, strategy, 30)
    assert len(chosen) == len(chosen.scores) == len(chosen.strategies) == 30
    assert not labels[chosen.rows].any()
    assert len(set((chosen.rows // 2).tolist())) == 30
    assert cosines(twice, chosen.rows).max() < NEAR_DUPLICATE
    assert set(chosen.strategies) <= set(REASONS)


@pytest.mark.parametrize("strategy", ALL)
def test_the_same_seed_chooses_the_same_and_blocks_change_nothing(full, strategy, monkeypatch):
    made = full()
    first = choose(made, strategy, 25, np.random.default_rng(5))
    monkeypatch.setattr(_space, "BLOCK", 50)
    again = choose(made, strategy, 25, np.random.default_rng(5))
    assert first.rows.tolist() == again.rows.tolist()
    assert first.scores == pytest.approx(again.scores)


@pytest.mark.parametrize("strategy", [name for name in ALL if name != "auto"])
def test_a_batch_larger_than_the_pool_is_all_that_differ(full, strategy):
    made = full(n=30)
    chosen = choose(made, strategy, 1000)
    assert len(chosen) == 25
    assert sorted(chosen.rows.tolist()) == np.flatnonzero(~made.labelled).tolist()


@pytest.mark.parametrize("strategy", ALL)
def test_where_all_is_labelled_nothing_is_chosen(full, strategy):
    made = full()
    done = replace(made, labelled=np.ones(len(made), bool))
    assert len(choose(done, strategy, 5)) == 0


@pytest.mark.parametrize("strategy", ALL)
def test_of_images_that_are_all_the_same_one_is_chosen(full, strategy):
    made = full()
    same = replace(made, features=np.full((120, 6), 0.3, np.float16))
    assert len(choose(same, strategy, 5)) == 1


@pytest.mark.parametrize("strategy", ALL)
def test_a_head_that_is_sure_of_everything_still_gets_a_batch(full, strategy):
    made = full()
    sure = np.eye(3)[np.arange(120) % 3]
    assert len(choose(replace(made, proba=sure, committee=(sure,)), strategy, 8)) == 8


@pytest.mark.parametrize("strategy", ALL)
def test_without_a_head_a_strategy_does_without_or_says_what_to_do(full, strategy):
    cold = replace(full(), proba=None, labelled=None, committee=())
    if strategy in GO_BY_FEATURES:
        assert len(choose(cold, strategy, 8)) == 8
    else:
        with pytest.raises(UsageError, match=r"begin with 'typical'|Fit another head"):
            choose(cold, strategy, 8)


@pytest.mark.parametrize(
    "strategy", ["margin", "entropy", "least-confidence", "disagreement", "density", "coreset"]
)
def test_the_order_of_images_does_not_matter(full, strategy):
    made = full()
    order = np.random.default_rng(1).permutation(len(made))
    turned = Pool(
        made.features[order],
        made.proba[order],
        made.labelled[order],
        committee=[each[order] for each in made.committee],
    )
    found = choose(made, strategy, 20).rows
    assert order[choose(turned, strategy, 20).rows].tolist() == found.tolist()


def test_scores_are_taken_from_the_top_past_near_duplicates(pool):
    made = pool(n=500, dim=3, given=0)
    chosen = choose(made, "margin", 40)
    score, near = margin(made.proba), cosines(made.features, np.arange(500)) >= NEAR_DUPLICATE
    naive: list[int] = []
    for row in np.argsort(-score, kind="stable").tolist():
        if len(naive) < 40 and not near[row, naive].any():
            naive.append(row)
    assert chosen.rows.tolist() == naive
    assert chosen.scores == pytest.approx(score[naive])


def test_what_is_equal_is_drawn_and_not_taken_in_order(pool):
    flat = replace(pool(), proba=np.full((120, 3), 1 / 3))
    draws = {tuple(choose(flat, "margin", 5, np.random.default_rng(s)).rows) for s in range(4)}
    assert len(draws) == 4


def test_a_mixture_divides_the_batch(full):
    made = full()
    chosen = choose(made, "margin+coreset+random", 10)
    assert chosen.strategies == ("margin",) * 4 + ("coreset",) * 3 + ("random",) * 3
    assert chosen.rows[:4].tolist() == choose(made, "margin", 4).rows.tolist()
    assert len(set(chosen.rows.tolist())) == 10


def test_labels_that_are_probably_wrong_are_asked_for_again(pool):
    error = np.zeros(120)
    made = pool(given=20)
    wrong = np.flatnonzero(made.labelled)[[3, 5]]
    error[wrong] = 0.4, 0.9
    chosen = choose(replace(made, label_error=error), "label-error", 10)
    assert chosen.rows.tolist() == wrong[::-1].tolist()
    assert chosen.scores.tolist() == [0.9, 0.4]


def test_strategies_of_several_labels_an_image(pool):
    proba = np.random.default_rng(4).uniform(size=(120, 3))
    made = pool(proba=proba, multi_label=True, committee=(proba[::-1],))
    for strategy in {*ALL, "near-threshold"} - {"margin"}:
        assert len(choose(made, strategy, 6)) == 6
    with pytest.raises(UsageError, match="take 'near-threshold'"):
        choose(made, "margin", 6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"proba": np.zeros((3, 2))}, r"proba has shape \(3, 2\) for 120 images"),
        ({"labelled": np.zeros((120, 2))}, "labelled has shape"),
        ({"committee": (np.zeros(120),)}, "committee 0 has shape"),
        ({"proba": np.full((120, 3), np.nan)}, "proba holds NaN or infinity in rows 0 to 119"),
        ({"label_error": np.full(120, np.inf)}, "label_error holds NaN"),
    ],
)
def test_what_does_not_fit_is_refused(pool, settings, message):
    with pytest.raises(UsageError, match=message):
        pool(**settings)


def test_features_that_are_not_finite_are_refused():
    features = np.zeros((10, 4), np.float16)
    features[7, 2] = np.nan
    with pytest.raises(UsageError, match="features holds NaN or infinity in rows 0 to 9"):
        Pool(features)
    with pytest.raises(UsageError, match="features are of shape"):
        Pool(np.zeros(4))


def test_unknown_strategies_and_empty_batches_are_refused(pool):
    with pytest.raises(UsageError, match=r"no strategy 'luck'; there are: .*margin"):
        parse_strategy("margin+luck")
    with pytest.raises(UsageError, match="1 image or more, got 0"):
        choose(pool(), "random", 0)


def test_every_strategy_is_explained():
    assert set(REASONS) | {"auto"} == set(STRATEGIES)
