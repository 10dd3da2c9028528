"""A head is fitted again as it was asked for, an ensemble after the heads that it is made of."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from icehouse.embedder import embed, list_source
from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.review import QueueOptions, queue
from icehouse.service.desk import Desk, DeskOptions
from icehouse.service.desk._refit import fit_again
from icehouse.store import Answer, Queues, Store

TASK = "shapes"


def test_an_ensemble_is_fitted_again_with_its_members(reviewed: Store) -> None:
    fit_head(reviewed, "knn", options=FitOptions(folds=3))
    card = fit_head(reviewed, "ensemble", {"method": "stack"}, FitOptions(of=("logistic", "knn")))
    [one, *_] = reviewed.labels.present(TASK)
    reviewed.labels.ensure_task(TASK, "single", ["ring"])
    reviewed.labels.record(TASK, [(one, ("ring",))], annotator="ann", origin="review")
    again = fit_again(reviewed, card)
    assert (again.name, again.members, again.settings["method"]) == (
        "ensemble",
        card.members,
        "stack",
    )
    for name in (*card.members, "ensemble"):
        assert "ring" in load_head(reviewed, TASK, name).card.classes


def test_a_queue_from_before_any_head_gets_its_first_one_from_its_labels(
    pictures: Path, tmp_path: Path, until: Callable[[Callable[[], object]], None]
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for picture in pictures.glob("*/*.png"):
        shutil.copy(picture, flat / f"{picture.parent.name}-{picture.name}")
    store = Store.create(tmp_path / "store")
    report = embed(store, list_source(flat), "descriptor")
    store.labels.ensure_task(TASK, "single", ["disc", "stripes"])
    made = queue(store, QueueOptions(batch=30))
    assert made.items[0].why["strategy"] == "typical"
    desk = Desk(store, made.queue.id, DeskOptions(refit_every=12))
    assert desk.about()["head"] is None
    places = store.places()

    def label(count: int) -> None:
        items, _ = desk.next("ann", count)
        answers = [
            Answer(item["image_id"], image, labels=(places[image].key.split("-")[0],))
            for item in items
            for image in [bytes.fromhex(item["image_id"])]
        ]
        desk.answer("ann", answers)

    label(12)
    until(lambda: desk.refit.points and not desk.refit.running)
    card = load_head(store, TASK, "logistic").card
    assert (card.encoder_id, desk.about()["head"]) == (report.encoder_id, "logistic")
    [point] = desk.refit.points
    assert (point["labels"], point["images"], point["split"]) == (12, 12, "out-of-fold")
    waiting = Queues(store.labels).items(made.queue.id, lacking=True)
    assert len(waiting) == 18
    assert {item.why["strategy"] for item in waiting} == {"herding"}
    assert Desk(store, made.queue.id).about()["head"] == "logistic"  # also when begun again


def test_one_class_is_not_enough_for_a_first_head(
    reviewed: Store, until: Callable[[Callable[[], object]], None]
) -> None:
    reviewed.labels.ensure_task("other", "single", ["disc", "stripes"])
    made = queue(reviewed, QueueOptions(task="other", batch=10))
    desk = Desk(reviewed, made.queue.id)
    items, _ = desk.next("ann", 4)
    images = [bytes.fromhex(item["image_id"]) for item in items]
    desk.answer("ann", [Answer(image.hex(), image, labels=("disc",)) for image in images])
    assert desk.refit_soon()
    until(lambda: not desk.refit.running)
    assert "class" in str(desk.refit.error)
    assert desk.about()["head"] is None
    assert desk.state()["images"] == 10
