"""The desk at which people review a queue: what the page asks for, whoever asks."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from icehouse.errors import IcehouseError, UsageError
from icehouse.heads import HeadCard, load_head
from icehouse.review import queue_state
from icehouse.service.desk._atlas import Atlas
from icehouse.service.desk._refit import fit_again, fit_first, head_of, rank_again
from icehouse.service.desk._view import Near, View
from icehouse.service.inference import Images
from icehouse.store import Answer, LabelEvent, LabelState, Queue, QueueItem, Queues, Recorded, Store

CHOSEN = "chosen"
MEASURED = ("val", "out-of-fold")  # what says how a head has come on; the test is for the end


@dataclass(frozen=True)
class DeskOptions:
    """How a desk works.

    Attributes
    ----------
    refit_every : int
        Labels after which the head is fitted again; 0 for only when asked.
    lease_seconds : float
    """

    refit_every: int = 25
    lease_seconds: float = 300.0


@dataclass
class Refit:
    """How the fits of a desk have gone.

    Attributes
    ----------
    running : bool
    points : list of dict
        After each fit: labels in force, accuracy, on which split, of how many images, seconds.
    error : str or None
        Of the last one.
    """

    running: bool = False
    points: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None


class Desk:
    """A queue, its head, and the labels as they change.

    Parameters
    ----------
    store : Store
    number : int
        Of the queue.
    options : DeskOptions, optional
    images : Images, optional
        Where somebody has opened them already.

    Raises
    ------
    LookupFailed
        No such queue.
    """

    def __init__(
        self,
        store: Store,
        number: int,
        options: DeskOptions | None = None,
        images: Images | None = None,
    ) -> None:
        self.store = store
        self.options = options or DeskOptions()
        self.queues = Queues(store.labels)
        self.queue = self.queues.queue(number)
        self.task = store.labels.task(self.queue.task)
        self.images = images or Images(store)
        self.atlas = Atlas(store, self.task.name, self.queue.settings["encoder_id"])
        self.refit = Refit()
        self._labels = LabelState(store.labels, self.task.name)
        self._lock = threading.Lock()
        self._since = 0
        stored = head_of(store, self.queue)
        self._view = View(store, self.task.name, self.queue.settings["encoder_id"], stored)
        if stored is not None:
            self.refit.points.append(self._point(stored.card))

    # What the page shows.

    def about(self) -> dict[str, Any]:
        """Return what does not change from image to image."""
        task = self.store.labels.task(self.task.name)
        stored = self._view.stored
        return {
            "task": task.name,
            "kind": task.kind,
            "classes": list(task.classes),
            "queue": self.queue.id,
            "strategy": self.queue.strategy,
            "head": None if stored is None else stored.card.name,
            "refit_every": self.options.refit_every,
        }

    def next(
        self, reviewer: str, count: int, *, skipped: bool = False
    ) -> tuple[list[dict[str, Any]], int]:
        """Give a reviewer the next images, with all that the page shows of each.

        What was forgotten meanwhile is passed over; and what they have skipped themselves, unless
        it is asked for. Where there are no more, how many these are is returned, too.
        """
        self.images.keep_up()
        seconds = self.options.lease_seconds
        given = self.queues.lease(self.queue.id, reviewer, count, seconds, skipped=skipped)
        left = self.queues.skipped(self.queue.id, reviewer) if len(given) < count else 0
        if any(item.image_id not in self.images for item in given):
            self.images.refresh()  # somebody has sent it meanwhile
        labels = self._labels.in_force()
        return [self._card(item, labels) for item in given if item.image_id in self.images], left

    def jpeg(self, image: bytes, size: int) -> bytes:
        """Return a picture; see :meth:`Images.jpeg`."""
        self.images.keep_up()
        return self.images.jpeg(image, size)

    def state(self) -> dict[str, Any]:
        """Return where the queue stands, who has done what, and how the head has come on."""
        state = asdict(queue_state(self.store, self.queue.id))
        return {**state, "refit": asdict(self.refit)}

    def points(self) -> tuple[dict[str, Any], bytes]:
        """Return the map's points; see :meth:`Atlas.points`."""
        return self.atlas.points(self._view.stored)

    def groups(self, by: str) -> dict[str, Any]:
        """Return the groups of the map's points; see :meth:`Atlas.groups`."""
        return self.atlas.groups(by, self._view.stored)

    def _card(self, item: QueueItem, labels: Mapping[bytes, LabelEvent]) -> dict[str, Any]:
        place = self.images.place(item.image_id)
        by_class, alike = self._view.near(item.image_id, labels)
        event = labels.get(item.image_id)
        return {
            "image_id": item.image_id.hex(),
            "key": place.key,
            "dataset": place.dataset,
            "why": dict(item.why),
            "reviewers": item.reviewers,
            "bars": self._view.bars(item.image_id),
            "said": None if event is None else _said(event),
            "near": {name: self._shown(some) for name, some in by_class.items()},
            "alike": self._shown(alike),
        }

    def _shown(self, some: Sequence[Near]) -> list[dict[str, Any]]:
        return [_near(each) for each in some if each.image_id in self.images]

    # What people do.

    def answer(self, reviewer: str, answers: Sequence[Answer]) -> list[Recorded]:
        """Record answers, each once; see :meth:`Queues.answer`.

        Raises
        ------
        LookupFailed
            An image is not in the queue, or was forgotten.
        UsageError
            A class that the task does not have.
        """
        self.images.keep_up()
        for one in answers:
            self.images.place(one.image_id)
        recorded = self.queues.answer(self.queue.id, reviewer, answers)
        new = sum(not one.again for one in recorded)
        with self._lock:
            self._since += new
            due = 0 < self.options.refit_every <= self._since
        if due:
            self.refit_soon()
        return recorded

    def take_in(self, images: Sequence[bytes]) -> int:
        """Add images to the queue where it lacks them; return how many were added.

        Raises
        ------
        LookupFailed
            One was forgotten.
        """
        return self.queues.add(self.queue.id, self._items(images))

    def new_queue(self, images: Sequence[bytes]) -> Queue:
        """Make a queue of images that somebody has chosen; LookupFailed if one was forgotten."""
        settings = self.queue.settings
        return self.queues.make(self.task.name, CHOSEN, self._items(images), settings)

    def _items(self, images: Sequence[bytes]) -> list[QueueItem]:
        for image in images:
            self.images.place(image)
        return [QueueItem(image, 0.0, {"reason": "chosen on the map"}) for image in images]

    def undo(self, reviewer: str, token: str) -> bytes | None:
        """Take back the last answer of a reviewer; see :meth:`Queues.undo`."""
        self.images.keep_up()
        image = self.queues.undo(self.queue.id, reviewer, token)
        if image is not None and image not in self.images:
            self.queues.withdraw([image])  # it was forgotten, and nobody could answer it again
        return image

    def add_class(self, name: str) -> None:
        """Add a class to the task, or raise UsageError."""
        name = name.strip()
        if not name:
            raise UsageError("a class has a name; got an empty one")
        self.store.labels.ensure_task(self.task.name, self.task.kind, [name])

    # The head.

    def refit_soon(self) -> bool:
        """Begin to fit the head again, or the first; return whether it was begun.

        It is not while that is under way already.
        """
        with self._lock:
            if self.refit.running:
                return False
            self.refit.running, self._since = True, 0
        threading.Thread(target=self._refit, name="refit", daemon=True).start()
        return True

    def _refit(self) -> None:
        _give_way()
        try:
            last = self._view.stored or head_of(self.store, self.queue)  # fitted meanwhile
            card = fit_again(self.store, last.card) if last else fit_first(self.store, self.queue)
            stored = load_head(self.store, card.task, card.name)
            view = View(self.store, self.task.name, card.encoder_id, stored)
            self._view = view
            self.refit.points.append(self._point(card))
            self.images.refresh()
            rank_again(self.store, self.queues, self.queue, card.name)
            self.refit.error = None
        except IcehouseError as error:  # too few images of a class, say: all stays as it was
            self.refit.error = str(error)
        except Exception as error:  # people should know, and whoever runs this see where
            self.refit.error = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.refit.running = False

    def _point(self, card: HeadCard) -> dict[str, Any]:
        found = card.metrics
        some = [name for name in MEASURED if name in found] or list(found.keys() & {"test"})
        split = max(some, key=lambda name: found[name]["n"], default=None)
        return {
            "labels": len(self._labels.in_force()),
            "split": split,
            "accuracy": found[split]["top1"] if split else None,
            "images": found[split]["n"] if split else None,
            "seconds": card.seconds,
        }


def _give_way() -> None:
    """Let this thread, and those that it begins, work only while nobody is waited for."""
    if sys.platform == "linux":  # elsewhere it would be said of the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _said(event: LabelEvent) -> dict[str, Any]:
    return {"labels": list(event.labels or ()), "by": event.annotator, "origin": event.origin}


def _near(near: Near) -> dict[str, Any]:
    return {
        "image_id": near.image_id.hex(),
        "similarity": round(near.similarity, 4),
        "labels": list(near.labels),
    }
