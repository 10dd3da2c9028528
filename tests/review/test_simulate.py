"""Replays of active learning: schedules, starts, curves, and what they come to."""

from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest

from icehouse.errors import LookupFailed, TrainingDataError, UnknownHead, UsageError
from icehouse.heads import Fractions
from icehouse.review import SimulateOptions, simulate
from icehouse.review._replay import Known, fit, replay, sizes_of, start_of
from icehouse.review._saving import labels_needed, mean_interval, needed
from icehouse.store import CatalogRow, Store, ids_from_bytes, image_id

DIM = 6


@pytest.fixture(scope="module")
def known() -> Known:
    """Three classes of 8 clusters each, some of which are rare."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(24, DIM)) * 2.5
    share = np.tile([0.3, 0.2, 0.2, 0.1, 0.08, 0.06, 0.04, 0.02], 3) / 3
    cluster = random.choice(24, 700, p=share)
    X = (centres[cluster] + random.normal(size=(700, DIM))).astype(np.float16)
    y = np.array(["a", "b", "c"])[cluster // 8]
    return Known(X[:500], y[:500], X[500:], y[500:])


def in_store(store: Store, known: Known, *, kind: str = "single", split: bool = True) -> Store:
    """A store with these images, as embedding them would have made it."""
    X = np.concatenate([known.X, known.X_test])
    y = np.concatenate([known.y, known.y_test])
    labels = [
        tuple(f"c{i}" for i in np.flatnonzero(row)) if kind == "multi" else (str(row),) for row in y
    ]
    sides = ["train"] * len(known.X) + ["test"] * len(known.X_test)
    images = [image_id(str(number).encode()) for number in range(len(X))]
    store.catalog.append(
        "things",
        [
            CatalogRow(str(number), image, labels=said, split=side if split else None)
            for number, (image, said, side) in enumerate(zip(images, labels, sides, strict=True))
        ],
    )
    features = store.features("plain-0")
    features.describe({"spec": {"dim": DIM}, "request": {"name": "plain"}})
    features.append(ids_from_bytes(images), X, "float16")
    store.labels.ensure_task("things", kind, {name for said in labels for name in said})
    said = list(zip(images, labels, strict=True))
    store.labels.record("things", said, annotator="things", origin="source")
    return store


@pytest.fixture
def things(tmp_path, known) -> Store:
    return in_store(Store.create(tmp_path / "store"), known)


def test_sizes_end_at_the_budget():
    assert sizes_of(20, 20, None) == [20]
    assert sizes_of(5, 12, 3) == [5, 8, 11, 12]
    grown = sizes_of(20, 5000, None)
    assert grown[-1] == 5000
    assert all(after - before >= 10 for before, after in pairwise(grown[:-1]))


def test_a_start_is_drawn_by_its_seed_and_has_two_classes(known):
    first = start_of(known, 12, 3)
    assert len(set(first.tolist())) == 12
    assert first.tolist() == start_of(known, 12, 3).tolist()
    assert first.tolist() != start_of(known, 12, 4).tolist()
    alike = replace(known, y=np.where(np.arange(500) == 77, "b", "a"))
    for seed in range(3):
        start = start_of(alike, 5, seed)
        assert len(set(start.tolist())) == 5
        assert 77 in start


@pytest.mark.parametrize("strategy", ["random", "margin", "auto", "typical+disagreement"])
def test_a_replay_is_what_fitting_step_by_step_gives(known, strategy):
    accuracy = list(replay(known, strategy, "logistic", [10, 30, 500], 1))
    again = list(replay(known, strategy, "logistic", [10, 30, 500], 1))
    assert accuracy == again
    labelled = np.zeros(500, bool)
    labelled[start_of(known, 10, 1)] = True
    assert accuracy[0] == known.accuracy(fit(known, labelled, "logistic", 1))
    everything = fit(known, np.ones(500, bool), "logistic", 1)
    assert accuracy[2] == known.accuracy(everything)


def test_a_pool_of_near_duplicates_is_labelled_to_the_end(known):
    few = Known(known.X[:9].repeat(20, 0), known.y[:9].repeat(20), known.X_test, known.y_test)
    accuracy = list(replay(few, "coreset", "logistic", [20, 120, 180], 0))
    assert accuracy[-1] == few.accuracy(fit(few, np.ones(180, bool), "logistic", 0))


def test_labels_needed_are_interpolated_where_a_curve_first_gets_there():
    sizes = np.array([10.0, 20.0, 40.0, 80.0])
    curves = np.array([[0.1, 0.5, 0.3, 0.9], [0.6, 0.7, 0.8, 0.9], [0, 0.1, 0.2, 0.3]])
    assert labels_needed(sizes, curves, 0.4).tolist() == [17.5, 10, np.inf]


def test_a_saving_is_against_random_and_its_interval_in_pairs():
    sizes = [10, 20, 40]
    # Seeds differ much, but in each the strategy takes half of what random does.
    drawn = np.array([[0.0, 0.3, 0.9], [0.0, 0.7, 0.9]]).repeat(5, 0)
    own = np.array([[0.3, 0.9, 1.0], [0.7, 0.9, 1.0]]).repeat(5, 0)
    found = needed(sizes, own, drawn, 1.0, 0.9)
    assert (found.labels, found.saving) == (20, 0.5)
    assert (found.saving_low, found.saving_high) == (0.5, 0.5)
    assert needed(sizes, drawn, own, 1.0, 0.9).saving == -1


def test_what_is_not_reached_has_no_number():
    sizes, low, high = [10, 20], np.full((4, 2), 0.1), np.full((4, 2), 0.9)
    beyond = needed(sizes, low, high, 1.0, 0.9)
    assert (beyond.labels, beyond.low, beyond.high, beyond.saving) == (None,) * 4
    assert needed(sizes, high, low, 1.0, 0.9).saving is None
    half = np.array([[0.1, 0.1], [0.9, 0.95]])
    spread = needed(sizes, half, half, 1.0, 0.5)
    assert spread.labels == 10
    assert spread.high is None


def test_intervals_are_students_and_one_seed_has_none():
    mean, low, high = mean_interval(np.array([[0.4], [0.6]]))
    assert mean == pytest.approx([0.5])
    assert high - mean == pytest.approx([min(12.706 * 0.1, 0.5)], rel=1e-3)
    assert low == pytest.approx([0.5 - 12.706 * 0.1], rel=1e-3)
    assert np.isnan(mean_interval(np.array([[0.4]]))[1]).all()
    alone = needed([10, 20], np.array([[0.1, 0.9]]), np.array([[0.1, 0.5]]), 1.0, 0.5)
    assert alone.low is alone.high is alone.saving_low is None
    assert alone.saving == pytest.approx(0.25)


def test_strategies_are_replayed_beside_random(things, known):
    calls = []
    options = SimulateOptions(strategies=("margin", "coreset"), seeds=3, budget=90, processes=1)
    found = simulate(things, options, lambda *call: calls.append(call))
    assert {(curve.strategy, curve.head) for curve in found.curves} == {
        ("random", "logistic"),
        ("margin", "logistic"),
        ("coreset", "logistic"),
    }
    assert (found.pool, found.images, found.split, found.encoder) == (500, 200, "test", "plain")
    assert [point.labels for point in found.curves[0].points] == [20, 30, 40, 52, 67, 87, 90]
    assert len({curve.points[0].accuracy for curve in found.curves}) == 1
    full = known.accuracy(fit(known, np.ones(500, bool), "logistic", 0))
    assert all(curve.full == full for curve in found.curves)
    needs = [curve.needed[-1].labels or np.inf for curve in found.curves]
    assert needs == sorted(needs)
    assert [need.share for need in found.curves[0].needed] == [0.9, 0.95]
    drawn = next(curve for curve in found.curves if curve.strategy == "random")
    assert all(need.saving is None for need in drawn.needed)
    assert calls[0] == (0, 9, "logistic, all labels")
    assert [call[:2] for call in calls[1:]] == [(done, 9) for done in range(9)]


def test_processes_change_no_number(things):
    options = SimulateOptions(strategies=("auto",), heads=("knn",), seeds=2, budget=40)
    here = simulate(things, replace(options, processes=1))
    assert asdict(simulate(things, replace(options, processes=2))) == asdict(here)


def test_the_budget_is_what_random_needs(things):
    found = simulate(things, SimulateOptions(strategies=(), seeds=2, processes=1))
    [drawn] = found.curves
    assert drawn.needed[-1].labels is not None
    assert drawn.points[-2].labels < 500


def test_several_heads_have_curves_of_their_own(things):
    options = SimulateOptions(strategies=(), heads=("knn", "logistic"), seeds=1, budget=30)
    found = simulate(things, options)
    assert [curve.head for curve in found.curves] == ["knn", "logistic"]
    assert all(curve.points[0].low is None for curve in found.curves)


def test_several_labels_an_image(tmp_path):
    random = np.random.default_rng(5)
    X = random.normal(size=(260, DIM)).astype(np.float16)
    y = (X[:, :3] > 0).astype(np.int64)
    several = in_store(
        Store.create(tmp_path / "s"), Known(X[:200], y[:200], X[200:], y[200:]), kind="multi"
    )
    options = SimulateOptions(strategies=("auto", "entropy"), seeds=2, budget=60, processes=1)
    found = simulate(several, options)
    assert found.kind == "multi"
    assert all(0 <= p.accuracy <= 1 for curve in found.curves for p in curve.points)
    with pytest.raises(UsageError, match="take 'near-threshold'"):
        simulate(several, replace(options, strategies=("margin",)))


def test_a_budget_beyond_the_pool_is_the_pool(things):
    found = simulate(things, SimulateOptions(strategies=(), seeds=1, batch=400, budget=10_000))
    assert [point.labels for point in found.curves[0].points] == [20, 420, 500]
    assert "500 images, which is less than the budget" in found.notes[-1]


def test_without_a_test_split_the_validation_split_is_measured(tmp_path, known):
    store = in_store(Store.create(tmp_path / "s"), known, split=False)
    fractions = Fractions(0.7, 0.3, 0.0)
    found = simulate(store, SimulateOptions(strategies=(), seeds=1, budget=20, fractions=fractions))
    assert found.split == "val"
    assert "validation split" in found.notes[-1]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"seeds": 0}, UsageError, "seeds is 1 or more, got 0"),
        ({"batch": -3}, UsageError, "batch is 1 or more"),
        ({"start": 1}, UsageError, "2 labels or more to begin with"),
        ({"strategies": ("luck",)}, UsageError, "no strategy 'luck'"),
        ({"strategies": ("margin+label-error",)}, UsageError, "takes all labels for right"),
        ({"heads": ("hat",)}, UnknownHead, "no head 'hat'"),
        ({"task": "other"}, LookupFailed, "other"),
        ({"strategies": ("near-threshold",), "seeds": 1}, UsageError, "Take 'margin'"),
    ],
)
def test_what_cannot_be_replayed_is_refused(things, settings, error, message):
    with pytest.raises(error, match=message):
        simulate(things, SimulateOptions(**{"budget": 30} | settings))


def test_nothing_to_measure_on_is_refused(tmp_path, known):
    store = in_store(Store.create(tmp_path / "s"), known, split=False)
    with pytest.raises(TrainingDataError, match="no image to measure on"):
        simulate(store, SimulateOptions(fractions=Fractions(1, 0, 0)))
