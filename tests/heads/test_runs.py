"""Runs: every fit is kept, says the same when it is the same, and can be compared."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from icehouse.errors import HeadCorrupt, LookupFailed, UsageError
from icehouse.heads import (
    KINDS,
    FitOptions,
    Fractions,
    StoredHead,
    diff_runs,
    find_run,
    fit_head,
    list_runs,
    load_head,
    save_head,
    sort_runs,
)
from icehouse.heads._runs import _short, keep_run
from icehouse.store import Store, seal_of, sealed

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
    return fill([photo(f"{i}", kinds[i % 4]) for i in range(60)], task="things", kind="multi")


def paths(store: Store):
    return sorted((store.path / "runs").rglob("*.json"))


def test_every_fit_is_kept_though_its_head_is_replaced(filled):
    first = fit_head(filled, "logistic", {"C": 1.0})
    before = {path: path.read_bytes() for path in paths(filled)}
    second = fit_head(filled, "logistic", {"C": 0.1}, FitOptions(folds=3))
    runs = list_runs(filled).runs
    assert [run.settings["C"] for run in runs] == [1.0, 0.1]
    assert load_head(filled, "shapes", "logistic").card == second
    assert {path: path.read_bytes() for path in before} == before
    assert len(paths(filled)) == 2
    assert runs[0].metrics == first.metrics
    assert runs[1].metrics.keys() == {"train", "val", "test", "out-of-fold"}


def test_a_run_says_all_of_a_fit(filled):
    options = FitOptions(name="near", fractions=Fractions(0.6, 0.2, 0.2), seed=3)
    card = fit_head(filled, "knn", {"k": 3}, options)
    [run] = list_runs(filled).runs
    assert (run.task, run.head, run.kind) == ("shapes", "near", "knn")
    assert run.encoder_id == card.encoder_id
    assert run.settings == card.settings
    assert run.data["digest"] == card.training["digest"]
    assert run.data["images"] == card.training["images"]
    assert run.data["classes"] == ["disc", "ramp", "stripes"]
    assert run.options["seed"] == 3
    assert run.options["fractions"] == {"train": 0.6, "val": 0.2, "test": 0.2}
    assert (run.versions, run.seconds, run.notes) == (card.versions, card.seconds, card.notes)
    assert run.weights_sha256 == card.weights_sha256
    assert run.metrics_sha256 == seal_of(card.metrics)
    assert find_run(filled, run.id) == run


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labels", ["one of three", "several"])
def test_the_same_settings_and_data_give_the_same_numbers_bit_for_bit(filled, things, kind, labels):
    task = "shapes" if labels == "one of three" else "things"
    store = filled if labels == "one of three" else things
    for _ in range(2):
        fit_head(store, kind, FEW[kind], FitOptions(task=task, folds=2, seed=1))
    one, other = list_runs(store, task).runs
    assert one.recipe == other.recipe
    assert one.metrics_sha256 == other.metrics_sha256
    assert one.weights_sha256 == other.weights_sha256
    assert diff_runs(one, other).differences == ()
    assert list_runs(store).notes == ()


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({"C": 0.5}, FitOptions()),
        ({}, FitOptions(seed=1)),
        ({}, FitOptions(fractions=Fractions(0.5, 0.25, 0.25))),
        ({}, FitOptions(folds=2)),
    ],
    ids=["setting", "seed", "split", "folds"],
)
def test_what_decides_the_numbers_makes_another_recipe(filled, settings, options):
    fit_head(filled, "logistic")
    fit_head(filled, "logistic", settings, options)
    one, other = list_runs(filled).runs
    assert one.recipe != other.recipe


def test_another_name_of_the_head_and_the_split_said_aloud_are_the_same_recipe(filled):
    fit_head(filled, "logistic")
    fractions = Fractions(0.8, 0.1, 0.1)
    fit_head(filled, "logistic", options=FitOptions(name="again", fractions=fractions))
    one, other = list_runs(filled).runs
    assert one.recipe == other.recipe


def test_runs_of_one_recipe_that_disagree_are_noted(filled):
    card = fit_head(filled, "logistic")
    wrong = {**card.metrics, "test": {**card.metrics["test"], "top1": 0.5}}
    options = list_runs(filled).runs[0].options
    keep_run(filled, replace(card, metrics=wrong), options)
    found = list_runs(filled)
    [note] = found.notes
    assert note.startswith("same settings and data, other numbers: ")
    assert all(run.id[: found.short] in note for run in found.runs)
    assert note.endswith("of the same versions, so features or hardware are not the same")
    wrong = {**card.metrics, "test": {**card.metrics["test"], "top1": 0.4}}
    keep_run(
        filled, replace(card, metrics=wrong, versions={**card.versions, "torch": "0.1"}), options
    )
    assert list_runs(filled).notes[0].endswith("versions differ: torch")


def test_a_threshold_that_is_set_is_another_recipe(fill, shapes):
    store = fill(shapes(disc=20, stripes=20))
    for threshold in (0.5, 0.9):
        fit_head(store, "logistic", {"threshold": threshold, "C": 1e-4})
    found = list_runs(store)
    one, other = found.runs
    assert one.metrics_sha256 != other.metrics_sha256
    assert one.recipe != other.recipe
    assert found.notes == ()


def test_runs_that_disagree_are_named_with_the_head_of_each(filled):
    card = fit_head(filled, "logistic")
    [first] = list_runs(filled).runs
    wrong = {**card.metrics, "test": {**card.metrics["test"], "top1": 0.5}}
    second = keep_run(filled, replace(card, name="again", metrics=wrong), first.options)
    [note] = list_runs(filled).notes
    assert (
        f"{first.id[:7]} (head logistic of task shapes), "
        f"{second.id[:7]} (head again of task shapes); of the same versions"
    ) in note


def test_runs_are_taken_by_task_and_head_newest_last(filled, photo, fill):
    fill([photo(f"{i}", (("ab", "cd")[i % 2],)) for i in range(30)], dataset="two", task="two")
    fit_head(filled, "knn", options=FitOptions(task="shapes"))
    fit_head(filled, "logistic", options=FitOptions(task="two"))
    fit_head(filled, "logistic", options=FitOptions(task="shapes"))
    assert [(run.task, run.head) for run in list_runs(filled).runs] == [
        ("shapes", "knn"),
        ("two", "logistic"),
        ("shapes", "logistic"),
    ]
    assert [run.head for run in list_runs(filled, "shapes").runs] == ["knn", "logistic"]
    assert [run.task for run in list_runs(filled, head="logistic").runs] == ["two", "shapes"]
    with pytest.raises(LookupFailed, match="no run is of a task 'x'; there are runs of: shapes"):
        list_runs(filled, "x")
    with pytest.raises(LookupFailed, match=r"no run is of a head 'knn'; .* runs of: logistic$"):
        list_runs(filled, "two", "knn")


def test_a_store_without_fits_has_no_runs(store):
    assert list_runs(store).runs == ()
    with pytest.raises(LookupFailed, match=r"no run is of a task 'x'; there are runs of: none$"):
        list_runs(store, "x")
    with pytest.raises(LookupFailed, match="no run begins with 'abc'; icehouse runs lists them"):
        find_run(store, "abc")


# Order


@pytest.fixture
def three(filled):
    """Three runs of a test accuracy of 0.5, 0.9 and 0.7, and one that measured nothing."""
    card = fit_head(filled, "logistic")
    paths(filled)[0].unlink()
    numbers = card.metrics["test"]
    return [
        keep_run(filled, replace(card, metrics=metrics, seconds=seconds), {})
        for metrics, seconds in (
            ({"test": {**numbers, "top1": 0.5, "ece": 0.3}, "val": {**numbers, "top1": 0.8}}, 3.0),
            ({"test": {**numbers, "top1": 0.9, "ece": 0.2}, "val": {**numbers, "top1": 0.7}}, 2.0),
            ({"test": {**numbers, "top1": 0.7, "ece": 0.1, "brier": 0.0}}, 4.0),
            ({}, 1.0),
        )
    ]


@pytest.mark.parametrize(
    ("by", "on", "order"),
    [
        ("time", None, [0, 1, 2, 3]),
        ("top1", None, [1, 2, 0, 3]),
        ("ece", None, [2, 1, 0, 3]),
        ("brier", None, [2, 0, 1, 3]),
        ("seconds", None, [3, 1, 0, 2]),
        ("top1", "val", [0, 1, 2, 3]),
    ],
)
def test_runs_are_sorted_by_time_or_best_first(three, by, on, order):
    shuffled = [three[i] for i in (2, 0, 3, 1)]
    assert [three.index(run) for run in sort_runs(shuffled, by, on)] == order


def test_what_runs_cannot_be_sorted_by_is_said(three):
    with pytest.raises(UsageError, match=r"sorted by 'best'; they can by time, seconds, n, top1"):
        sort_runs(three, "best")
    with pytest.raises(UsageError, match=r"measured on 'tset'; on these they were: test, val"):
        sort_runs(three, "top1", "tset")


# Names


def test_the_beginning_of_an_id_is_enough_where_only_one_begins_so(three, filled):
    assert find_run(filled, three[1].id[:7].upper()) == three[1]
    with pytest.raises(LookupFailed, match=r"no run begins with ''"):
        find_run(filled, "")
    by_digit = {}
    for number in range(17):  # of sixteen digits, so two begin with the same one
        card = load_head(filled, "shapes", "logistic").card
        run = keep_run(filled, card, {"number": number})
        by_digit.setdefault(run.id[0], []).append(run)
    digit = next(digit for digit, runs in by_digit.items() if len(runs) > 1)
    with pytest.raises(LookupFailed, match=rf"'{digit}' is several runs: {digit}.*more digits"):
        find_run(filled, digit)


def test_ids_are_shown_as_long_as_they_have_to_be():
    assert _short([]) == 7
    assert _short(["0123456789abcdef", "1123456789abcdef"]) == 7
    assert _short(["0123456789abcdef", "0123456799abcdef"]) == 9


# Damage


def test_a_damaged_run_is_named_and_passed_over(three, filled):
    where = paths(filled)
    where[0].write_bytes(where[0].read_bytes().replace(b"0.5", b"0.6"))
    where[1].write_bytes(b"")
    where[2].with_name("20200101T000000.000000Z-0123456789abcdef.json").write_bytes(
        where[2].read_bytes()
    )
    (where[0].parent / "notes.json").write_text("mine")
    found = list_runs(filled)
    assert found.runs == tuple(three[2:])
    assert list_runs(filled, head="unknown").damaged == found.damaged  # it may be one of these
    said = "\n".join(found.damaged)
    assert f"{where[0].name}: damaged: it is not what its seal says" in said
    assert f"{where[1].name}: damaged: Expecting value" in said
    assert "0123456789abcdef.json: it is another run than its name says" in said
    with pytest.raises(HeadCorrupt, match=r"not what its seal says.*icehouse fsck --repair"):
        find_run(filled, three[0].id)


def test_a_run_that_lacks_something_is_damaged_and_what_is_new_is_passed_over(three, filled):
    values = json.loads(paths(filled)[0].read_bytes())
    del values["seal"]

    def write(values):
        name = f"runs/shapes/20300101T000000.000000Z-{seal_of(values)[:16]}.json"
        filled.files.commit(name, sealed(values))
        return seal_of(values)[:16]

    lacking = write({k: v for k, v in values.items() if k != "metrics"})
    newer = write({**values, "weather": "cold"})
    found = list_runs(filled)
    assert found.runs[-1].id == newer or newer in {run.id for run in found.runs}
    assert [lacking in each for each in found.damaged] == [True]


# Differences


def test_what_differs_is_named(filled):
    fit_head(filled, "logistic", {"C": 1.0})
    fit_head(filled, "forest", {"n_estimators": 7}, FitOptions(seed=2, folds=2))
    one, other = list_runs(filled).runs
    diff = diff_runs(one, other)
    found = {(d.of, d.name): (d.a, d.b) for d in diff.differences}
    assert found["fit", "kind"] == ("logistic", "forest")
    assert found["settings", "C"] == (1.0, None)
    assert found["settings", "n_estimators"] == (None, 7)
    assert found["options", "seed"] == (0, 2)
    assert found["data", "digest"] == (one.data["digest"], other.data["digest"])
    assert found["metrics", "out-of-fold n"] == (None, 65)
    assert ("fit", "task") not in found
    assert (diff.a, diff.b) == (one.id, other.id)
    assert not diff.same_recipe
    assert not diff.same_metrics


def test_new_labels_are_other_data(filled, fill, shapes):
    fit_head(filled, "logistic")
    fill(shapes(first=100, disc=10))
    fit_head(filled, "logistic")
    diff = diff_runs(*list_runs(filled).runs)
    assert ("data", "images train") in {(d.of, d.name) for d in diff.differences}
    assert not diff.same_recipe


# What a run must not hold


@pytest.mark.parametrize("kind", KINDS)
def test_no_image_id_is_in_a_run(filled, kind):
    fit_head(filled, kind, FEW[kind], FitOptions(folds=2))
    [path] = paths(filled)
    data = path.read_bytes()
    for image in filled.features("plain-0").ids():
        assert image.tobytes().hex().encode() not in data
        assert image.tobytes() not in data
    assert len(data) < 5000


def test_a_head_that_is_only_saved_makes_no_run(filled):
    card = fit_head(filled, "logistic")
    head = load_head(filled, "shapes", "logistic").head
    save_head(filled, StoredHead(replace(card, name="copy"), head))
    assert len(paths(filled)) == 1
