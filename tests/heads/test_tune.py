"""Tuning: what it looks at, what it keeps, and that it loses nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from icehouse.errors import HeadCorrupt, SettingError, TrainingDataError, UsageError
from icehouse.heads import (
    KINDS,
    FitOptions,
    Fractions,
    TuneOptions,
    fit_head,
    load_labelled,
    make_head,
    tune,
)
from icehouse.heads._spaces import SPACES, Pick
from icehouse.store import fsck

pytest.importorskip("optuna")


@pytest.fixture
def filled(fill, shapes, encode_noise):
    """A store of two classes that are hard to tell."""
    photos = shapes(disc=40, ramp=40)
    store = fill(photos, encoder="plain-0")
    encode_noise(store, photos, "hard-0", signal=0.15)
    return store


HARD = FitOptions(encoder="hard-0")


def look(store, kind="knn", settings=None, options=HARD, **tuning):
    return tune(store, kind, settings, options, TuneOptions(**{"trials": 6, **tuning}))


def costs(tuned):
    return [trial.value for trial in tuned.trials]


def test_the_first_trial_is_the_settings_as_given_so_that_nothing_is_lost(filled):
    tuned = look(filled, trials=8)
    plain = make_head("knn").get_params()
    assert tuned.trials[0].settings == {name: plain[name] for name in SPACES["knn"]}
    assert len(tuned.trials) == 8
    best = min(costs(tuned))
    assert best < costs(tuned)[0]
    assert tuned.settings == tuned.ranked[0].settings
    assert tuned.ranked[0].value == best
    assert f"{best:.4f} is the best of 8 trials, {costs(tuned)[0]:.4f}" in tuned.note


def test_validation_and_test_images_take_no_part(filled):
    data = load_labelled(filled, "hard-0", filled.labels.task("shapes"))
    before = look(filled)
    others = [i.tobytes() for i in data.ids[data.split != "train"]]
    assert len(others) == 16
    for image in others:  # all of one class, in word only
        filled.labels.record("shapes", [(image, ("disc",))], annotator="somebody", origin="review")
    from icehouse.heads import _tune

    head, options = make_head("knn"), HARD
    changed = replace(data, y=np.where(data.split == "train", data.y, "disc"))
    said = [
        _tune._try(head, each, options, "log_loss", before.trials[0].settings).value
        for each in (data, changed)
    ]
    assert said == [before.trials[0].value] * 2


def test_what_was_found_is_fitted_and_noted(filled):
    tuned = look(filled)
    card = fit_head(filled, "knn", tuned.settings, replace(HARD, notes=(tuned.note,)))
    assert {name: card.settings[name] for name in tuned.settings} == tuned.settings
    assert card.notes[0] == tuned.note


def test_a_run_that_goes_on_comes_to_what_one_that_was_not_stopped_does(filled):
    first = look(filled, trials=3)
    again = look(filled, trials=7)
    assert again.trials[:3] == first.trials
    filled.files.remove(again.file)
    once = look(filled, trials=7)
    assert [t.settings for t in once.trials] == [t.settings for t in again.trials]
    assert costs(once) == costs(again)
    assert look(filled, trials=4).trials == once.trials  # there are enough


def test_other_data_other_settings_and_another_objective_have_trials_of_their_own(filled):
    files = {
        look(filled, trials=1).file,
        look(filled, trials=1, options=FitOptions(encoder="plain-0")).file,
        look(filled, trials=1, options=replace(HARD, seed=1)).file,
        look(filled, trials=1, options=replace(HARD, balance="weights")).file,
        look(filled, trials=1, settings={"k": 5}).file,
        look(filled, trials=1, objective="accuracy").file,
        look(filled, "logistic", trials=1).file,
    }
    assert len(files) == 7
    assert look(filled, trials=1, settings={"k": "5"}).file in files
    assert not [f for f in fsck(filled.path).findings if f.where.startswith("tuning")]


def test_no_trial_is_begun_when_the_time_is_over(filled):
    assert len(look(filled, trials=20, seconds=1e-9).trials) == 1


def test_settings_that_are_given_are_not_tuned(filled):
    tuned = look(filled, settings={"k": "7", "centre": "false"})
    assert all(list(trial.settings) == ["temperature"] for trial in tuned.trials)
    assert tuned.settings["k"] == "7"


def test_by_accuracy_more_is_better(filled):
    tuned = look(filled, objective="accuracy")
    assert tuned.ranked[0].value == max(costs(tuned))
    assert 0.5 < tuned.ranked[0].value <= 1


def test_progress_says_what_is_best_so_far(filled):
    said = []
    tune(filled, "knn", None, HARD, TuneOptions(trials=3), lambda *each: said.append(each))
    assert [(done, total) for done, total, _ in said] == [(0, 3), (1, 3), (2, 3)]
    assert said[0][2] == "the settings as given"
    assert said[2][2].startswith("log_loss 0.")


def test_several_labels_an_image(fill, photo):
    kinds = [("cat",), ("sun",), ("cat", "sun"), ()]
    store = fill([photo(str(i), kinds[i % 4]) for i in range(60)], task="things", kind="multi")
    tuned = look(store, options=FitOptions())
    assert min(costs(tuned)) <= costs(tuned)[0] < 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_and_all_of_a_space_are_allowed(kind):
    head = make_head(kind)
    for name, where in SPACES[kind].items():
        default = (head.get_params() | head.for_images(100))[name]
        if isinstance(where, Pick):
            ends = where.values
            assert default in ends
        else:
            number = int if where.whole else float
            ends = (number(where.low), number(where.high))
            assert where.low <= default <= where.high
        assert all(head.limits[name].holds(value) for value in ends), name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective": "f1"}, "log_loss or accuracy, not by 'f1'"),
        ({"trials": 0}, "1 trial or more, got 0"),
        ({"seconds": 0.0}, "above 0 seconds, got 0"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(options, words):
    with pytest.raises(UsageError, match=words):
        TuneOptions(**options)


def test_what_has_nothing_to_tune_is_refused(filled):
    with pytest.raises(UsageError, match="'logistic', C is tuned, and all of it is set"):
        look(filled, "logistic", settings={"C": "auto"})
    with pytest.raises(UsageError, match="a head 'ensemble' is not tuned"):
        look(filled, "ensemble")
    with pytest.raises(SettingError, match="no setting 'kk'"):
        look(filled, settings={"kk": 1})


def test_too_few_images_are_refused_and_nothing_is_kept(fill, shapes):
    store = fill(shapes(disc=3, ramp=1))
    with pytest.raises(TrainingDataError, match="cannot be judged by folds"):
        look(store, options=FitOptions(fractions=Fractions(1.0, 0.0, 0.0)))
    assert not (store.path / "tuning").exists()


def test_a_damaged_table_is_named(filled):
    file = look(filled, trials=2).file
    filled.files.commit(file, b'{}\n{"settings": {\n')
    with pytest.raises(HeadCorrupt, match=f"{file} is damaged.*Remove it and tune again"):
        look(filled)
