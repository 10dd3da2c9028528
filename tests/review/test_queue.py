"""Queues: what is asked about, in which order, and how far people have come."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import choose_encoder, embed, list_source
from icehouse.errors import LookupFailed, UsageError
from icehouse.heads import FitOptions, fit_head
from icehouse.report import new_queue_tables, queue_state_tables
from icehouse.review import (
    QueueOptions,
    agreement,
    krippendorff_alpha,
    queue,
    queue_state,
)
from icehouse.store import Answer, Queues, Store

TASK = "shapes"


@pytest.fixture
def loose(embedded: Store, tmp_path: Path) -> Store:
    """The store of shapes with a head, and a dataset of twelve images without labels."""
    (tmp_path / "loose").mkdir()
    noise = np.random.default_rng(9).integers(0, 256, (12, 40, 40, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / "loose" / f"{number:02}.png")
    embed(embedded, list_source(tmp_path / "loose"), "descriptor", dataset="loose")
    fit_head(embedded, "logistic", options=FitOptions(folds=3))
    return embedded


@pytest.fixture
def doubted(mislabelled: Store, tmp_path: Path) -> Store:
    """A copy of the store in which disc/wrong.png shows stripes."""
    shutil.copytree(mislabelled.path, tmp_path / "doubted")
    return Store.open(tmp_path / "doubted")


def keys(store: Store, items) -> list[str]:
    places = store.places()
    return [places[item.image_id].key for item in items]


def test_images_without_a_label_are_asked_about(loose: Store) -> None:
    made = queue(loose, QueueOptions(batch=8))
    assert len(made.items) == 8
    assert {loose.places()[item.image_id].dataset for item in made.items} == {"loose"}
    assert (made.queue.task, made.queue.strategy) == (TASK, "auto")
    assert made.queue.settings["head"] == "logistic"
    assert made.notes == ()
    for item in made.items:
        assert item.why["strategy"] == "herding"
        assert 0.5 <= item.why["probability"] <= 1
        assert item.why["predicted"] in (["disc"], ["stripes"])
    again = queue(loose, QueueOptions(batch=8))
    assert again.items == made.items
    assert again.notes == (f"8 of these images are in queue {made.queue.id} already",)
    assert again.queue.id == made.queue.id + 1
    assert Queues(loose.labels).lease(made.queue.id, "ann", 8) == list(made.items)


def test_without_a_head_it_begins_with_what_is_typical(store: Store, pictures: Path) -> None:
    embed(store, list_source(pictures), "descriptor", dataset="p")
    store.labels.ensure_task("new", "single", ["a", "b"])
    made = queue(store, QueueOptions(task="new", batch=4))
    assert {item.why["strategy"] for item in made.items} == {"typical"}
    assert "predicted" not in made.items[0].why
    with pytest.raises(UsageError, match="Fit a head first"):
        queue(store, QueueOptions(task="new", strategy="margin"))


def test_where_all_have_labels_those_come_first_that_are_probably_wrong(doubted: Store) -> None:
    made = queue(doubted, QueueOptions(head="logistic", batch=5))
    assert made.queue.strategy == "label-error"
    assert keys(doubted, made.items)[0] == "disc/wrong.png"
    assert "all images have labels" in made.notes[0]
    scores = [item.score for item in made.items]
    assert scores == sorted(scores, reverse=True)


def test_what_a_person_has_said_is_not_asked_again(doubted: Store) -> None:
    options = QueueOptions(head="logistic", strategy="margin", batch=100)
    made = queue(doubted, options)
    first, second, third, *others = (item.image_id for item in made.items)
    queues = Queues(doubted.labels)
    said = [Answer("1", first, labels=("disc",)), Answer("2", second, "unsure")]
    queues.answer(made.queue.id, "ann", [*said, Answer("3", third, "skip")])
    again = queue(doubted, options)
    assert {item.image_id for item in again.items} == {third, *others}
    assert "1 images are left out that somebody could not tell" in again.notes
    queues.undo(made.queue.id, "ann", "4")
    queues.undo(made.queue.id, "ann", "5")
    assert second in {item.image_id for item in queue(doubted, options).items}


def test_when_people_have_seen_everything_that_is_said(doubted: Store) -> None:
    images = [(image, labels) for image, labels in doubted.labels.present(TASK).items()]
    doubted.labels.record(TASK, images, annotator="ann", origin="review")
    with pytest.raises(UsageError, match=r"people have looked at all 40 images.*Embed more"):
        queue(doubted, QueueOptions(head="logistic"))


def test_some_images_go_to_several_reviewers(loose: Store) -> None:
    made = queue(loose, QueueOptions(batch=8, reviewers=3, overlap=2))
    assert sorted(item.reviewers for item in made.items) == [1] * 6 + [3, 3]
    assert {i.reviewers for i in queue(loose, QueueOptions(reviewers=2)).items} == {2}


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch": 0}, "1 image and 1 reviewer or more, got 0 images"),
        ({"overlap": 5}, "--reviewers how many those are, 2 or more, got 1"),
        ({"overlap": 0, "reviewers": 1}, "2 or more, got 1"),
        ({"reviewers": 0}, "got 50 images and 0 reviewers"),
        ({"strategy": "nope"}, "no strategy 'nope'"),
    ],
)
def test_queues_that_cannot_be_are_refused(options, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        QueueOptions(**options)


def test_what_is_not_there_is_said(loose: Store) -> None:
    with pytest.raises(LookupFailed, match="no head 'mlp'"):
        queue(loose, QueueOptions(head="mlp"))
    with pytest.raises(LookupFailed, match="no queue 7"):
        queue_state(loose, 7)


def test_other_tasks_datasets_are_none_of_a_queue(loose: Store, tmp_path: Path) -> None:
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    shutil.copy(tmp_path / "loose" / "00.png", tmp_path / "pets" / "cat" / "0.png")
    Image.new("RGB", (40, 40), "red").save(tmp_path / "pets" / "cat" / "1.png")
    embed(loose, list_source(tmp_path / "pets"), "descriptor")
    made = queue(loose, QueueOptions(task=TASK, batch=20))
    assert len(made.items) <= 12
    assert "cat/1.png" not in keys(loose, made.items)


def test_images_that_wait_in_another_queue_are_counted_until_they_are_answered(
    loose: Store,
) -> None:
    made = queue(loose, QueueOptions(strategy="margin", batch=12))
    queues, number = Queues(loose.labels), made.queue.id
    for place, item in enumerate(made.items[:2]):
        queues.answer(number, "ann", [Answer(str(place), item.image_id, labels=("disc",))])
    assert queues.items(number) == list(made.items)
    assert queues.items(number, lacking=True) == list(made.items[2:])
    loose.labels.ensure_task("pet", "single", ["cat"])
    queues.make("pet", "margin", made.items)  # of another task, which is another question
    again = queue(loose, QueueOptions(strategy="margin", batch=5, task=TASK))
    assert again.notes == (f"5 of these images are in queue {number} already",)


def test_the_encoder_of_a_queue_is_that_of_its_head(loose: Store, pictures: Path) -> None:
    embed(loose, list_source(pictures), "tiny", dataset="p")
    own, other = (choose_encoder(loose, name) for name in ("descriptor", "tiny"))
    with pytest.raises(UsageError, match=f"of encoder {own}, not of {other}; leave --encoder"):
        queue(loose, QueueOptions(encoder="tiny", head="logistic", task=TASK))
    assert queue(loose, QueueOptions(encoder="descriptor", task=TASK)).items


# What is shown.


def test_a_new_queue_says_what_comes_next(loose: Store) -> None:
    made = queue(loose, QueueOptions(batch=4))
    assert new_queue_tables(made, loose)[-1] == "icehouse review 1 opens it in a browser"


def test_the_state_lists_what_is_still_to_be_answered(loose: Store) -> None:
    made = queue(loose, QueueOptions(batch=14, again=True))
    queues, number = Queues(loose.labels), made.queue.id

    def shown() -> list[Any]:
        waiting = queues.items(number, lacking=True)
        return queue_state_tables(queue_state(loose, number), waiting, loose)

    *_, table, more = shown()
    assert (table.title, table.row_count, more) == ("still to be answered", 12, "and 2 more")
    first, second, *others = (
        Answer(str(place), item.image_id, "unsure") for place, item in enumerate(made.items)
    )
    queues.answer(number, "ann", [first, second])
    assert shown()[-1].row_count == 12
    queues.answer(number, "ann", others)
    assert not any("still" in str(getattr(part, "title", "")) for part in shown())


# Where it stands.


def test_the_state_of_a_queue_counts_people_and_labels(loose: Store) -> None:
    made = queue(loose, QueueOptions(batch=4, reviewers=2))
    a, b, c, d = (item.image_id for item in made.items)
    clock = iter(range(0, 10_000, 10))
    queues = Queues(loose.labels, lambda: 1e9 + next(clock))
    tokens = map(str, range(100))

    def says(who: str, image: bytes, label: str) -> None:
        outcome = label if label in ("skip", "unsure") else "label"
        labels = (label,) if outcome == "label" else ()
        queues.answer(made.queue.id, who, [Answer(next(tokens), image, outcome, labels)])

    for image, label in ((a, "disc"), (b, "disc"), (c, "stripes"), (d, "unsure")):
        says("ann", image, label)
    for image, label in ((a, "disc"), (b, "stripes"), (c, "skip")):
        says("bob", image, label)
    state = queue_state(loose, made.queue.id)
    assert (state.images, state.done, state.leased) == (4, 2, 0)
    assert state.labels == {"stripes": 2, "disc": 1}
    ann, bob = state.reviewers
    assert (ann.labelled, ann.skipped, ann.unsure, ann.per_minute) == (3, 0, 1, 6.0)
    assert (bob.labelled, bob.skipped, bob.unsure) == (2, 1, 0)
    (pair,) = state.agreement.pairs
    assert (pair.first, pair.second, pair.images, pair.same) == ("ann", "bob", 2, 1)


# Agreement.


def test_krippendorffs_alpha_is_that_of_his_paper() -> None:
    """Section C of "Computing Krippendorff's alpha-reliability": 12 units, 4 observers, 0.743."""
    rows = {
        "a": "1 2 3 3 2 1 4 1 2 . . .",
        "b": "1 2 3 3 2 2 4 1 2 5 . 3",
        "c": ". 3 3 3 2 3 4 2 2 5 1 .",
        "d": "1 2 3 3 2 4 4 1 2 5 1 .",
    }
    said = {
        unit: {who: text.split()[unit] for who, text in rows.items() if text.split()[unit] != "."}
        for unit in range(12)
    }
    assert krippendorff_alpha(said) == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize("said", [{}, {1: {"a": "x"}}, {1: {"a": "x", "b": "x"}}])
def test_agreement_by_nothing_is_none(said) -> None:
    found = agreement(said)
    assert found.alpha is None
    assert all(pair.kappa is None for pair in found.pairs)


def test_kappa_is_what_is_left_beyond_chance() -> None:
    # Both say x of half: chance alone makes them agree on half of them.
    said = {0: ("x", "x"), 1: ("x", "y"), 2: ("y", "x"), 3: ("y", "y")}
    found = agreement({image: {"a": a, "b": b} for image, (a, b) in said.items()})
    assert [(p.images, p.same, p.kappa) for p in found.pairs] == [(4, 2, 0.0)]
    same = agreement({image: {"a": a, "b": a, "c": a} for image, (a, _) in said.items()})
    assert same.alpha == 1.0
    assert [(p.first, p.second, p.kappa) for p in same.pairs] == [
        ("a", "b", 1.0),
        ("a", "c", 1.0),
        ("b", "c", 1.0),
    ]
