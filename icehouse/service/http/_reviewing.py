"""The routes of those who review: a queue, answers to it, and the head that learns from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response
from fastapi.encoders import jsonable_encoder

from icehouse.errors import ImageError, LookupFailed
from icehouse.service.desk import Desk
from icehouse.service.http._door import asks, refusals
from icehouse.service.http._people import OWNER, READER, REVIEWER, People, Person
from icehouse.service.http._schema import (
    AnswersIn,
    ClassIn,
    NextIn,
    RecordedOut,
    UndoIn,
    image_id_of,
    to_answer,
)

KEPT = "private, max-age=31536000, immutable"  # an image_id is of one content
REFUSED = refusals(404)


def add_review(app: FastAPI, desk: Callable[[Person], Desk], people: People) -> None:
    """Add the routes of the review page.

    Parameters
    ----------
    app : FastAPI
    desk : callable
        Returns the desk that a person sits at.
    people : People
    """
    reader, reviewer, owner = asks(READER), asks(REVIEWER), asks(OWNER)

    @app.get("/v1/review", responses=REFUSED)
    def about(person: Person = reader) -> dict[str, Any]:
        me = {"name": person.name, "role": person.role}
        return {**desk(person).about(), "me": me, "anybody": people.anybody}

    @app.get("/v1/review/state", responses=REFUSED)
    def state(person: Person = reader) -> Any:
        return jsonable_encoder(desk(person).state(), custom_encoder={bytes: bytes.hex})

    @app.post("/v1/review/next", responses=REFUSED)
    def give(asked: NextIn, person: Person = reviewer) -> dict[str, Any]:
        items, left = desk(person).next(person.name, asked.count, skipped=asked.skipped)
        return {"items": items, "skipped": left}

    @app.post("/v1/review/answers", responses=REFUSED)
    def answer(sent: AnswersIn, person: Person = reviewer) -> dict[str, Any]:
        recorded = desk(person).answer(person.name, [to_answer(each) for each in sent.answers])
        return {"recorded": [RecordedOut.of(each) for each in recorded]}

    @app.post("/v1/review/undo", responses=REFUSED)
    def undo(sent: UndoIn, person: Person = reviewer) -> dict[str, Any]:
        image = desk(person).undo(person.name, sent.token)
        return {"image_id": None if image is None else image.hex()}

    @app.post("/v1/review/classes", responses=REFUSED)
    def add_class(sent: ClassIn, person: Person = owner) -> dict[str, Any]:
        desk(person).add_class(sent.name)
        return desk(person).about()

    @app.post("/v1/review/refit", responses=REFUSED)
    def refit(person: Person = owner) -> dict[str, Any]:
        return {"begun": desk(person).refit_soon()}


def add_pictures(app: FastAPI, jpeg: Callable[[bytes, int], bytes]) -> None:
    """Add the route of pictures of the store, which come by image_id and size."""

    @app.get(
        "/v1/images/{image_id}/picture",
        dependencies=[asks(READER)],
        responses={200: {"content": {"image/jpeg": {}}}, **REFUSED},
        response_class=Response,
    )
    def picture(image_id: str, size: int = 640) -> Response:
        image = image_id_of(image_id)
        try:
            data = jpeg(image, size)
        except ImageError as error:
            words = f"image {image.hex()[:12]} can no longer be read: {error}"
            raise LookupFailed(words) from error
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": KEPT})
