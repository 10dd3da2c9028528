"""Fitting a head from a store: what comes of it, and what is refused."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from icehouse.embedder import EncoderRequest, choose_encoder, embed, list_source
from icehouse.errors import LookupFailed, TrainingDataError, UnknownHead, UsageError
from icehouse.heads import (
    KINDS,
    FitOptions,
    Fractions,
    fit_head,
    fit_temperature,
    folds_of,
    list_heads,
    load_head,
    load_labelled,
    make_head,
    measure,
    out_of_fold,
    training_set,
)

FEW = {
    "mlp": {"epochs": 15, "hidden": 16, "lr": 1e-2, "batch_size": 16},
    "logistic": {},
    "forest": {"n_estimators": 25},
    "xgboost": {"n_estimators": 10},
    "knn": {},
}
NUMBERS = {"n", "top1", "top5", "precision", "recall", "f1", "auc_roc", "log_loss", "ece", "brier"}


@pytest.fixture
def filled(fill, shapes):
    return fill(shapes(disc=30, ramp=30, stripes=30))


def things(fill, photo, n: int = 80, **options):
    kinds = [("cat",), ("sun",), ("cat", "sun"), ()]
    photos = [photo(f"{i}", kinds[i % 4]) for i in range(n)]
    return fill(photos, task="things", kind="multi", **options)


# Pictures to a head


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_in_class_folders_become_a_head(embedded, kind):
    card = fit_head(embedded, kind, options=FitOptions(folds=4))
    assert (card.name, card.kind, card.task, card.task_kind) == (kind, kind, "shapes", "single")
    assert card.encoder_id == choose_encoder(embedded)
    assert card.classes == ("disc", "stripes")
    assert card.settings == make_head(kind).get_params()
    assert card.calibration.kind == "temperature"
    assert 0 < card.calibration.temperature < 20
    assert card.seconds > 0
    assert card.notes == ()
    assert card.training["images"] == {"test": 4, "train": 32, "val": 4}
    assert card.training["digest"] == training_set(embedded, card).digest
    assert (card.training["dataset"], card.training["fractions"]) == (None, None)
    assert card.training["seed"] == 0
    assert {"icehouse", "numpy", "scikit-learn", "torch"} <= set(card.versions)
    assert datetime.datetime.fromisoformat(card.fitted_at).utcoffset() == datetime.timedelta(0)
    assert list(card.metrics) == ["train", "val", "test", "out-of-fold"]
    assert [row["n"] for row in card.metrics.values()] == [32, 4, 4, 40]
    assert {frozenset(row) for row in card.metrics.values()} == {frozenset(NUMBERS)}
    assert card.metrics["out-of-fold"]["top1"] > 0.8
    assert load_head(embedded, "shapes", kind).card == card


@pytest.mark.parametrize("kind", KINDS)
def test_a_multi_label_task_becomes_a_head(fill, photo, kind):
    store = things(fill, photo)
    card = fit_head(store, kind, FEW[kind], FitOptions(folds=2))
    assert card.task_kind == "multi"
    assert card.classes == ("cat", "sun")
    assert [row["n"] for row in card.metrics.values()] == [64, 8, 8, 80]
    assert card.metrics["out-of-fold"]["f1"] > 0.7
    assert card.metrics["out-of-fold"]["top5"] is None


# Numbers


def test_every_row_of_the_metrics_is_that_of_the_loaded_head(filled):
    card = fit_head(filled, "logistic", options=FitOptions(folds=3))
    stored = load_head(filled, "shapes", "logistic")
    data = training_set(filled, card)
    features = filled.features(card.encoder_id).load()
    rows = {i.tobytes(): row for i, row in zip(features.ids, features.vectors, strict=True)}
    assert all((rows[i.tobytes()] == x).all() for i, x in zip(data.ids, data.X, strict=True))
    proba = dict(zip(features.ids.tolist(), stored.predict_proba(features).tolist(), strict=True))
    for split in ("train", "val", "test"):
        here = data.split == split
        answers = np.array([proba[i] for i in data.ids[here].tolist()])
        predicted = stored.classes[answers.argmax(axis=1)]
        expected = measure(data.y[here], answers, predicted, stored.classes)
        assert card.metrics[split] == pytest.approx(asdict(expected), abs=1e-5)
    oof = folds_of(filled, stored).proba
    expected = measure(data.y, oof, stored.classes[oof.argmax(axis=1)], stored.classes)
    assert card.metrics["out-of-fold"] == pytest.approx(asdict(expected), abs=1e-5)


def test_only_the_training_split_is_fitted_on(filled):
    card = fit_head(filled, "knn", {"k": 1})
    arrays = load_head(filled, "shapes", "knn").head.to_arrays()
    assert len(arrays["vectors"]) == card.training["images"]["train"] == 72


def test_the_temperature_is_fitted_on_the_validation_split(filled):
    card = fit_head(filled, "logistic", {"C": 1.0}, FitOptions(fractions=Fractions(0.4, 0.3, 0.3)))
    data = training_set(filled, card)
    stored = load_head(filled, "shapes", "logistic")
    val = data.split == "val"
    raw = stored.head.predict_proba(data.X[val])
    target = np.searchsorted(stored.classes, data.y[val])
    assert card.calibration.temperature == pytest.approx(fit_temperature(raw, target))
    assert abs(card.calibration.temperature - 1) > 0.01
    assert card.held_out == {"from": "val", "images": int(val.sum())}


def test_validation_images_of_classes_that_do_not_train_are_not_calibrated_on(fill, shapes, photo):
    given = [photo(p.key, p.labels, "train") for p in shapes(disc=10, stripes=10)]
    given += [photo(f"{n} {i}", (n,), "val") for n in ("disc", "ramp") for i in range(5)]
    card = fit_head(fill(given), "logistic")
    without = [p for p in given if p.labels != ("ramp",)]
    alone = fit_head(
        fill(without, dataset="alone"), "logistic", options=FitOptions(dataset="alone")
    )
    assert card.calibration == alone.calibration
    assert card.metrics["val"]["n"] == 10


def test_without_validation_images_the_training_split_is_judged_out_of_fold(filled):
    card = fit_head(filled, "logistic", options=FitOptions(fractions=Fractions(0.8, 0.0, 0.2)))
    assert card.held_out == {"from": "out-of-fold", "images": 72}
    data = training_set(filled, card)
    train = data.split == "train"
    some = replace(data, ids=data.ids[train], X=data.X[train], y=data.y[train])
    stored = load_head(filled, "shapes", "logistic")
    raw = out_of_fold(stored.head, some, stored.classes, calibrate="none").proba
    target = np.searchsorted(stored.classes, some.y)
    assert card.calibration.temperature == pytest.approx(fit_temperature(raw, target))
    assert list(card.metrics) == ["train", "test"]
    assert card.training["fractions"] == {"train": 0.8, "val": 0.0, "test": 0.2}


def test_the_threshold_is_that_of_the_numbers(embedded):
    card = fit_head(embedded, "logistic", {"threshold": "0"})
    # Everything is the second class.
    assert card.metrics["train"]["top1"] == 0.5
    assert load_head(embedded, "shapes", "logistic").answers(np.eye(2)) == [("stripes",)] * 2


def test_the_strength_that_was_chosen_is_kept_with_the_head(filled):
    card = fit_head(filled, "logistic", {"C": "auto"})
    assert card.settings["C"] == "auto"
    assert card.found == card.chosen == {"C": load_strength(filled)}
    assert load_head(filled, "shapes", "logistic").card == card
    assert fit_head(filled, "logistic").chosen == {}


def load_strength(store) -> float:
    """Choose it again, on the same images."""
    data = load_labelled(store, "plain-0", store.labels.task("shapes"))
    train = data.split == "train"
    return make_head("logistic", {"C": "auto"}).fit(data.X[train], data.y[train]).C_


def test_without_folds_there_is_no_row_of_them(filled):
    card = fit_head(filled, "logistic")
    assert list(card.metrics) == ["train", "val", "test"]
    assert not list((filled.path / card.folder).glob("oof*"))


# Seeds


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_head(filled, kind):
    first = fit_head(filled, kind, FEW[kind], FitOptions(seed=3, name="one"))
    second = fit_head(filled, kind, FEW[kind], FitOptions(seed=3, name="two"))
    assert first.weights_sha256 == second.weights_sha256
    assert first.metrics == second.metrics
    assert first.calibration == second.calibration


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_another_split_and_head(filled, kind):
    first = fit_head(filled, kind, FEW[kind], FitOptions(name="one"))
    second = fit_head(filled, kind, FEW[kind], FitOptions(seed=1, name="two"))
    assert first.training["digest"] != second.training["digest"]
    assert first.weights_sha256 != second.weights_sha256


def test_the_seed_is_also_the_heads_unless_a_setting_says_otherwise(filled):
    options = FitOptions(seed=3)
    assert fit_head(filled, "forest", FEW["forest"], options).settings["seed"] == 3
    card = fit_head(filled, "forest", {**FEW["forest"], "seed": "7"}, options)
    assert (card.settings["seed"], card.training["seed"]) == (7, 3)


def test_the_training_set_of_a_head_is_found_again(filled):
    options = FitOptions(seed=5, fractions=Fractions(0.6, 0.2, 0.2), dataset="shapes")
    card = fit_head(filled, "logistic", options=options)
    again = training_set(filled, card)
    assert again.digest == card.training["digest"]
    assert int((again.split == "train").sum()) == card.training["images"]["train"] == 54


def test_a_dataset_narrows_what_is_fitted_on(fill, shapes):
    fill(shapes(disc=10, ramp=10), dataset="winter")
    store = fill(shapes(stripes=10, ramp=20), dataset="summer")
    card = fit_head(store, "logistic", options=FitOptions(dataset="winter"))
    assert card.classes == ("disc", "ramp")
    assert card.training["dataset"] == "winter"
    assert sum(card.training["images"].values()) == 20
    assert len(training_set(store, card)) == 20


# Notes and splits


def test_notes_say_what_a_person_should_know(fill, shapes, photo):
    photos = [*shapes(disc=20, stripes=20), photo("late", ("disc",), vector=False)]
    photos += [photo(f"alone {i}", (f"alone {i}",)) for i in range(7)]
    card = fit_head(fill(photos), "logistic")
    alone = ", ".join(f"alone {i}" for i in range(5))
    assert card.notes == (
        "1 labelled images have no features of this encoder",
        f"in the training split only, so not measured: {alone} …",
    )
    assert len(card.classes) == 9


def test_more_neighbours_than_images_are_noted(filled):
    card = fit_head(filled, "knn", {"k": 500})
    assert card.notes == ("k is 500, and there are 72 training images: all of them vote",)
    assert fit_head(filled, "knn", {"k": 72}).notes == ()


def test_a_single_image_that_is_only_measured_is_not_said_to_be_trained(fill, shapes, photo):
    given = [photo(p.key, p.labels, "train") for p in shapes(disc=9, stripes=9)]
    card = fit_head(fill([*given, photo("alone", ("ramp",), "test")]), "logistic")
    assert card.notes == ("in the training split only, so not measured: disc, stripes",)


def test_given_splits_are_used_and_others_than_the_three_only_counted(fill, photo):
    sides = ["train"] * 6 + ["val"] * 2 + ["test", "holdout"]
    photos = [photo(f"{n}/{i}", (n,), s) for n in ("disc", "ramp") for i, s in enumerate(sides)]
    card = fit_head(fill(photos), "logistic")
    assert card.training["images"] == {"holdout": 2, "test": 2, "train": 12, "val": 4}
    assert list(card.metrics) == ["train", "val", "test"]


def test_a_class_that_only_the_test_split_has_counts_as_wrong(fill, shapes, photo):
    given = [photo(p.key, p.labels, "train") for p in shapes(disc=10, stripes=10)]
    given += [photo(f"{n} {i}", (n,), "test") for n in ("disc", "ramp") for i in range(5)]
    card = fit_head(fill(given), "logistic")
    assert card.classes == ("disc", "stripes")
    assert card.metrics["test"]["n"] == 10
    assert card.metrics["test"]["top1"] <= 0.5


@pytest.mark.parametrize("name", ["ramp", "zebra"])
def test_folds_name_a_class_that_only_the_test_split_has(fill, shapes, photo, name):
    given = [photo(p.key, p.labels, "train") for p in shapes(disc=10, stripes=10)]
    given += [photo(f"{n} {i}", (n,), "test") for n in ("disc", name) for i in range(5)]
    with pytest.raises(TrainingDataError, match=name):
        fit_head(fill(given), "logistic", options=FitOptions(folds=2))


def test_metrics_are_json_even_if_no_measured_image_is_of_a_known_class(fill, shapes, photo):
    given = [photo(p.key, p.labels, "train") for p in shapes(disc=10, stripes=10)]
    card = fit_head(fill([*given, *(photo(f"{i}", ("ramp",), "test") for i in range(5))]), "knn")
    text = (fill([]).path / card.folder / "metrics.json").read_text()

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    json.loads(text, parse_constant=refuse)


def test_many_classes_of_few_images_are_fitted_without_a_warning(fill, shapes):
    store = fill(shapes(**{f"kind{i:02d}": 1 + i % 2 for i in range(25)}))
    assert len(fit_head(store, "knn").classes) == 25


def test_a_multi_label_task_of_one_class_is_refused_with_what_to_do(fill, photo):
    photos = [photo(f"{i}", ("cat",) if i % 2 else ()) for i in range(40)]
    store = fill(photos, task="cats", kind="multi")
    with pytest.raises(TrainingDataError, match="one class only: cat"):
        fit_head(store, "logistic")


# Refusals


def test_a_head_of_another_encoder_is_not_replaced(embedded, pictures):
    request = EncoderRequest("descriptor", stored_as="float32")
    embed(embedded, list_source(pictures), request, dataset="shapes")
    first, second = embedded.encoder_ids()
    before = fit_head(embedded, "logistic", options=FitOptions(encoder=first))
    wanted = f"'shapes' has a head 'logistic' already, of encoder {first}.*--name logistic-2"
    with pytest.raises(UsageError, match=wanted):
        fit_head(embedded, "logistic", options=FitOptions(encoder=second))
    assert load_head(embedded, "shapes", "logistic").card == before
    card = fit_head(embedded, "logistic", options=FitOptions(encoder=second, name="logistic-2"))
    assert card.encoder_id == second
    assert [each.name for each in list_heads(embedded)] == ["logistic", "logistic-2"]


def test_a_head_of_the_same_encoder_is_replaced_whatever_its_kind(filled):
    fit_head(filled, "logistic", options=FitOptions(name="mine"))
    assert fit_head(filled, "knn", options=FitOptions(name="mine")).kind == "knn"
    assert [(card.name, card.kind) for card in list_heads(filled)] == [("mine", "knn")]


def test_several_encoders_are_listed_for_a_choice(fill, shapes):
    fill(shapes(disc=5, stripes=5))
    store = fill(shapes(disc=5, stripes=5), encoder="plain-1")
    with pytest.raises(LookupFailed, match="several encoders; choose one with --encoder: plain-0"):
        fit_head(store, "logistic")


def test_a_store_without_labels_is_refused_and_told_how_to_get_some(fill, photo):
    store = fill([photo("a"), photo("b")])
    with pytest.raises(LookupFailed, match=r"the store has no labels\. Embed class folders, or a"):
        fit_head(store, "logistic")
    assert list_heads(store) == []


def test_an_empty_store_is_refused(store):
    with pytest.raises(LookupFailed, match="the store has no labels"):
        fit_head(store, "logistic")


def test_an_unknown_task_is_refused_with_those_that_there_are(filled):
    with pytest.raises(LookupFailed, match="no task 'colour'; it has: shapes"):
        fit_head(filled, "logistic", options=FitOptions(task="colour"))


def test_an_unknown_dataset_is_refused_with_those_that_there_are(filled):
    with pytest.raises(LookupFailed, match="no dataset 'spring'; it has: shapes"):
        fit_head(filled, "logistic", options=FitOptions(dataset="spring"))


def test_an_unknown_head_is_refused_before_anything_is_read(store):
    with pytest.raises(UnknownHead, match="no head 'svm'; there are: mlp"):
        fit_head(store, "svm")


def test_an_unknown_setting_is_refused(filled):
    with pytest.raises(UsageError, match="head 'knn' has no setting 'depth'; it has: centre, k"):
        fit_head(filled, "knn", {"depth": "3"})


def test_a_setting_that_cannot_be_read_is_refused(filled):
    with pytest.raises(UsageError, match="setting k=many: cannot be read as int"):
        fit_head(filled, "knn", {"k": "many"})
    assert list_heads(filled) == []


def test_a_setting_that_is_out_of_range_is_refused(filled):
    with pytest.raises(UsageError, match="C"):
        fit_head(filled, "logistic", {"C": "-1"})


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "a\nb"])
def test_a_name_that_cannot_be_a_folder_is_refused(filled, name):
    with pytest.raises(UsageError, match="cannot be the name of a head"):
        fit_head(filled, "logistic", options=FitOptions(name=name))


def test_one_class_is_refused(fill, shapes):
    with pytest.raises(TrainingDataError, match=r"2 classes or more, got 1 class: .*'disc'"):
        fit_head(fill(shapes(disc=10)), "logistic")


def test_a_source_that_leaves_nothing_to_train_on_is_refused(fill, shapes, photo):
    given = [photo(p.key, p.labels, "test") for p in shapes(disc=3, stripes=3)]
    given += [photo("v", ("disc",), "val")]
    with pytest.raises(TrainingDataError, match=r"leaves no image to train on; .*: test, val$"):
        fit_head(fill(given), "logistic")


@pytest.mark.parametrize("folds", [1, -3, 1000])
def test_folds_that_cannot_be_made_are_refused_and_nothing_is_kept(filled, folds):
    with pytest.raises(
        (UsageError, TrainingDataError),
        match=f"take 2 folds or more, got {folds}|{folds} folds of 90",
    ):
        fit_head(filled, "logistic", options=FitOptions(folds=folds))
    assert list_heads(filled) == []


def test_a_head_that_cannot_be_fitted_leaves_the_one_before_in_place(filled):
    before = fit_head(filled, "logistic")
    with pytest.raises(
        ValueError, match="setting schedule of head 'mlp' is one of cosine, step, none"
    ):
        fit_head(filled, "mlp", {"schedule": "linear"}, FitOptions(name="logistic"))
    assert load_head(filled, "shapes", "logistic").card == before


def test_labels_corrected_since_are_fitted_on(filled, shapes):
    before = fit_head(filled, "logistic")
    image = shapes(disc=1)[0].image_id
    filled.labels.record("shapes", [(image, ("ramp",))], annotator="ann", origin="review")
    after = fit_head(filled, "logistic")
    assert after.training["digest"] != before.training["digest"]
    data = load_labelled(filled, after.encoder_id, filled.labels.task("shapes"))
    assert data.digest == after.training["digest"]
    assert {i.tobytes(): y for i, y in zip(data.ids, data.y, strict=True)}[image] == "ramp"
