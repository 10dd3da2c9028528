"""Ensembles: what they answer, what they are fitted on, and what is no ensemble."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from icehouse.errors import (
    ExportError,
    LookupFailed,
    MemberChanged,
    SettingError,
    TrainingDataError,
    UnknownHead,
    UsageError,
)
from icehouse.heads import (
    FitOptions,
    Fractions,
    StoredHead,
    export_head,
    fit_head,
    folds_of,
    list_runs,
    load_head,
    make_head,
    training_set,
)
from icehouse.store import fsck, plan_forget

BOTH = ("logistic", "knn")


@pytest.fixture
def filled(fill, shapes):
    """A store of three classes and two heads."""
    store = fill(shapes(disc=20, ramp=20, stripes=20))
    for kind in BOTH:
        fit_head(store, kind)
    return store


def fit(store, of=BOTH, settings=None, **options):
    return fit_head(store, "ensemble", settings, FitOptions(of=of, **options))


def load(store, name="ensemble", task="shapes") -> StoredHead:
    return load_head(store, task, name)


# Answers


def test_a_vote_is_the_mean_of_what_its_members_say(filled):
    card = fit(filled, calibrate="none")
    features = filled.features(card.encoder_id).load()
    each = [load(filled, kind).predict_proba(features) for kind in BOTH]
    assert load(filled).predict_proba(features) == pytest.approx(np.mean(each, axis=0), abs=1e-6)


@pytest.mark.parametrize("method", ["vote", "stack"])
def test_an_ensemble_is_measured_stored_and_noted_as_any_head(filled, method):
    card = fit(filled, settings={"method": method}, folds=3, coverage=0.9)
    assert (card.kind, card.name, card.members) == ("ensemble", "ensemble", BOTH)
    assert list(card.metrics) == ["train", "val", "test", "out-of-fold"]
    assert card.metrics["out-of-fold"]["top1"] > 0.9
    stored = load(filled)
    assert stored.card == card
    data = training_set(filled, card)
    assert folds_of(filled, stored).folds == 3
    [run] = [run for run in list_runs(filled).runs if run.head == "ensemble"]
    assert run.settings["members"] == {
        name: load(filled, name).card.weights_sha256 for name in BOTH
    }
    assert list(card.chosen) == (["C"] if method == "stack" else [])
    assert run.chosen == card.chosen
    again = fit(filled, settings={"method": method}, folds=3, coverage=0.9)
    assert (again.weights_sha256, again.metrics) == (card.weights_sha256, card.metrics)
    assert stored.calibrated(data.X) == pytest.approx(load(filled).calibrated(data.X))


@pytest.mark.parametrize("method", ["vote", "stack"])
def test_labels_that_are_independent_of_each_other(fill, photo, method):
    kinds = [("cat",), ("sun",), ("cat", "sun"), ()]
    store = fill([photo(str(i), kinds[i % 4]) for i in range(60)], task="things", kind="multi")
    for kind in BOTH:
        fit_head(store, kind)
    card = fit(store, settings={"method": method})
    assert card.metrics["test"]["f1"] > 0.7
    proba = load(store, task="things").predict_proba(store.features(card.encoder_id).load())
    assert proba.sum(axis=1).max() > 1.5


def test_stacking_hears_members_on_images_that_they_have_not_learnt(labelled):
    random = np.random.default_rng(0)
    data = labelled(np.array(["a", "b"])[random.integers(0, 2, 300)], noise=8.0)
    new = labelled(np.array(["a", "b"])[random.integers(0, 2, 300)], noise=8.0, seed=1)
    heads = {"memory": make_head("knn", {"k": 1}), "line": make_head("logistic")}
    for head in heads.values():
        head.fit(data.X, data.y)
    assert (heads["memory"].predict(data.X) == data.y).all()
    head = stack_of(heads).fit(data.X, data.y)
    # Heard on what it has memorised, it would be believed in all.
    loss, alone = (
        -np.log(each.predict_proba(new.X)[np.arange(300), (new.y == "b") * 1]).mean()
        for each in (head, heads["line"])
    )
    assert loss < alone + 0.02


def stack_of(heads):
    from icehouse.heads._calibration import Uncalibrated
    from icehouse.heads._ensemble import EnsembleHead, Member

    everything = slice(0, None)
    members = [Member(n, "", head, Uncalibrated(), everything) for n, head in heads.items()]
    return EnsembleHead(tuple(members), "stack")


def test_out_of_fold_members_know_nothing_of_the_fold(fill, photo, shapes, encode_noise):
    photos = shapes(disc=40, stripes=40)
    store = fill(photos)
    noise = encode_noise(store, photos)
    for name, k in (("one", 1), ("two", 2)):
        fit_head(store, "knn", {"k": k}, FitOptions(encoder=noise, name=name))
    card = fit(store, ("one", "two"), folds=4)
    assert card.metrics["train"]["top1"] > 0.9
    assert card.metrics["out-of-fold"]["top1"] < 0.7


def test_a_clone_is_not_fitted_and_the_members_of_the_original_still_are(filled):
    fit(filled)
    head = load(filled).head
    again = clone(head)
    assert [member.name for member in again.members] == list(BOTH)
    assert not any(hasattr(member.head, "classes_") for member in again.members)
    assert all(hasattr(member.head, "classes_") for member in head.members)


# Several encoders


@pytest.fixture
def two_encoders(fill, shapes, encode_noise):
    """Heads on two encoders, of which one says less."""
    photos = shapes(disc=30, ramp=30)
    store = fill(photos)
    other = encode_noise(store, photos, "other-0", signal=0.3)
    fit_head(store, "logistic", options=FitOptions(encoder="plain-0"))
    fit_head(store, "knn", options=FitOptions(encoder=other))
    return store


@pytest.mark.parametrize("method", ["vote", "stack"])
def test_each_member_reads_the_features_of_its_own_encoder(two_encoders, method):
    card = fit(two_encoders, settings={"method": method}, calibrate="none", folds=2)
    assert card.encoder_id == "plain-0+other-0"
    joint = two_encoders.features(card.encoder_id).load()
    assert joint.vectors.shape == (60, 16)
    proba = load(two_encoders).predict_proba(joint)
    assert card.metrics["out-of-fold"]["top1"] > 0.9
    if method == "vote":
        each = []
        for kind in BOTH:
            stored = load(two_encoders, kind)
            features = two_encoders.features(stored.card.encoder_id).load()
            where = [features.ids.tolist().index(i) for i in joint.ids.tolist()]
            each.append(stored.predict_proba(features)[where])
        assert proba == pytest.approx(np.mean(each, axis=0), abs=1e-6)


def test_a_store_with_an_ensemble_of_two_encoders_is_sound(two_encoders, shapes):
    fit(two_encoders, folds=2)
    assert [f.kind for f in fsck(two_encoders.path).findings if "ensemble" in f.where] == []
    plan = plan_forget(two_encoders, ["disc/0"])
    assert "shapes/ensemble" in plan.heads


def test_images_of_one_encoder_only_are_refused_where_they_move_the_split(
    fill, shapes, encode_noise
):
    photos = shapes(disc=30, ramp=30)
    store = fill(photos)
    other = encode_noise(store, photos[:45], "other-0", signal=0.3)
    fit_head(store, "logistic", options=FitOptions(encoder="plain-0"))
    fit_head(store, "knn", options=FitOptions(encoder=other))
    with pytest.raises(TrainingDataError, match="not split as heads of plain-0 know them"):
        fit(store)


# Members that change


def test_a_member_that_was_fitted_again_is_noticed(filled):
    card = fit(filled)
    fit_head(filled, "logistic", {"C": 5.0})
    with pytest.raises(MemberChanged, match=r"made of 'logistic', which was fitted again since"):
        load(filled)
    with pytest.raises(MemberChanged, match=r"--head ensemble --of logistic,knn --task shapes"):
        load(filled)
    assert fit(filled).members == card.members
    assert load(filled).card.kind == "ensemble"


def test_a_member_fitted_again_to_the_same_is_none_that_changed(filled):
    fit(filled)
    fit_head(filled, "logistic")
    assert load(filled).card.kind == "ensemble"


def test_a_member_that_is_gone_is_named(filled):
    fit(filled, name="both")
    filled.files.remove("heads/shapes/knn/head.json")
    with pytest.raises(MemberChanged, match=r"'knn', which is gone.*--task shapes --name both"):
        load(filled, "both")


def test_labels_that_changed_since_are_noticed(filled, fill, shapes):
    fill(shapes(first=100, disc=3), dataset="more")
    with pytest.raises(TrainingDataError, match=r"changed since head 'logistic' was fitted.*fit-h"):
        fit(filled)


# What is refused


@pytest.mark.parametrize(
    ("of", "options", "error", "words"),
    [
        ((), {}, UsageError, "2 different heads or more.*got none"),
        (("knn",), {}, UsageError, "2 different heads or more.*got knn"),
        (("knn", "knn"), {}, UsageError, "2 different heads or more"),
        (("knn", "knn", "logistic"), {}, UsageError, "named twice"),
        (("knn", "forest"), {}, LookupFailed, "no head 'forest'; it has: knn, logistic"),
        (BOTH, {"name": "knn"}, UsageError, "'knn' would replace a head that it is made of"),
        (BOTH, {"balance": "over"}, UsageError, "leave out --balance"),
        (BOTH, {"fractions": Fractions(0.5, 0.3, 0.2)}, UsageError, "leave out --split"),
        (BOTH, {"encoder": "plain-0"}, UsageError, "leave out --encoder"),
        (BOTH, {"seed": 7}, UsageError, "which is 0: leave out --seed"),
    ],
)
def test_what_is_no_ensemble_is_refused(filled, of, options, error, words):
    with pytest.raises(error, match=words):
        fit(filled, of, **options)


def test_heads_of_other_tasks_are_not_found(filled, fill, shapes):
    fill(shapes(disc=20, ramp=20), dataset="other", task="other")
    fit_head(filled, "forest", {"n_estimators": 5}, FitOptions(task="other"))
    with pytest.raises(LookupFailed, match="task 'shapes' has no head 'forest'"):
        fit(filled, ("knn", "forest"), task="shapes")


def test_heads_of_other_classes_are_refused(filled, fill, shapes):
    fill(shapes(first=50, disc=20, waves=20), dataset="more")
    fit_head(filled, "knn", options=FitOptions(dataset="more"))
    with pytest.raises(TrainingDataError, match="'logistic' has disc, ramp, stripes, and 'knn'"):
        fit(filled)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"seed": 1}, "seed 0, and 'knn' 1"), ({"balance": "over"}, "balance none, and 'knn' over")],
)
def test_heads_that_trained_on_other_images_are_refused(filled, options, words):
    fit_head(filled, "knn", options=FitOptions(**options))
    with pytest.raises(TrainingDataError, match=words):
        fit(filled)


def test_an_ensemble_of_ensembles_is_refused(filled):
    fit(filled)
    with pytest.raises(UsageError, match=r"is an ensemble.*made of: logistic,knn"):
        fit(filled, ("ensemble", "knn"), name="more")


def test_an_ensemble_has_few_settings(filled):
    with pytest.raises(SettingError, match="method of head 'ensemble' is one of vote, stack"):
        fit(filled, settings={"method": "mean"})
    with pytest.raises(SettingError, match="given by name: --of"):
        fit(filled, settings={"members": None})
    with pytest.raises(UnknownHead, match="no head 'ensemble'"):
        make_head("ensemble")
    with pytest.raises(UsageError, match="only an ensemble is made of heads, and 'knn' is none"):
        fit_head(filled, "knn", options=FitOptions(of=BOTH))


def test_too_few_images_to_stack_may_vote(fill, shapes):
    store = fill(shapes(disc=2, ramp=1))
    for kind in BOTH:
        fit_head(store, kind, options=FitOptions(fractions=Fractions(1.0, 0.0, 0.0)))
    with pytest.raises(TrainingDataError, match=r"too few images to stack.*--set method=vote"):
        fit(store, settings={"method": "stack"})
    assert fit(store).members == BOTH


def test_an_ensemble_is_not_exported(filled, tmp_path):
    pytest.importorskip("onnxruntime")
    fit(filled)
    with pytest.raises(ExportError, match="a head 'ensemble' cannot be written"):
        export_head(filled, load(filled), str(tmp_path / "both.onnx"))


def test_copies_of_an_image_are_in_one_fold():
    from icehouse.heads._base import Rows
    from icehouse.heads._ensemble import FOLDS, _folds

    groups = np.repeat(np.arange(20), 3)
    fold = _folds(groups % 2, Rows(groups=groups)).reshape(20, 3)
    assert (fold == fold[:, :1]).all()
    for odd in (0, 1):  # each class in all folds alike
        assert np.bincount(fold[odd::2, 0]).tolist() == [2] * FOLDS
