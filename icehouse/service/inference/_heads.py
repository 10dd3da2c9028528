"""Heads at work: each as it stands in the store now, and asked about many images at once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import IcehouseError, LookupFailed, UsageError
from icehouse.heads import head_names, load_head
from icehouse.review import Prediction, Predictor
from icehouse.store import FeatureMatrix, Store, ids_from_bytes

LOG = logging.getLogger(__name__)
DIGITS = 12
BATCH = 256


@dataclass(frozen=True)
class Served:
    """A head as it answers.

    Attributes
    ----------
    task, name : str
    version : str
        Of what ``head.json`` says, which names the weights by their checksum.
    predictor : Predictor
    """

    task: str
    name: str
    version: str
    predictor: Predictor

    @property
    def encoder_id(self) -> str:
        """Of the features that it takes, or of several, joined."""
        return self.predictor.stored.card.encoder_id

    @property
    def path(self) -> str:
        """How it is asked for: ``TASK/NAME``."""
        return f"{self.task}/{self.name}"

    @classmethod
    def load(cls, store: Store, task: str, name: str) -> Served:
        """Load it, and let it answer once, so that nobody waits for what it has to read."""
        try:
            version = version_of(store, task, name)
        except FileNotFoundError:
            load_head(store, task, name)  # it says which heads there are
            raise
        stored = load_head(store, task, name)
        served = cls(task, name, version, Predictor(store, stored))
        ids = ids_from_bytes([bytes(32)])
        blank = np.zeros((1, stored.head.n_features_in_), np.float32)
        served.predictor.predict(FeatureMatrix(stored.card.encoder_id, ids, blank), [""])
        return served


def version_of(store: Store, task: str, name: str) -> str:
    """Return what a head is called as it stands in the store; FileNotFoundError if it does not."""
    return hashlib.sha256(store.files.read(f"heads/{task}/{name}/head.json")).hexdigest()[:DIGITS]


class Heads:
    """The heads that are served.

    Parameters
    ----------
    store : Store
    wanted : sequence of str
        ``TASK/NAME`` each, the first of them for who asks for none; none: all that can be loaded,
        those too that are fitted later.

    Raises
    ------
    UsageError
        One is written otherwise.
    LookupFailed, HeadError
        One that is wanted cannot be loaded.
    """

    def __init__(self, store: Store, wanted: Sequence[str] = ()) -> None:
        self._store = store
        self._wanted = tuple(dict.fromkeys(_split(each) for each in wanted))
        self._served: dict[str, Served] = {}
        for task, name in self._wanted or _every(store):
            try:
                self._served[f"{task}/{name}"] = Served.load(store, task, name)
            except IcehouseError as error:
                if self._wanted:
                    raise
                LOG.warning("head %s/%s is not served: %s", task, name, error)

    def every(self) -> list[Served]:
        """Return all, the one that answers who asks for none first."""
        return list(self._served.values())

    def find(self, paths: Sequence[str]) -> list[Served]:
        """Return some by ``TASK/NAME``, or by the name of the task or head alone where it is one.

        Raises
        ------
        LookupFailed
            No such head is served.
        """
        served = self._served
        if not served:
            raise LookupFailed("no head is served. Fit one: icehouse fit-head")
        if not paths:
            return [next(iter(served.values()))]
        found = []
        for path in paths:
            near = [s for s in served.values() if path in (s.path, s.task, s.name)]
            if path not in served and len(near) != 1:
                raise LookupFailed(
                    f"no head {path[:80]!r} is served; these are: {', '.join(served)}"
                )
            found.append(served.get(path) or near[0])
        return found

    def refresh(self, make_ready: Callable[[str], None]) -> list[str]:
        """Put heads that were fitted again in the place of the old ones, and return which.

        Until the new one is ready, and if it is damaged, the old one answers. One that is gone, as
        a kNN head goes with an image that it remembers, answers no more.

        Parameters
        ----------
        make_ready : callable
            Called with the encoder_id of a new one before it answers.

        Raises
        ------
        StoreError
            The store is not there; all heads answer on.
        """
        changed = []
        known = tuple(_split(path) for path in self._served)
        for task, name in dict.fromkeys([*known, *(self._wanted or _every(self._store))]):
            path = f"{task}/{name}"
            old = self._served.get(path)
            try:
                if old is not None and version_of(self._store, task, name) == old.version:
                    continue
                new = Served.load(self._store, task, name)
                make_ready(new.encoder_id)
            except (FileNotFoundError, LookupFailed):
                if old is not None:
                    self._store.check_format()  # or else the store is gone, and not this head
                    LOG.warning("head %s is gone", path)
                    self._served = {k: v for k, v in self._served.items() if k != path}
                    changed.append(path)
                continue
            except IcehouseError as error:
                LOG.warning("head %s cannot be loaded, the old one answers: %s", path, error)
                continue
            self._served = self._served | {path: new}
            changed.append(path)
        return changed


@dataclass(frozen=True)
class Asked:
    """An image that a head is asked about.

    Attributes
    ----------
    served : Served
    image_id : bytes
    vector : array, shape (D,)
    """

    served: Served
    image_id: bytes
    vector: npt.NDArray[np.floating[Any]]


class HeadWork:
    """Heads as the work of a batcher: one that many images wait for is asked once."""

    full = most = BATCH  # all that wait are asked about together

    def prepare(self, given: Asked) -> Asked:
        """Return it as it is."""
        return given

    def run(self, batch: list[Asked]) -> Sequence[Prediction | Exception]:
        """Ask each head about all its images."""
        answers: dict[int, Prediction | Exception] = {}
        by_head: dict[int, list[int]] = {}
        for row, asked in enumerate(batch):
            by_head.setdefault(id(asked.served), []).append(row)
        for rows in by_head.values():
            answers.update(zip(rows, _ask([batch[row] for row in rows]), strict=True))
        return [answers[row] for row in range(len(batch))]

    def renew(self) -> None:
        """Heads are read when they change, and need nothing."""


def _ask(batch: list[Asked]) -> Sequence[Prediction | Exception]:
    served = batch[0].served
    ids = ids_from_bytes(asked.image_id for asked in batch)
    vectors = np.stack([asked.vector for asked in batch])
    features = FeatureMatrix(served.encoder_id, ids, vectors)
    try:
        return served.predictor.predict(features, [""] * len(batch))
    except Exception as error:  # of one head, which is no trouble of the others
        LOG.exception("head %s has failed", served.path)
        return [error] * len(batch)


def _split(path: str) -> tuple[str, str]:
    task, slash, name = path.partition("/")
    if not (task and slash and name):
        raise UsageError(f"a head is TASK/NAME, got {path!r}")
    return task, name


def _every(store: Store) -> tuple[tuple[str, str], ...]:
    tasks = store.files.folders("heads")
    return tuple((task, name) for task in tasks for name in head_names(store, task))
