"""What is settled after a fit: on which images, and what is said where there are too few."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from icehouse.errors import UsageError
from icehouse.heads import (
    FitOptions,
    Fractions,
    HeadCard,
    StoredHead,
    fit_head,
    folds_of,
    list_heads,
    load_head,
    make_head,
    save_head,
    training_set,
)
from icehouse.heads._calibration import CALIBRATIONS, Temperature
from icehouse.heads._settle import Wishes, settle
from icehouse.store import seal_of

NO_VAL = Fractions(0.8, 0.0, 0.2)


@pytest.fixture
def filled(fill, shapes):
    return fill(shapes(disc=40, ramp=40, stripes=40))


@pytest.fixture
def binary(fill, shapes):
    return fill(shapes(disc=40, stripes=40))


@pytest.fixture
def things(fill, photo):
    """A multi-label task, of which a third label is rare."""
    kinds = [("cat",), ("sun",), ("cat", "sun"), (), ("cat", "yak")]
    return fill([photo(f"{i}", kinds[i % 5]) for i in range(150)], task="things", kind="multi")


def fit(store, head: str = "logistic", settings=None, **options) -> HeadCard:
    return fit_head(store, head, settings, FitOptions(**options))


def loaded(store, card: HeadCard) -> StoredHead:
    return load_head(store, card.task, card.name)


# Calibration


@pytest.mark.parametrize("kind", CALIBRATIONS)
@pytest.mark.parametrize("task", ["filled", "binary", "things"])
def test_every_calibration_is_kept_and_used(request, task, kind):
    store = request.getfixturevalue(task)
    card = fit(store, calibrate=kind, folds=3, settings={"C": 10.0})
    stored = loaded(store, card)
    assert stored.card == card
    assert card.calibration.kind == kind
    data = training_set(store, card)
    features = store.features(card.encoder_id).load()
    raw = stored.head.predict_proba(features.vectors)
    expected = card.calibration(raw, multi_label=data.y.ndim == 2)
    np.testing.assert_allclose(stored.predict_proba(features), expected, atol=1e-6)
    # Images that took part are judged by others' calibration, of the same kind.
    kept = folds_of(store, stored)
    assert kept.folds == 3
    assert (kept.proba != folds_of(store, stored, folds=4).proba).sum() == 0


@pytest.mark.parametrize(("each", "noted"), [(199, True), (200, False)])
def test_isotonic_on_few_images_is_noted(labelled, each, noted):
    data = labelled(np.array(["a", "b"])[np.arange(40 + each) % 2])
    data = replace(data, split=np.array(["train"] * 40 + ["val"] * each))
    head, wishes = make_head("logistic").fit(data.X[:40], data.y[:40]), Wishes("isotonic")
    notes = settle(head, data, np.array(["a", "b"]), wishes).notes
    assert [f"isotonic on {each} images held out" in note for note in notes] == [True] * noted
    assert settle(head, data, np.array(["a", "b"]), Wishes("vector")).notes == ()


def test_what_is_asked_not_to_be_calibrated_needs_no_note(fill, shapes):
    assert fit(fill(shapes(disc=4, stripes=4)), calibrate="none").notes == ()


def test_folds_of_another_calibration_are_made_anew(filled):
    fit(filled, calibrate="none", folds=3)
    raw = folds_of(filled, load_head(filled, "shapes", "logistic")).proba
    card = fit(filled, calibrate="temperature")
    found = folds_of(filled, loaded(filled, card))
    assert found.folds == 5
    assert found.proba.shape == raw.shape


def test_a_head_of_an_earlier_version_is_read_with_its_temperature(filled):
    card = fit(filled, folds=3)
    folder = filled.path / card.folder
    values = json.loads((folder / "head.json").read_text())
    later = ("calibration", "reliability", "thresholds", "held_out", "coverage", "found")
    for name in ("seal", *later):
        del values[name]
    for row in values["metrics"].values():
        del row["brier"]
    values["temperature"] = 1.75
    (folder / "head.json").write_text(json.dumps({**values, "seal": seal_of(values)}))
    stored = load_head(filled, "shapes", "logistic")
    assert stored.card.calibration == Temperature(1.75)
    assert stored.card.thresholds == ()
    assert stored.card.coverage is None
    assert list_heads(filled) == [stored.card]
    # Its out-of-fold probabilities are still its own.
    assert folds_of(filled, stored).folds == 3


def test_a_head_without_scores_says_what_to_do(filled):
    card = fit(filled)
    stored = StoredHead(card, loaded(filled, card).head)
    with pytest.raises(UsageError, match=r"an earlier version fitted it\. .*fit-head --head logis"):
        stored.sets(np.eye(3), 0.9)


@pytest.mark.parametrize("kind", ["logistic", "ensemble"])
def test_a_head_without_scores_says_which_of_the_reasons_it_has(fill, shapes, kind):
    few = fill(shapes(disc=4, stripes=4), dataset="few", task="few")
    enough = fill(shapes(disc=30, stripes=30), dataset="enough", task="enough")
    for store, task, calibrate, why in (
        (few, "few", "temperature", r"its 8 training images were too few .* Label more, and fit"),
        (few, "few", "none", "its 8 training images were too few"),
        (enough, "enough", "none", "not to be calibrated, .* --calibrate none --coverage 0.9$"),
    ):
        wishes = {"task": task, "dataset": task, "calibrate": calibrate}
        for member in ("logistic", "knn"):
            card = fit(store, member, **wishes, fractions=Fractions(1, 0, 0))
        if kind == "ensemble":
            card = fit(store, kind, task=task, calibrate=calibrate, of=("logistic", "knn"))
        with pytest.raises(UsageError, match=rf"{why}"):
            loaded(store, card).sets(np.eye(2), 0.9)


def test_what_is_said_of_sets_is_said_of_any_coverage_that_is_asked_for(filled):
    stored = loaded(filled, fit(filled, coverage=0.999))
    [note] = stored.set_notes()
    assert note in stored.card.notes
    [other] = stored.set_notes(0.995)
    assert "a coverage of 0.995 takes 199 images held out, and there are 108" in other
    assert stored.set_notes(0.99) == []
    assert loaded(filled, fit(filled)).set_notes() == []


def test_none_does_not_fit_five_times_more_for_nothing(filled):
    card = fit(filled, calibrate="none", fractions=NO_VAL)
    assert card.held_out == {}
    assert loaded(filled, card).conformal is None
    card = fit(filled, calibrate="none", fractions=NO_VAL, coverage=0.9)
    assert card.held_out == {"from": "out-of-fold", "images": 96}


def test_images_that_are_alone_in_their_class_are_not_judged_by_heads_that_lack_it(fill, shapes):
    photos = shapes(disc=20, stripes=20) + shapes(ramp=1) + shapes(blob=1)
    card = fit(fill(photos), fractions=NO_VAL)
    assert card.held_out == {"from": "out-of-fold", "images": 32}
    assert card.calibration.temperature < 3


def test_too_few_images_settle_nothing_and_it_is_said(fill, shapes):
    store = fill(shapes(disc=4, stripes=4))
    card = fit(store, coverage=0.9, threshold="f1")
    assert card.held_out == {}
    assert card.calibration == Temperature(1.0)
    assert card.thresholds == ()
    assert "no images are left to choose a coverage on: label more" in card.notes
    assert "no images are left to choose a threshold on: label more" in card.notes
    assert "not calibrated: no images are held out to do it on; label more" in card.notes
    assert "covered" not in card.metrics["train"]


def test_folds_of_which_one_trains_on_one_class_settle_nothing(fill, photo):
    given = [photo(f"disc/{i}", ("disc",), "train") for i in range(20)]
    store = fill([*given, photo("stripes/0", ("stripes",), "train")])
    assert fit(store).held_out == {}


def test_the_test_split_settles_nothing(fill, photo):
    other = {"disc": "stripes", "stripes": "disc"}
    sides = ["train"] * 20 + ["val"] * 10 + ["test"] * 10
    given = [photo(f"{n}/{i}", (n,), side) for n in other for i, side in enumerate(sides)]
    store = fill(given)
    clean = fit(store, coverage=0.9)
    swapped = [(p.image_id, (other[p.labels[0]],)) for p in given if p.split == "test"]
    store.labels.record("shapes", swapped, annotator="ann", origin="review")
    spoilt = fit(store, coverage=0.9)
    assert spoilt.metrics["test"]["top1"] < 0.2 < 0.8 < clean.metrics["test"]["top1"]
    assert spoilt.calibration == clean.calibration
    assert spoilt.weights_sha256 == clean.weights_sha256


# Thresholds


def test_a_threshold_of_two_classes_is_chosen_kept_and_used(binary):
    card = fit(binary, threshold="precision=0.99", settings={"C": 1e-4})
    (threshold,) = card.thresholds
    assert threshold != 0.5
    assert card.chosen == {"threshold of stripes": threshold}
    stored = loaded(binary, card)
    assert stored.threshold == threshold
    at = np.array([[1 - threshold, threshold], [1 - threshold + 1e-3, threshold - 1e-3]])
    assert stored.answers(at) == [("stripes",), ("disc",)]


def test_each_label_has_its_threshold(things):
    card = fit(things, threshold="f1")
    assert card.classes == ("cat", "sun", "yak")
    assert list(card.chosen) == ["threshold of cat", "threshold of sun", "threshold of yak"]
    assert tuple(card.chosen.values()) == card.thresholds
    stored = loaded(things, card)
    assert stored.threshold.tolist() == list(card.thresholds)
    cat, sun, yak = card.thresholds
    assert stored.answers(np.array([[cat, sun - 1e-3, yak], [0, 0, 0]])) == [("cat", "yak"), ()]


def test_metrics_are_of_the_answers_at_the_thresholds(things):
    settings = {"C": 1e-5}  # hardly anything reaches a half
    plain, chosen = fit(things, settings=settings), fit(things, settings=settings, threshold="f1")
    assert chosen.metrics["val"]["f1"] > plain.metrics["val"]["f1"] + 0.1
    assert chosen.metrics["val"]["auc_roc"] == plain.metrics["val"]["auc_roc"]


def test_a_precision_out_of_reach_is_a_note_that_names_the_label(fill, photo):
    random = np.random.default_rng(0)
    kinds = [("cat",), ("sun",), ("cat", "sun"), ()]
    photos = [photo(f"{i}", kinds[random.integers(4)]) for i in range(80)]
    noisy = [replace(p, labels=tuple({*p.labels} ^ {"sun"})) if i % 2 else p
             for i, p in enumerate(photos)]  # fmt: skip
    store = fill(photos, task="other", kind="multi")
    images = [(p.image_id, q.labels) for p, q in zip(photos, noisy, strict=True)]
    store.labels.record("other", images, annotator="ann", origin="review")
    card = fit(store, "knn", threshold="precision=1", task="other")
    assert any(note.startswith("sun: no threshold reaches precision 1: ") for note in card.notes)


def test_few_validation_images_are_joined_by_training_images_only_for_what_is_asked(binary):
    assert fit(binary).held_out == {"from": "val", "images": 8}
    card = fit(binary, threshold="f1")
    assert card.held_out == {"from": "val and out-of-fold", "images": 72}


def test_a_threshold_of_more_classes_is_refused(filled):
    with pytest.raises(UsageError, match="'shapes' has 3 classes, of which the most probable is"):
        fit(filled, threshold="f1")
    with pytest.raises(UsageError, match="'shapes' has 3 classes, of which the most probable is"):
        fit(filled, settings={"threshold": "0.9"})
    assert list_heads(filled) == []


def test_a_threshold_is_set_or_chosen(binary):
    with pytest.raises(UsageError, match="a threshold is set, or chosen"):
        fit(binary, settings={"threshold": 0.4}, threshold="f1")


# Sets


def test_coverage_and_size_of_sets_are_measured_on_every_split(filled):
    card = fit(filled, coverage=0.9, folds=3)
    stored, data = loaded(filled, card), training_set(filled, card)
    assert card.coverage == 0.9
    for split in ("train", "val", "test"):
        rows = data.split == split
        sets = stored.sets(stored.calibrated(data.X[rows]), 0.9)
        covered = (sets & (data.y[rows, None] == stored.classes)).any(axis=1).mean()
        assert card.metrics[split]["covered"] == pytest.approx(covered)
        assert card.metrics[split]["set_size"] == pytest.approx(sets.sum(axis=1).mean())
    assert card.metrics["out-of-fold"]["covered"] == pytest.approx(0.9, abs=0.08)


def test_sets_of_any_coverage_can_be_had_later(filled):
    stored = loaded(filled, fit(filled, fractions=Fractions(0.5, 0.4, 0.1)))
    proba = stored.predict_proba(filled.features("plain-0").load())
    sizes = [stored.sets(proba, c).sum() for c in (0.5, 0.9, 0.97, 0.999)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == proba.size


def test_a_coverage_that_takes_more_images_is_a_note(filled):
    card = fit(filled, coverage=0.999)
    assert card.notes == (
        "a coverage of 0.999 takes 999 images held out, and there are 108: "
        "every set holds all classes",
    )
    assert card.metrics["test"]["set_size"] == 3


def test_scores_and_distances_are_kept_with_the_weights(filled):
    card = fit(filled)
    stored = loaded(filled, card)
    assert stored.conformal.images == card.held_out["images"] == 12
    assert stored.familiarity.distances.shape == (96,)
    again = save_head(filled, stored)
    assert again.weights_sha256 == card.weights_sha256


# Refusals


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"calibrate": "platt"}, r"by temperature, vector, isotonic, none, not by 'platt'"),
        ({"threshold": "best"}, r"chosen by f1, or by precision=0\.95, .* not by 'best'"),
        ({"seed": -1}, "a seed is a whole number from 0 to 4294967295, got -1"),
        ({"seed": 2**32}, "from 0 to 4294967295, got 4294967296"),
        ({"coverage": 95.0}, r"between 0 and 1, such as 0\.95, got 95"),
    ],
)
def test_what_cannot_be_settled_is_refused_before_anything_is_read(options, what):
    with pytest.raises(UsageError, match=what):
        FitOptions(**options)
