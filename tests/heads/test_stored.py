"""Heads on disk: the same after loading, whole or not there, and never a pickle."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from icehouse.errors import EncoderMismatch, HeadCorrupt, LookupFailed
from icehouse.heads import (
    KINDS,
    FitOptions,
    StoredHead,
    choose_head,
    fit_head,
    folds_of,
    list_heads,
    load_head,
    make_head,
    read_heads,
    save_head,
)
from icehouse.heads._calibration import Temperature
from icehouse.heads._stored_folds import load_folds
from icehouse.store import FeatureMatrix, Store

FEW = {
    "mlp": {"epochs": 5, "hidden": 16},
    "logistic": {},
    "forest": {"n_estimators": 11},
    "xgboost": {"n_estimators": 5},
    "knn": {},
}


@pytest.fixture
def filled(fill, shapes) -> Store:
    return fill(shapes(disc=25, ramp=20, stripes=20))


@pytest.fixture
def things(fill, photo) -> Store:
    """A multi-label task."""
    kinds = [("cat",), ("sun",), ("cat", "sun"), ()]
    photos = [photo(f"{i}", kinds[i % 4]) for i in range(60)]
    return fill(photos, task="things", kind="multi")


def vectors(store: Store) -> FeatureMatrix:
    return store.features("plain-0").load()


def folder(store: Store, task: str = "shapes", name: str = "logistic"):
    return store.path / "heads" / task / name


def renamed(stored: StoredHead, name: str) -> StoredHead:
    card = replace(stored.card, name=name)
    return StoredHead(card, stored.head, stored.conformal, stored.familiarity)


def files(store: Store, **which) -> list[str]:
    return sorted(path.name for path in folder(store, **which).iterdir())


# Saving and loading


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_head_answers_as_the_fitted_one_did(filled, kind):
    card = fit_head(filled, kind, FEW[kind], FitOptions(folds=2))
    stored = load_head(filled, "shapes", kind)
    assert stored.card == card
    assert stored.classes.tolist() == ["disc", "ramp", "stripes"]
    proba = stored.predict_proba(vectors(filled))
    assert proba.dtype == np.float32
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    # Saving what was loaded gives the same weights: nothing was lost.
    again = save_head(filled, renamed(stored, "again"))
    assert again.weights_sha256 == card.weights_sha256
    assert (load_head(filled, "shapes", "again").predict_proba(vectors(filled)) == proba).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_multi_label_head_answers_as_the_fitted_one_did(things, kind):
    card = fit_head(things, kind, FEW[kind])
    stored = load_head(things, "things", kind)
    assert stored.card == card
    assert stored.head.multi_label_
    assert stored.classes.tolist() == ["cat", "sun"]
    again = save_head(things, renamed(stored, "again"))
    assert again.weights_sha256 == card.weights_sha256
    proba = stored.predict_proba(vectors(things))
    assert proba.shape == (60, 2)


def test_probabilities_are_calibrated_by_the_cards_temperature(filled):
    card = fit_head(filled, "logistic")
    head = load_head(filled, "shapes", "logistic").head
    soft = save_head(
        filled, StoredHead(replace(card, name="soft", calibration=Temperature(4.0)), head)
    )
    stored = load_head(filled, "shapes", "soft")
    raw = head.predict_proba(vectors(filled).vectors).astype(np.float64)
    expected = raw**0.25 / (raw**0.25).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(stored.predict_proba(vectors(filled)), expected, atol=1e-6)
    assert soft.calibration == stored.card.calibration == Temperature(4.0)


def test_settings_come_back_with_the_head(filled):
    fit_head(filled, "mlp", {"hidden": "8", "epochs": "2", "mixup": "0.2"})
    head = load_head(filled, "shapes", "mlp").head
    assert (
        head.get_params() == make_head("mlp", {"hidden": 8, "epochs": 2, "mixup": 0.2}).get_params()
    )


def test_answers_are_class_names_with_the_threshold_applied(filled, things):
    fit_head(filled, "logistic", options=FitOptions(task="shapes"))
    stored = load_head(filled, "shapes", "logistic")
    assert stored.answers(np.eye(3)) == [("disc",), ("ramp",), ("stripes",)]
    fit_head(things, "logistic", {"threshold": 0.8}, FitOptions(task="things"))
    stored = load_head(things, "things", "logistic")
    proba = np.array([[0.9, 0.7], [0.8, 0.8], [0.1, 0.79]])
    assert stored.answers(proba) == [("cat",), ("cat", "sun"), ()]


def test_features_of_another_encoder_are_refused(filled):
    fit_head(filled, "logistic")
    stored = load_head(filled, "shapes", "logistic")
    other = replace(vectors(filled), encoder_id="plain-1")
    with pytest.raises(EncoderMismatch, match=r"fitted on features of plain-0, and got .* plain-1"):
        stored.predict_proba(other)


def test_a_head_whose_settings_are_of_another_version_says_so(filled):
    card = fit_head(filled, "mlp", {**FEW["mlp"], "early_stopping": False})
    old = {**card.settings, "decay": "constant"}
    head = load_head(filled, "shapes", "mlp").head
    save_head(filled, StoredHead(replace(card, settings=old), head))
    with pytest.raises(HeadCorrupt, match="is of another version: head 'mlp' has no setting 'deca"):
        load_head(filled, "shapes", "mlp")


# What is on disk


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_the_folder_is_a_pickle_or_can_hold_objects(filled, kind):
    fit_head(filled, kind, FEW[kind], FitOptions(folds=2))
    names = files(filled, name=kind)
    curves = ["json"] if kind == "mlp" else []
    suffixes = [*curves, "json", "json", "parquet", "safetensors"]
    assert [name.rpartition(".")[2] for name in names] == suffixes
    for path in folder(filled, name=kind).iterdir():
        data = path.read_bytes()
        for word in (b"\x80\x04\x95", b"\x80\x05\x95", b"sklearn.", b"__reduce__"):
            assert word not in data
        if path.suffix == ".json":
            json.loads(data)
        elif path.suffix == ".safetensors":
            arrays = safetensors.numpy.load(data)
            assert {array.dtype.kind for array in arrays.values()} <= set("iuf")
            opaque = [name for name, array in arrays.items() if array.dtype == np.uint8]
            assert opaque == (["ubjson"] if kind == "xgboost" else [])
        else:
            types = [str(field.type) for field in pq.read_schema(path)]
            assert types == ["fixed_size_binary[32]", "float", "float", "float"]


def test_metrics_are_kept_beside_the_head(filled):
    card = fit_head(filled, "logistic")
    assert json.loads((folder(filled) / "metrics.json").read_text()) == card.metrics
    head = json.loads((folder(filled) / "head.json").read_text())
    assert head["metrics"] == card.metrics
    assert head["weights"] == card.weights


def test_a_head_that_is_replaced_leaves_no_weights_behind(filled):
    first = fit_head(filled, "logistic", {"C": 0.01})
    second = fit_head(filled, "logistic", {"C": 1.0})
    assert first.weights != second.weights
    assert files(filled) == ["head.json", "metrics.json", second.weights]


def test_fitting_the_same_again_gives_the_same_weights(filled):
    first = fit_head(filled, "logistic")
    assert fit_head(filled, "logistic").weights == first.weights
    assert files(filled) == ["head.json", "metrics.json", first.weights]


def test_a_kill_after_the_weights_leaves_the_old_head_in_use(filled):
    old = fit_head(filled, "logistic", {"C": 0.01})
    before = load_head(filled, "shapes", "logistic").predict_proba(vectors(filled))
    kept = (folder(filled) / "head.json").read_bytes()
    weights = (folder(filled) / old.weights).read_bytes()
    new = fit_head(filled, "logistic", {"C": 1.0})
    # As it is on disk when the new weights are written, and head.json is not yet.
    (folder(filled) / "head.json").write_bytes(kept)
    (folder(filled) / old.weights).write_bytes(weights)
    assert (folder(filled) / new.weights).exists()
    stored = load_head(filled, "shapes", "logistic")
    assert stored.card == old
    assert (stored.predict_proba(vectors(filled)) == before).all()
    assert [card.name for card in list_heads(filled)] == ["logistic"]
    # The next fit sweeps up.
    newest = fit_head(filled, "logistic", {"C": 0.1})
    assert files(filled) == ["head.json", "metrics.json", newest.weights]


def test_a_head_of_which_only_weights_were_written_does_not_exist(filled):
    card = fit_head(filled, "logistic")
    half = filled.path / "heads/shapes/half"
    half.mkdir()
    (half / card.weights).write_bytes((folder(filled) / card.weights).read_bytes())
    assert [card.name for card in list_heads(filled)] == ["logistic"]
    assert choose_head(filled, "shapes").card == card
    with pytest.raises(LookupFailed, match=r"no head 'half'; it has: logistic$"):
        load_head(filled, "shapes", "half")


def test_unfinished_files_are_not_seen(filled):
    card = fit_head(filled, "logistic")
    (folder(filled) / ".tmp-0123.safetensors").write_bytes(b"half")
    assert load_head(filled, "shapes", "logistic").card == card


# Damage


@pytest.mark.parametrize("how", ["a bit flipped", "cut short", "emptied", "appended to"])
def test_weights_that_were_changed_are_refused(filled, how):
    path = folder(filled) / fit_head(filled, "logistic").weights
    data = path.read_bytes()
    changed = {
        "a bit flipped": data[:-3] + bytes([data[-3] ^ 1]) + data[-2:],
        "cut short": data[: len(data) // 2],
        "emptied": b"",
        "appended to": data + b"\0",
    }
    path.write_bytes(changed[how])
    with pytest.raises(HeadCorrupt, match=r"is not what head\.json says it is; fit the head again"):
        load_head(filled, "shapes", "logistic")


def test_weights_that_are_gone_are_named(filled):
    card = fit_head(filled, "logistic")
    (folder(filled) / card.weights).unlink()
    with pytest.raises(HeadCorrupt, match=rf"{card.weights} is gone; fit the head again"):
        load_head(filled, "shapes", "logistic")


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "7", "{}", '{"classes": [], "notes": []}', b"\xff\xfe\x00"],
)
def test_a_head_json_that_is_damaged_is_named(filled, text):
    fit_head(filled, "logistic")
    path = folder(filled) / "head.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(HeadCorrupt, match=r"head\.json is damaged \(.*fit the head again"):
        load_head(filled, "shapes", "logistic")


def test_a_head_json_that_is_cut_short_is_named(filled):
    fit_head(filled, "logistic")
    path = folder(filled) / "head.json"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(HeadCorrupt, match=r"head\.json is damaged \(.*fit the head again"):
        load_head(filled, "shapes", "logistic")


def test_a_damaged_head_is_told_and_the_others_are_read(filled):
    fit_head(filled, "logistic")
    near = fit_head(filled, "knn")
    (folder(filled) / "head.json").write_text("{")
    cards, [damaged] = read_heads(filled)
    assert cards == [near]
    assert "heads/shapes/logistic/head.json is damaged" in str(damaged)
    with pytest.raises(HeadCorrupt, match=r"logistic/head\.json is damaged"):
        list_heads(filled)
    with pytest.raises(LookupFailed, match="choose one with --head: knn, logistic"):
        choose_head(filled, "shapes")


def test_a_card_changed_to_another_kind_is_refused(filled):
    fit_head(filled, "logistic")
    path = folder(filled) / "head.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps({**card, "kind": "knn", "settings": make_head("knn").get_params()}))
    with pytest.raises(HeadCorrupt, match="classes or settings were changed by hand"):
        load_head(filled, "shapes", "logistic")


@pytest.mark.parametrize("what", ["weights", "card"])
def test_a_damaged_head_can_be_fitted_again_as_its_error_says(filled, what):
    card = fit_head(filled, "logistic")
    name = card.weights if what == "weights" else "head.json"
    (folder(filled) / name).write_bytes(b"{")
    fit_head(filled, "logistic")
    assert load_head(filled, "shapes", "logistic").card.weights == card.weights


@pytest.mark.parametrize("classes", [["stripes", "ramp", "disc"], ["disc", "ramp"]])
def test_classes_that_were_changed_by_hand_are_refused(filled, classes):
    fit_head(filled, "logistic")
    path = folder(filled) / "head.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "classes": classes}))
    with pytest.raises(HeadCorrupt, match="classes"):
        load_head(filled, "shapes", "logistic")


# Finding


def test_an_unknown_head_is_refused_with_those_that_there_are(filled):
    with pytest.raises(LookupFailed, match="task 'shapes' has no head 'svm'; it has: none"):
        load_head(filled, "shapes", "svm")
    fit_head(filled, "logistic")
    fit_head(filled, "knn")
    with pytest.raises(LookupFailed, match="no head 'svm'; it has: knn, logistic"):
        load_head(filled, "shapes", "svm")


def test_the_only_head_needs_no_name(filled):
    card = fit_head(filled, "logistic", options=FitOptions(name="mine"))
    assert choose_head(filled, "shapes").card == card
    assert choose_head(filled, "shapes", "mine").card == card


def test_without_a_head_the_error_says_how_to_fit_one(filled):
    with pytest.raises(LookupFailed, match=r"'shapes' has no head\. Fit one: icehouse fit-head"):
        choose_head(filled, "shapes")


def test_several_heads_are_listed_for_a_choice(filled):
    fit_head(filled, "logistic")
    fit_head(filled, "knn")
    with pytest.raises(LookupFailed, match="several heads; choose one with --head: knn, logistic"):
        choose_head(filled, "shapes")


def test_heads_are_listed_by_task_and_name(filled, things):
    assert filled is things  # one store, two tasks
    fit_head(filled, "logistic", options=FitOptions(task="shapes"))
    fit_head(filled, "knn", options=FitOptions(task="shapes"))
    fit_head(filled, "knn", options=FitOptions(task="things"))
    every = [(card.task, card.name) for card in list_heads(filled)]
    assert every == [("shapes", "knn"), ("shapes", "logistic"), ("things", "knn")]
    assert [card.name for card in list_heads(filled, "things")] == ["knn"]
    assert list_heads(filled, "unheard of") == []


def test_a_store_without_heads_lists_none(store):
    assert list_heads(store) == []


# Out-of-fold probabilities


def oof(store: Store, name: str = "logistic"):
    kept = list(folder(store, name=name).glob("oof-*.parquet"))
    assert len(kept) <= 1
    return kept[0] if kept else folder(store, name=name) / "oof-none.parquet"


def test_folds_are_kept_and_used_again_while_nothing_changes(filled):
    card = fit_head(filled, "logistic", options=FitOptions(folds=3))
    stored = load_head(filled, "shapes", "logistic")
    written = oof(filled).stat().st_mtime_ns
    kept = folds_of(filled, stored)
    assert kept.folds == 3
    assert oof(filled).stat().st_mtime_ns == written
    loaded = load_folds(filled, card)
    assert (loaded.ids == kept.ids).all()
    assert (loaded.proba == kept.proba).all()


def test_folds_that_were_not_asked_for_are_made_when_needed_and_kept(filled):
    fit_head(filled, "logistic")
    assert not oof(filled).exists()
    stored = load_head(filled, "shapes", "logistic")
    made = folds_of(filled, stored, folds=2)
    assert made.folds == 2
    assert (made.ids == np.sort(vectors(filled).ids)).all()
    written = oof(filled).stat().st_mtime_ns
    assert (folds_of(filled, stored, folds=2).proba == made.proba).all()
    assert oof(filled).stat().st_mtime_ns == written


def test_folds_are_made_anew_when_a_label_changes(filled, shapes):
    fit_head(filled, "logistic", options=FitOptions(folds=3))
    stored = load_head(filled, "shapes", "logistic")
    before = folds_of(filled, stored)
    image = shapes(disc=1)[0].image_id
    filled.labels.record("shapes", [(image, ("ramp",))], annotator="ann", origin="review")
    after = folds_of(filled, stored)
    assert after.folds == 5
    assert (after.proba != before.proba).any()
    # They are kept under the labels as they are now.
    assert load_folds(filled, stored.card) is None
    assert (folds_of(filled, stored).proba == after.proba).all()


def test_folds_are_made_anew_when_the_settings_change(filled):
    fit_head(filled, "logistic", {"C": 0.01}, FitOptions(folds=3))
    before = folds_of(filled, load_head(filled, "shapes", "logistic"))
    fit_head(filled, "logistic", {"C": 1.0})
    after = folds_of(filled, load_head(filled, "shapes", "logistic"))
    assert after.folds == 5
    assert after.proba.max(axis=1).mean() > before.proba.max(axis=1).mean()


def test_folds_are_used_again_after_fitting_the_same_again(filled):
    fit_head(filled, "logistic", options=FitOptions(folds=3))
    fit_head(filled, "logistic")
    assert folds_of(filled, load_head(filled, "shapes", "logistic")).folds == 3


def test_folds_of_a_multi_label_head_are_kept_too(things):
    fit_head(things, "logistic", options=FitOptions(folds=3))
    stored = load_head(things, "things", "logistic")
    kept = folds_of(things, stored)
    assert kept.folds == 3
    assert kept.proba.shape == (60, 2)


def test_folds_that_are_damaged_are_named(filled):
    card = fit_head(filled, "logistic", options=FitOptions(folds=3))
    oof(filled).write_bytes(oof(filled).read_bytes()[:100])
    with pytest.raises(
        HeadCorrupt, match=r"oof-\w+\.parquet is damaged: .* Remove it and flag again"
    ):
        load_folds(filled, card)
    oof(filled).unlink()
    assert load_folds(filled, card) is None


def test_a_class_that_the_head_does_not_know_is_named_with_what_to_do(filled, photo):
    fit_head(filled, "logistic")
    stored = load_head(filled, "shapes", "logistic")
    image = photo("disc/0").image_id
    filled.labels.ensure_task("shapes", "single", ["blob"])
    filled.labels.record("shapes", [(image, ("blob",))], annotator="ann", origin="review")
    wanted = "'logistic' does not know: blob. Give them images to train on, and fit it again: "
    with pytest.raises(ValueError, match=wanted):
        folds_of(filled, stored)


def test_a_class_may_be_called_as_a_column_is(fill, shapes):
    store = fill(shapes(image_id=20, disc=20))
    fit_head(store, "logistic", options=FitOptions(folds=2))
    kept = folds_of(store, load_head(store, "shapes", "logistic"))
    assert len(kept.ids) == 40
    assert (kept.ids == np.sort(vectors(store).ids)).all()
