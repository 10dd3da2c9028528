"""The routes that say what there is: tasks and heads, images of the store, health and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import FastAPI, Response

from icehouse.service.http._door import asks, refusals
from icehouse.service.http._errors import without_paths
from icehouse.service.http._models import (
    HeadOut,
    KnownOut,
    LabelOut,
    PlaceOut,
    ReadyOut,
    TaskOut,
    TasksOut,
)
from icehouse.service.http._people import READER
from icehouse.service.http._schema import image_id_of
from icehouse.service.inference import CONTENT_TYPE, Served, Service

PLACE = list(PlaceOut.model_fields)
TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}}}}
SPLITS = ("test", "val", "out-of-fold", "train")


def add_knowledge(app: FastAPI, service: Service) -> None:
    """Add the routes.

    Parameters
    ----------
    app : FastAPI
    service : Service
    """
    reader = [asks(READER)]

    @app.get("/v1/tasks", dependencies=reader, responses=refusals())
    def tasks() -> TasksOut:
        """The questions, their classes, and the heads that answer them."""
        served = service.heads.every()
        known = service.store.labels.tasks() if service.store.has_labels else []
        return TasksOut(
            default=served[0].path if served else None,
            tasks=[
                TaskOut(
                    task=task.name,
                    kind="multi" if task.kind == "multi" else "single",
                    classes=list(task.classes),
                    heads=[_head(each) for each in served if each.task == task.name],
                )
                for task in known
            ],
        )

    @app.get("/v1/images/{image_id}", dependencies=reader, responses=refusals(404))
    def image(image_id: str) -> KnownOut:
        """What the store knows of an image."""
        wanted = image_id_of(image_id)
        service.library.place(wanted)
        rows = service.store.catalog.everything([*PLACE, "image_id"])
        rows = rows.filter(pc.equal(rows["image_id"], pa.scalar(wanted, rows["image_id"].type)))
        return KnownOut(
            image_id=image_id.lower(),
            places=[PlaceOut(**row) for row in rows.select(PLACE).to_pylist()],
            labels=list(_labels(service, wanted)),
            encoders=[
                encoder_id
                for encoder_id in service.stations
                if service.library.has_vector(encoder_id, wanted)
            ],
        )

    _add_health(app, service)


def _add_health(app: FastAPI, service: Service) -> None:
    reader = [asks(READER)]

    @app.get("/readyz", dependencies=reader, responses={503: {"model": ReadyOut}})
    async def readyz(response: Response) -> ReadyOut:
        """Whether all encoders give the vectors that they should: their canary is encoded."""
        wrong = await asyncio.to_thread(service.trouble)
        ready = not any(wrong.values())
        response.status_code = 200 if ready else 503
        return ReadyOut(
            status="ready" if ready else "not ready",
            encoders={name: without_paths(words or "ready") for name, words in wrong.items()},
            heads={served.path: served.version for served in service.heads.every()},
        )

    @app.get("/metrics", dependencies=reader, response_class=Response, responses=TEXT)
    async def metrics() -> Response:
        """Counters, as Prometheus reads them."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)


def _head(served: Served) -> HeadOut:
    card = served.predictor.stored.card
    measured = next((card.metrics[split] for split in SPLITS if split in card.metrics), {})
    numbers = {
        name: float(value)
        for name, value in measured.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return HeadOut(
        task=served.task,
        head=served.name,
        version=served.version,
        encoder_id=served.encoder_id,
        kind=card.kind,
        classes=list(card.classes),
        fitted_at=card.fitted_at,
        metrics=numbers,
    )


def _labels(service: Service, image: bytes) -> Iterator[LabelOut]:
    if not service.store.has_labels:
        return
    for task in service.store.labels.tasks():
        event = service.library.labels(task.name).get(image)
        if event is not None:
            yield LabelOut(
                task=task.name,
                labels=list(event.labels or ()),
                by=event.annotator,
                origin=event.origin,
                time=event.time,
            )
