"""How errors are said over HTTP: what was wrong and what to do, and nothing of this machine."""

from __future__ import annotations

import logging
import re

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from icehouse.errors import (
    EncoderError,
    HeadError,
    IcehouseError,
    ImageError,
    ImageErrorKind,
    LookupFailed,
    ServiceBusy,
    ServiceError,
    StoreError,
    UsageError,
    VectorError,
)
from icehouse.service.http._models import ErrorOut

LOG = logging.getLogger(__name__)
STATUS: tuple[tuple[type[IcehouseError], int], ...] = (
    (LookupFailed, 404),
    (ImageError, 422),
    (VectorError, 422),
    (UsageError, 400),
    (ServiceBusy, 429),
    (ServiceError, 503),
    (StoreError, 503),
    (EncoderError, 503),
    (HeadError, 503),
)
INTERNAL = 500
LATER = 2  # seconds
CALLED = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "TooSlow",
    413: "TooLarge",
    415: "UnsupportedType",
    429: "TooMany",
}
# An absolute path, one of a drive, or a URL; what this interface itself is called stays.
PATH = re.compile(
    r"(?<![\w/.])(?!/(?:v1|healthz|readyz|metrics)\b)(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\",:;()]+){2,}[/\\]?"
)
URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"]+")


def without_paths(text: str) -> str:
    """Leave out where things are on this machine, or elsewhere.

    Examples
    --------
    >>> without_paths("/srv/photos.icehouse/store.json is damaged; see /v1/tasks")
    '… is damaged; see /v1/tasks'
    """
    return PATH.sub("…", URL.sub("…", text))


def said_of(error: Exception) -> tuple[int, ErrorOut]:
    """Return the status of an error, and what is said of it; the rest is logged."""
    name = type(error).__name__
    status = next((code for kind, code in STATUS if isinstance(error, kind)), INTERNAL)
    if isinstance(error, ImageError) and error.kind is ImageErrorKind.TOO_LARGE:
        status = 413
    if status == INTERNAL:
        LOG.error("an error that nobody expected", exc_info=error)
        detail = "something went wrong here, and was logged. Another request may succeed"
        return status, ErrorOut(error="InternalError", detail=detail)
    if status == 503 and not isinstance(error, ServiceError):
        LOG.error("%s", error)
        what = next(w for kind, w in WHAT if isinstance(error, kind))
        detail = f"{what} cannot be used at the moment; the log of the server says why"
        return status, ErrorOut(error=name, detail=detail)
    return status, ErrorOut(error=name, detail=without_paths(str(error)))


WHAT: tuple[tuple[type[IcehouseError], str], ...] = (
    (StoreError, "the store"),
    (EncoderError, "the encoder"),
    (HeadError, "the head"),
)


def answer_of(error: Exception) -> JSONResponse:
    """Return an error as a response."""
    status, said = said_of(error)
    headers = {}
    if status in (429, 503):
        headers["Retry-After"] = str(getattr(error, "retry_after", LATER))
    return JSONResponse(said.model_dump(), status, headers)


def refusal(
    status: int, detail: str, headers: dict[str, str] | None = None, error: str | None = None
) -> JSONResponse:
    """Return a response that says no."""
    said = ErrorOut(error=error or CALLED.get(status, "Refused"), detail=detail)
    return JSONResponse(said.model_dump(), status, headers)


def say_errors(app: FastAPI) -> None:
    """Let an application say all errors alike."""

    @app.exception_handler(IcehouseError)
    async def ours(request: Request, error: IcehouseError) -> JSONResponse:
        request.state.error = type(error).__name__
        return answer_of(error)

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> JSONResponse:
        request.state.error = CALLED.get(error.status_code, "Refused")
        return refusal(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        request.state.error = "ValidationError"
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:5]]
        return refusal(422, without_paths("; ".join(wrong)), error="ValidationError")
