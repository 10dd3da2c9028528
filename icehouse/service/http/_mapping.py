"""The routes of the map: its points and groups, and what is done with the images chosen on it."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response

from icehouse.service.desk import Desk
from icehouse.service.http._door import asks, refusals
from icehouse.service.http._people import READER, REVIEWER, Person
from icehouse.service.http._schema import ChosenIn, ManyIn

POINTS = "application/octet-stream"
REFUSED = refusals(404)


def add_map(app: FastAPI, desk: Callable[[Person], Desk]) -> None:
    """Add the routes of the map of what a desk is about.

    Parameters
    ----------
    app : FastAPI
    desk : callable
        Returns the desk that a person sits at.
    """
    reader, reviewer = asks(READER), asks(REVIEWER)

    @app.get(
        "/v1/map/points",
        responses={200: {"content": {POINTS: {}}}, **REFUSED},
        response_class=Response,
    )
    def points(person: Person = reader) -> Response:
        """A JSON header after its length as uint32; image_ids; then x and y, float32 each."""
        said, data = desk(person).points()
        text = json.dumps(said).encode()
        text += b" " * (-len(text) % 4)  # what follows is read as float32
        return Response(struct.pack("<I", len(text)) + text + data, media_type=POINTS)

    @app.get("/v1/map/groups", responses=REFUSED)
    def groups(by: str = "label", person: Person = reader) -> dict[str, Any]:
        return desk(person).groups(by)

    @app.post("/v1/map/table", responses=REFUSED)
    def table(sent: ManyIn, person: Person = reader) -> dict[str, str]:
        return {"csv": desk(person).atlas.table(sent.images())}

    @app.post("/v1/review/chosen", responses=REFUSED)
    def chosen(sent: ChosenIn, person: Person = reviewer) -> dict[str, int]:
        """Let images be part of the queue, so that they can be answered."""
        return {"added": desk(person).take_in(sent.images())}

    @app.post("/v1/review/queues", responses=REFUSED)
    def queues(sent: ManyIn, person: Person = reviewer) -> dict[str, int]:
        """Make a queue of images."""
        made = desk(person).new_queue(sent.images())
        return {"queue": made.id, "images": len(set(sent.image_ids))}
