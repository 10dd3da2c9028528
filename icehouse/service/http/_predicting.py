"""The routes of those who ask about images: predict, embed, search, flag."""

from __future__ import annotations

import asyncio
from typing import Annotated

import numpy as np
from fastapi import FastAPI, Query, Request
from pydantic import Field

from icehouse.errors import UsageError
from icehouse.service.http._answering import (
    HeadAnswer,
    ask_head,
    embedded_out,
    matches_out,
    predicted_out,
    raise_if_alone,
)
from icehouse.service.http._door import asks, refusals
from icehouse.service.http._limits import Terms
from icehouse.service.http._models import (
    MAX_FOUND,
    MAX_NEIGHBOURS,
    MAX_TOP,
    EmbedOut,
    FlagIn,
    FlagOut,
    ImageIds,
    Model,
    PredictOut,
    SearchIn,
    SearchOut,
)
from icehouse.service.http._people import READER, Person
from icehouse.service.http._upload import (
    FLAG_BODY,
    IMAGES_BODY,
    SEARCH_BODY,
    read_upload,
    require_images,
    require_one,
)
from icehouse.service.inference import Complaint, Flags, Seen, Service

REFUSED = refusals(404, 408, 413, 415)
MAX_HEADS = 8


class PredictQuery(Model):
    """What is to be known of images."""

    head: list[str] = Field(
        default_factory=list,
        max_length=MAX_HEADS,
        description="TASK/NAME, or one of the two where that is enough; several are asked in turn.",
    )
    top: int = Field(5, ge=1, le=MAX_TOP, description="Classes, the most probable first.")
    neighbours: int = Field(0, ge=0, le=MAX_NEIGHBOURS, description="Images of the store.")


class EmbedQuery(Model):
    """By which encoder."""

    encoder: str | None = Field(None, description="The beginning of its encoder_id.")


class SearchQuery(EmbedQuery):
    """How much is to be found, and whose labels are to be shown."""

    k: int = Field(10, ge=1, le=MAX_FOUND)
    task: str | None = None


def add_predictions(app: FastAPI, service: Service, flags: Flags, terms: Terms) -> None:
    """Add the routes.

    Parameters
    ----------
    app : FastAPI
    service : Service
    flags : Flags
    terms : Terms
    """
    _add_predict(app, service, terms)
    _add_embed(app, service, terms)
    _add_search(app, service, terms)
    _add_flag(app, service, flags, terms)


def _add_predict(app: FastAPI, service: Service, terms: Terms) -> None:
    @app.post(
        "/v1/predict",
        dependencies=[asks(READER)],
        responses=REFUSED,
        openapi_extra=IMAGES_BODY,
    )
    async def predict(request: Request, asked: Annotated[PredictQuery, Query()]) -> PredictOut:
        """What heads say of images: calibrated probabilities, sets, and reasons to doubt them."""
        heads = service.heads.find(asked.head)
        sent = await read_upload(request, terms.images, ImageIds)
        uploads = require_images(sent)
        async with terms.in_time():
            seen = await service.see(uploads, [served.encoder_id for served in heads])
            raise_if_alone(seen)
            good = [each for each in seen if isinstance(each, Seen)]
            wanted = HeadAnswer(asked.top, asked.neighbours)
            columns = [await ask_head(service, served, good, wanted) for served in heads]
        rows = iter(zip(*columns, strict=True))
        return PredictOut(
            images=[
                predicted_out(up, each, list(next(rows)) if isinstance(each, Seen) else [])
                for up, each in zip(uploads, seen, strict=True)
            ]
        )


def _add_embed(app: FastAPI, service: Service, terms: Terms) -> None:
    @app.post(
        "/v1/embed", dependencies=[asks(READER)], responses=REFUSED, openapi_extra=IMAGES_BODY
    )
    async def embed(request: Request, asked: Annotated[EmbedQuery, Query()]) -> EmbedOut:
        """Vectors of images, as ``icehouse embed`` would store them."""
        encoder_id = service.encoder(asked.encoder)
        uploads = require_images(await read_upload(request, terms.images, ImageIds))
        async with terms.in_time():
            seen = await service.see(uploads, [encoder_id])
        raise_if_alone(seen)
        return EmbedOut(
            encoder_id=encoder_id,
            dim=service.stations[encoder_id].work.spec.dim,
            images=[embedded_out(*pair, encoder_id) for pair in zip(uploads, seen, strict=True)],
        )


def _add_search(app: FastAPI, service: Service, terms: Terms) -> None:
    @app.post(
        "/v1/search", dependencies=[asks(READER)], responses=REFUSED, openapi_extra=SEARCH_BODY
    )
    async def search(request: Request, asked: Annotated[SearchQuery, Query()]) -> SearchOut:
        """Images of the store that are near an image, or near words."""
        sent = await read_upload(request, 1, SearchIn)
        text = sent.said.get("text")
        if (text is None) == (not sent.images):
            raise UsageError("search by an image, an image_id or a text: by one of them")
        task = asked.task
        if task is not None:
            service.store.labels.task(task)
        elif service.store.has_labels and len(tasks := service.store.labels.tasks()) == 1:
            task = tasks[0].name
        async with terms.in_time():
            if text is not None:
                chosen = asked.encoder
                encoder_id, vectors = await asyncio.to_thread(service.words, chosen, text)
                own = None
            else:
                encoder_id = service.encoder(asked.encoder)
                seen = await service.see([require_one(sent)], [encoder_id])
                raise_if_alone(seen)
                [one] = [each for each in seen if isinstance(each, Seen)]
                vectors, own = one.vector(encoder_id)[None].astype(np.float32), one.image_id
            [matches] = await asyncio.to_thread(
                service.library.near, encoder_id, vectors, asked.k, [own], task
            )
        return SearchOut(encoder_id=encoder_id, matches=matches_out(matches))


def _add_flag(app: FastAPI, service: Service, flags: Flags, terms: Terms) -> None:
    reader = asks(READER)

    @app.post("/v1/flag", responses=REFUSED, openapi_extra=FLAG_BODY)
    async def flag(request: Request, person: Person = reader) -> FlagOut:
        """Say that an answer is wrong: the image is kept, and people will look at it."""
        if request.query_params:  # what was meant to be said must not be dropped
            raise UsageError(
                "head, labels and note are said beside the image, in the form or the JSON; got "
                f"them in the address: {', '.join(request.query_params)[:80]}"
            )
        sent = await read_upload(request, 1, FlagIn)
        upload = require_one(sent)
        [served] = service.heads.find([sent.said["head"]] if "head" in sent.said else [])
        async with terms.in_time():
            seen = await service.see([upload], [served.encoder_id])
            raise_if_alone(seen)
            [one] = [each for each in seen if isinstance(each, Seen)]
            [prediction] = await service.predict(served, [one])
        labels, note = tuple(sent.said.get("labels", ())), sent.said.get("note")
        complaint = Complaint(person.name, labels, note)
        # From here on it is not given up, whatever the time.
        flagged = await asyncio.to_thread(
            flags.take, one, upload.data, served, prediction, complaint
        )
        return FlagOut(
            image_id=one.image_id.hex(),
            task=served.task,
            queue=flagged.queue,
            kept=flagged.kept,
        )
