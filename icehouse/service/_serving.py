"""The application of those who ask about images; those who review may sit at it, too."""

from __future__ import annotations

import threading

from fastapi import FastAPI

from icehouse.review import QueueOptions
from icehouse.service._settings import ServeSettings
from icehouse.service.desk import Desk, choose_queue
from icehouse.service.http import (
    REVIEWER,
    Explanations,
    Limits,
    People,
    Person,
    Terms,
    add_explanations,
    add_knowledge,
    add_map,
    add_pages,
    add_pictures,
    add_predictions,
    add_review,
    new_app,
)
from icehouse.service.inference import Flags, Service
from icehouse.store import Queues, Store


class Desks:
    """The desk of a service, which is set up when somebody comes who may sit down at it.

    Parameters
    ----------
    service : Service
    number : int, optional
        Of the queue. None: the newest that is not done, and another one when that is; where there
        is none, whoever may review begins one, and readers do not.

    Raises
    ------
    LookupFailed
        The store has no such queue.
    """

    def __init__(self, service: Service, number: int | None = None) -> None:
        self._service = service
        self._number = number
        self._desk: Desk | None = None
        self._lock = threading.Lock()
        if number is not None:
            Queues(service.store.labels).queue(number)

    def __call__(self, person: Person) -> Desk:
        """Return it for a person, or raise LookupFailed where nothing is reviewed yet."""
        store = self._service.store
        with self._lock:
            if self._desk is None or (self._number is None and self._is_done(self._desk)):
                served = self._service.heads.find([])[0]
                options = QueueOptions(task=served.task, head=served.name)
                queue = choose_queue(store, self._number, options, person.may(REVIEWER))
                if self._desk is None or queue.id != self._desk.queue.id:
                    self._desk = Desk(store, queue.id, images=self._service.library.images)
            return self._desk

    def present(self) -> int | None:
        """Return the queue that people are at, if they are at one."""
        return None if self._desk is None else self._desk.queue.id

    def _is_done(self, desk: Desk) -> bool:
        queues = Queues(self._service.store.labels)
        if queues.counts(desk.queue.id)[1]:
            return False
        return any(queues.counts(queue.id)[1] for queue in queues.queues(desk.task.name))


def make_service(
    service: Service,
    people: People | None = None,
    limits: Limits | None = None,
    terms: Terms | None = None,
    queue: int | None = None,
) -> FastAPI:
    """Return the application of a service.

    Parameters
    ----------
    service : Service
        It is closed when the server ends.
    people : People, optional
        Who is let in. By default anybody on this machine, who has to ask by a name of it.
    limits : Limits, optional
    terms : Terms, optional
    queue : int, optional
        Of those who review; see :class:`Desks`.
    """
    people = people or People()
    desks, explanations = Desks(service, queue), Explanations(service)

    def end() -> None:
        explanations.close()
        service.close()

    app = new_app("icehouse", people, limits, service.metrics, end)
    add_predictions(app, service, Flags(service, desks.present), terms or Terms())
    add_explanations(app, service, explanations, terms or Terms())
    add_knowledge(app, service)
    add_pictures(app, service.library.jpeg)
    add_review(app, desks, people)
    add_map(app, desks)
    add_pages(app, {"/": "predict", "/review": "review", "/map": "map"})
    return app


def open_service() -> FastAPI:
    """Return the application that the environment describes, for ``uvicorn --factory``."""
    settings = ServeSettings.of()
    return of_settings(settings, settings.who())


def of_settings(settings: ServeSettings, people: People, store: Store | None = None) -> FastAPI:
    """Return the application that settings describe, of a store that may be open already."""
    store = store or Store.open(settings.store, settings.labels)
    service = Service(store, settings.service())
    return make_service(service, people, settings.limits(), settings.terms(), settings.queue)
