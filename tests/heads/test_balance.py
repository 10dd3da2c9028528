"""Classes of unlike sizes: what is trained on, that it helps, and what is never trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import recall_score
from sklearn.utils.class_weight import compute_sample_weight

from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads import (
    BALANCES,
    CompareOptions,
    FitOptions,
    compare,
    fit_head,
    folds_of,
    load_head,
    make_head,
    training_set,
)
from icehouse.heads._balance import Views, balanced, choose_rows, with_views
from icehouse.store import ids_from_bytes

COUNTS = {"disc": 60, "ramp": 20, "stripes": 10}


@pytest.fixture
def uneven(fill, shapes):
    return fill(shapes(**COUNTS))


def add_views(store, photos, encoder="plain-0", views=6):
    """Views of photos; their first number is 1000 + the view, so that they can be told apart."""
    features = store.features(encoder)
    plain = features.load()
    vectors, ids, numbers = [], [], []
    for photo in photos:
        where = int(np.flatnonzero(plain.ids == ids_from_bytes([photo.image_id])[0])[0])
        for view in range(1, views + 1):
            vector = plain.vectors[where].copy()
            vector[0] = 1000 + view
            vectors.append(vector)
            ids.append(photo.image_id)
            numbers.append(view)
    features.append(ids_from_bytes(ids), np.stack(vectors), "float16", np.array(numbers, np.int16))


def data_of(labelled, *, noise=1.0, **counts):
    counts = counts or COUNTS
    return labelled(np.repeat(list(counts), list(counts.values())), noise=noise)


def sizes(y):
    return dict(zip(*(each.tolist() for each in np.unique(y, return_counts=True)), strict=True))


# What is chosen


def test_balanced_weights_are_those_of_scikit_learn():
    y = np.repeat([0, 1, 2], [60, 20, 10])
    np.testing.assert_allclose(balanced(y), compute_sample_weight("balanced", y))


def test_in_an_indicator_each_label_is_balanced_on_its_own():
    y = np.array([[1, 0], [0, 0], [0, 0], [0, 1]])
    assert balanced(y).tolist() == [[2, 2 / 3], [2 / 3, 2 / 3], [2 / 3, 2 / 3], [2 / 3, 2]]


def test_none_takes_the_images_as_they_are(labelled):
    data = data_of(labelled)
    where = np.arange(90) % 2 == 0
    chosen = choose_rows(data, where, "none", 0)
    assert (data.X[where] == chosen.X).all()
    assert chosen.weight is None
    assert chosen.groups is None


def test_weights_give_every_class_the_same_sum(labelled):
    data = data_of(labelled)
    chosen = choose_rows(data, np.ones(90, bool), "weights", 0)
    sums = [chosen.weight[chosen.y == name].sum() for name in COUNTS]
    np.testing.assert_allclose(sums, 30)


@pytest.mark.parametrize(("balance", "size"), [("over", 60), ("under", 10)])
def test_drawing_makes_classes_of_one_size(labelled, balance, size):
    data = data_of(labelled)
    chosen = choose_rows(data, np.ones(90, bool), balance, 0)
    assert sizes(chosen.y) == dict.fromkeys(COUNTS, size)
    assert (data.X[chosen.groups] == chosen.X).all()
    assert (chosen.y == data.y[chosen.groups]).all()
    # Over: every image at least once. Under: none twice.
    assert len(np.unique(chosen.groups)) == (90 if balance == "over" else 30)
    again, other = (choose_rows(data, np.ones(90, bool), balance, seed) for seed in (0, 1))
    assert (again.groups == chosen.groups).all()
    assert (other.groups != chosen.groups).any()


@pytest.mark.parametrize("balance", BALANCES)
def test_nothing_but_what_trains_is_taken(labelled, balance):
    data = data_of(labelled)
    where = np.arange(90) % 3 > 0
    views = Views(np.arange(90), np.ones(90, np.int64), data.X + 100)
    chosen = choose_rows(replace(data, views=views), where, balance, 0)
    allowed = {row.tobytes() for row in np.concatenate([data.X[where], data.X[where] + 100])}
    assert {row.tobytes() for row in chosen.X} <= allowed


def test_in_multi_label_an_image_counts_for_its_rarest_label(labelled):
    y = np.array([[1, 0]] * 8 + [[1, 1]] * 2 + [[0, 0]] * 4)
    chosen = choose_rows(labelled(y), np.ones(14, bool), "over", 0)
    assert sizes(["".join(map(str, row)) for row in chosen.y]) == {"00": 8, "10": 8, "11": 8}


def test_views_bring_a_class_near_to_the_largest(labelled):
    data = data_of(labelled)
    views = Views(np.repeat(np.arange(90), 9), np.tile(np.arange(1, 10), 90), np.zeros((810, 8)))
    chosen = choose_rows(replace(data, views=views), np.ones(90, bool), "views", 0)
    assert sizes(chosen.y) == dict.fromkeys(COUNTS, 60)
    assert (chosen.X[:90] == data.X).all()
    # Of classes of 60, 20 and 10 the first have no view, the second 2 and the third 5 of each.
    used = np.unique(chosen.groups, return_counts=True)[1]
    assert (used == np.repeat([1, 3, 6], [60, 20, 10])).all()


# Stores


@pytest.mark.parametrize("kind", ["logistic", "mlp", "forest", "xgboost", "knn"])
def test_balancing_helps_the_small_class_of_every_head(labelled, kind):
    data = data_of(labelled, noise=6.0, disc=150, ramp=15)
    train = np.arange(165) % 3 > 0
    settings = {
        "forest": {"n_estimators": 40, "min_samples_leaf": 5},
        "mlp": {"epochs": 15, "hidden": 16, "lr": 0.01},
    }
    recall = {}
    for balance in ("none", "weights", "over", "under"):
        chosen = choose_rows(data, train, balance, 0)
        head = make_head(kind, settings.get(kind))
        head.fit(chosen.X, chosen.y, chosen.weight, chosen.groups)
        predicted = head.predict(data.X[~train])
        recall[balance] = recall_score(data.y[~train], predicted, pos_label="ramp")
    assert min(recall["weights"], recall["over"], recall["under"]) >= recall["none"]
    assert max(recall.values()) > recall["none"]


def test_a_head_says_how_it_was_balanced_and_its_folds_are_too(uneven):
    options = FitOptions(balance="under", folds=3)
    card = fit_head(uneven, "logistic", None, options)
    assert card.training["balance"] == "under"
    train = card.training["images"]["train"]
    assert "classes balanced (under): trained on 24 rows of 24 images" in card.notes
    assert f"{train - 24} images of larger classes were not trained on" in card.notes
    stored = load_head(uneven, "shapes", "logistic")
    kept = folds_of(uneven, stored, folds=3).proba
    plain = fit_head(uneven, "logistic", None, FitOptions(folds=3, name="plain"))
    assert (folds_of(uneven, load_head(uneven, "shapes", plain.name), folds=3).proba != kept).any()
    for path in uneven.path.glob("heads/shapes/logistic/oof-*"):
        path.unlink()
    assert (folds_of(uneven, stored, folds=3).proba == kept).all()


def test_views_of_images_that_train_are_trained_on(uneven, shapes):
    add_views(uneven, shapes(disc=60, ramp=20, stripes=10))
    card = fit_head(uneven, "knn", None, FitOptions(balance="views"))
    head = load_head(uneven, "shapes", "knn").head
    vectors = head.vectors_ @ np.eye(8)
    data = training_set(uneven, card)
    trained = data.split == "train"
    count = {name: int(((data.y == name) & trained).sum()) for name in COUNTS}
    lacking = {name: round(count["disc"] / count[name]) - 1 for name in COUNTS}
    rows = sum(count[name] * (1 + min(lacking[name], 6)) for name in COUNTS)
    assert len(vectors) == rows
    assert (
        f"classes balanced (views): trained on {rows} rows of {trained.sum()} images" in card.notes
    )
    assert np.isin(data.views.row, np.flatnonzero(data.y != "disc")).all()


def test_without_views_the_command_that_makes_them_is_named(uneven):
    with pytest.raises(
        TrainingDataError,
        match=r"no augmented views of the smaller classes.*embed SOURCE --encoder plain-0 "
        "--views 5 --views-for minority",
    ):
        fit_head(uneven, "logistic", None, FitOptions(balance="views"))


def test_classes_of_one_size_need_no_views(fill, shapes):
    store = fill(shapes(disc=20, ramp=20))
    data = training_set(store, fit_head(store, "logistic", None, FitOptions(balance="views")))
    assert with_views(store, data).views is None


def test_views_of_forgotten_images_are_not_loaded(uneven, shapes):
    photos = shapes(stripes=10)
    add_views(uneven, photos, views=2)
    features = uneven.features("plain-0")
    ids = ids_from_bytes(photo.image_id for photo in photos)
    found, numbers = features.load_views(ids[:4])
    assert set(found.ids.tolist()) == set(ids[:4].tolist())
    assert numbers.tolist() == [1, 2] * 4
    assert (found.vectors[:, 0] == 1000 + numbers).all()
    add_views(uneven, photos, views=3)  # a second writer: what is there already counts once
    assert len(features.load_views(ids)[0]) == 30
    features.tombstones.commit(np.sort(ids[:3]), features.shards())
    assert len(features.load_views(ids)[0]) == 21


def test_an_unknown_way_is_refused_with_those_that_there_are(uneven):
    with pytest.raises(UsageError, match="one of none, weights, over, under, views; got 'smote'"):
        fit_head(uneven, "logistic", None, FitOptions(balance="smote"))
    with pytest.raises(UsageError, match="one of none, weights, over, under, views; got 'smote'"):
        compare(uneven, CompareOptions(balances=("none", "smote")))


def test_classes_are_not_weighed_twice(uneven):
    heavy = {"class_weight": "balanced", "epochs": 1}
    with pytest.raises(UsageError, match="weighed twice: leave out --balance weights, or --set"):
        fit_head(uneven, "mlp", heavy, FitOptions(balance="weights"))
    fit_head(uneven, "mlp", heavy, FitOptions(balance="over"))
    fit_head(uneven, "mlp", {"epochs": 1}, FitOptions(balance="weights"))


def test_ways_to_balance_are_compared_side_by_side(uneven):
    options = CompareOptions(heads=("logistic",), balances=("none", "weights", "over", "views"))
    compared = compare(uneven, options)
    assert {each.called for each in compared.contenders} == {
        "logistic",
        "logistic, weights",
        "logistic, over",
    }
    assert {each.balance for each in compared.contenders} == {"none", "weights", "over"}
    assert any("logistic, views on plain-0 was left out" in note for note in compared.notes)
