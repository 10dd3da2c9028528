"""The route that says why: a picture of the parts of an image that an answer rests on."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Literal

from fastapi import FastAPI, Query, Request, Response
from pydantic import Field

from icehouse.errors import ServiceBusy
from icehouse.explain import Explainer, ExplainOptions
from icehouse.report import explain_picture
from icehouse.service.http._answering import raise_if_alone
from icehouse.service.http._door import asks, refusals
from icehouse.service.http._limits import Terms
from icehouse.service.http._models import ImageIds, Model
from icehouse.service.http._people import READER
from icehouse.service.http._upload import IMAGES_BODY, read_upload, require_one
from icehouse.service.inference import Served, Service, Upload
from icehouse.store import parts_of

WAITING = 8  # who comes when so many wait is told to come again
LATER = 5  # seconds
PNG = "image/png"
Method = Literal["occlusion", "lime", "integrated-gradients", "grad-cam", "black-and-white"]


class ExplainQuery(Model):
    """Whose answer, and how."""

    head: str | None = Field(None, description="TASK/NAME, or one of the two.")
    method: Method = "occlusion"
    shown: str | None = Field(None, alias="class", description="By default the answer.")


class Explanations:
    """One explanation after another: each asks an encoder some hundred times.

    Parameters
    ----------
    service : Service
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._thread = ThreadPoolExecutor(1, "explain")
        self._waiting = 0

    async def draw(self, served: Served, upload: Upload, options: ExplainOptions) -> bytes:
        """Return a PNG.

        Raises
        ------
        ServiceBusy
            Too many wait.
        UsageError
            The head cannot be asked so, or has no such class.
        """
        if self._waiting >= WAITING:
            raise ServiceBusy(f"{WAITING} explanations are waited for; ask again later", LATER)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._draw, served, upload, options)
        finally:
            self._waiting -= 1

    def _draw(self, served: Served, upload: Upload, options: ExplainOptions) -> bytes:
        stations, store = self._service.stations, self._service.store
        encoders = [stations[part].work.encoder for part in parts_of(served.encoder_id)]
        explainer = Explainer(store, served.predictor.stored, encoders)
        data, name = upload.data, upload.name or ""
        if data is None and upload.image_id is not None:
            data = self._service.library.images.data(upload.image_id)
        return explain_picture(explainer, data or b"", name, options)[1]

    def close(self) -> None:
        """End the thread after what it is at."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def add_explanations(app: FastAPI, service: Service, own: Explanations, terms: Terms) -> None:
    """Add the route."""

    @app.post(
        "/v1/explain",
        dependencies=[asks(READER)],
        response_class=Response,
        responses={200: {"content": {PNG: {}}}, **refusals(404, 408, 413, 415)},
        openapi_extra=IMAGES_BODY,
    )
    async def explain(request: Request, asked: Annotated[ExplainQuery, Query()]) -> Response:
        """Draw which parts of an image speak for an answer, and which against it."""
        [served] = service.heads.find([asked.head] if asked.head else [])
        options = ExplainOptions(method=asked.method, shown=asked.shown, scores=False)
        upload = require_one(await read_upload(request, 1, ImageIds))
        async with terms.in_time():
            raise_if_alone(await service.see([upload], [served.encoder_id]))
            return Response(await own.draw(served, upload, options), media_type=PNG)
