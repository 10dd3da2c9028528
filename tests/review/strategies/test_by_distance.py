"""Coreset, BADGE and typicality, against implementations that work everything out."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from icehouse.review.strategies import Pool, _distances, choose
from icehouse.review.strategies._badge import residual
from icehouse.review.strategies._distances import Distances
from icehouse.review.strategies._typical import typicality


def naive_coreset(features, known, size):
    points = features.astype(np.float64)
    distance = cdist(points, points)
    chosen: list[int] = []
    if not len(known):
        chosen.append(int(((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin()))
    while len(chosen) < size:
        nearest = distance[:, [*known, *chosen]].min(axis=1)
        chosen.append(int(nearest.argmax()))
    return chosen


@pytest.mark.parametrize("labelled", [0, 1, 7, 300])
@pytest.mark.parametrize("first", [2, 256])
def test_coreset_is_k_center_greedy(pool, labelled, first, monkeypatch):
    monkeypatch.setattr(_distances, "FIRST", first)
    made = pool(n=600, dim=12, given=labelled, seed=3)
    known = np.flatnonzero(made.labelled)
    assert choose(made, "coreset", 50).rows.tolist() == naive_coreset(made.features, known, 50)


def test_the_score_of_coreset_is_the_distance(pool):
    made = pool(n=200, given=1)
    chosen = choose(made, "coreset", 2)
    points = made.features.astype(np.float64)
    known = int(made.labelled.argmax())
    assert chosen.scores[0] == pytest.approx(np.linalg.norm(points - points[known], axis=1).max())


def gradients(pool):
    """What BADGE is about, written down: (n, n_classes * D)."""
    points = pool.features.astype(np.float64)
    points -= points.mean(axis=0)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    sharp = pool.proba**2 / (pool.proba**2).sum(axis=1, keepdims=True)
    q = sharp - np.eye(pool.proba.shape[1])[pool.proba.argmax(axis=1)]
    return (q[:, :, None] * points[:, None, :]).reshape(len(points), -1)


def test_distances_of_gradients_need_no_gradients(pool):
    made = pool(n=80)
    written = gradients(made)
    points = made.features.astype(np.float64) - made.features.astype(np.float64).mean(axis=0)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    q = residual(made.proba, multi_label=False)
    every = np.arange(80)
    found = Distances(lambda r: points[r], lambda r: q[r], free=every, like=points)
    found.add(np.array([3]))
    found.measure_all()
    found.add(np.array([9, 11]))
    found.measure_all()
    wanted = (cdist(written, written)[:, [3, 9, 11]] ** 2).min(axis=1)
    left = np.setdiff1d(every, [3, 9, 11])
    assert found.bound[left] == pytest.approx(wanted[left], rel=1e-6)
    assert (found.bound[[3, 9, 11]] < 0).all()


def test_badge_begins_with_the_longest_gradient(pool):
    made = pool()
    length = np.linalg.norm(gradients(made), axis=1)
    length[made.labelled] = -1
    chosen = choose(made, "badge", 10)
    assert chosen.rows[0] == length.argmax()
    assert chosen.scores == pytest.approx(length[chosen.rows])


@pytest.mark.parametrize("rejected", [1, 64])
def test_badge_draws_by_squared_distance(pool, rejected, monkeypatch):
    """The third image is distributed as by k-means++, given the first two."""
    monkeypatch.setattr(_distances, "REJECTED", rejected)
    made = pool(n=12, given=2, seed=8)
    written = gradients(made)
    counts, second = np.zeros((12, 12)), np.zeros(12)
    for seed in range(1500):
        first, then, last = choose(made, "badge", 3, np.random.default_rng(seed)).rows
        second[then] += 1
        counts[then, last] += 1
    squared = cdist(written, written) ** 2
    squared[:, made.labelled] = 0
    weight = squared[first]
    assert second / 1500 == pytest.approx(weight / weight.sum(), abs=0.05)
    then = second.argmax()
    weight = np.minimum(squared[first], squared[then])
    assert counts[then] / second[then] == pytest.approx(weight / weight.sum(), abs=0.09)


def test_draws_stay_right_when_most_bounds_are_stale():
    """A tight cluster loses all of its weight to the first centre in it."""
    random = np.random.default_rng(0)
    points = np.concatenate([random.normal(size=(900, 3)) * 1e-3 + 5, random.normal(size=(9, 3))])
    found = Distances(lambda r: points[r], free=np.arange(909), like=points)
    found.add(np.array([900]))
    drawn = []
    for _ in range(8):
        drawn.append(found.draw(random))
        found.add(np.array(drawn[-1:]))
    assert len(set(drawn)) == 8
    assert sum(row < 900 for row in drawn) <= 2


def test_nothing_is_drawn_where_nothing_is_left():
    points = np.zeros((5, 2))
    found = Distances(lambda r: points[r], free=np.arange(5), like=points)
    found.add(np.array([0]))
    assert found.draw(np.random.default_rng(0)) == -1
    found.ban(np.arange(5))
    assert found.farthest() == -1


def test_the_farthest_of_equals_is_the_first():
    points = np.array([[0.0], [1.0], [-1.0], [1.0]])
    found = Distances(lambda r: points[r], free=np.arange(4), like=points)
    found.add(np.array([0]))
    found.measure_all()
    assert found.farthest() == 1


def test_typicality_is_by_the_twenty_nearest():
    units = np.random.default_rng(0).normal(size=(60, 4))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    inside = np.arange(5, 60)
    distance = np.sort(cdist(units[inside], units[inside]), axis=1)[:, 1:21]
    assert typicality(units, inside) == pytest.approx(1 / distance.mean(axis=1), rel=1e-4)
    assert typicality(units, inside[:1]).tolist() == [1]


def test_typical_images_are_one_of_each_cluster_without_labels():
    random = np.random.default_rng(1)
    centres = np.eye(8)[:4] * 10
    cluster = np.repeat(np.arange(4), [60, 50, 40, 30])
    features = centres[cluster] + random.normal(size=(180, 8))
    cold = choose(Pool(features), "typical", 4)
    assert sorted(cluster[cold.rows]) == [0, 1, 2, 3]
    known = np.zeros(180, bool)
    known[[0, 70]] = True  # of the first two
    assert sorted(cluster[choose(Pool(features, labelled=known), "typical", 2).rows]) == [2, 3]


def test_typical_images_are_not_at_the_edge():
    random = np.random.default_rng(2)
    features = np.concatenate([random.normal(size=(200, 5)) * 0.3 + 4, [[9, -4, 0, 2, 1]] * 1])
    features = np.concatenate([features, -features])
    rows = choose(Pool(features), "typical", 2).rows
    assert not set(rows.tolist()) & {200, 401}


def test_a_large_pool_is_sampled(pool, monkeypatch):
    from icehouse.review.strategies import _typical

    monkeypatch.setattr(_typical, "SAMPLE", 50)
    chosen = choose(pool(n=400, given=30), "typical", 10)
    assert len(chosen) == 10


@pytest.mark.parametrize("given", [0, 1, 30])
def test_herding_covers_what_is_unsure_greedily(pool, given):
    made = pool(n=300, dim=5, given=given, seed=given)
    points = made.features.astype(np.float64) - made.features.astype(np.float64).mean(axis=0)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    first, second = np.sort(made.proba, axis=1)[:, :-3:-1].T
    weight = 1 - (first - second)
    distance = cdist(points, points)
    known = np.flatnonzero(made.labelled)
    between = distance[np.ix_(known, known)] + np.diag(np.full(len(known), np.inf))
    scale = 2 * np.median(between.min(axis=1)) if given > 1 else 1.0
    like = np.exp(-((distance / scale) ** 2))
    covered = like[:, known].max(axis=1, initial=0)
    chosen = choose(made, "herding", 12)
    for row, score in zip(chosen.rows, chosen.scores, strict=True):
        gains = weight @ np.maximum(like - covered[:, None], 0)
        gains[known] = -np.inf
        assert score == pytest.approx(gains.max(), rel=1e-4)
        assert score == pytest.approx(gains[row], rel=1e-4)
        covered = np.maximum(covered, like[:, row])


def test_herding_of_copies_only_ends(pool):
    made = pool(n=40, given=3)
    alike = np.repeat(made.features[:2], 20, axis=0)
    chosen = choose(Pool(alike, made.proba, made.labelled), "herding", 10)
    assert len(chosen) == 2
