"""The application: what is asked over HTTP, who may ask it, and how errors are said."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from icehouse.errors import (
    IcehouseError,
    ImageError,
    LookupFailed,
    StoreError,
    UsageError,
)
from icehouse.service._desk import Desk
from icehouse.service._people import OWNER, READER, REVIEWER, People, Person
from icehouse.service._schema import (
    AnswersIn,
    ClassIn,
    NextIn,
    RecordedOut,
    UndoIn,
    image_id_of,
    to_answer,
)

KEPT = "private, max-age=31536000, immutable"  # an image_id is of one content
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
SAFE = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
STATUS: tuple[tuple[type[IcehouseError], int], ...] = (
    (LookupFailed, 404),
    (ImageError, 404),
    (UsageError, 400),
    (StoreError, 503),
)


def make_app(desk: Desk, people: People | None = None) -> FastAPI:
    """Return the review application of a desk.

    Parameters
    ----------
    desk : Desk
    people : People, optional
        Who is let in. By default anybody, who has to ask by a name of this machine.
    """
    people = people or People()
    app = FastAPI(title="icehouse review", docs_url=None, redoc_url=None)
    if people.anybody:  # so that no page elsewhere can pretend to be this one
        hosts = ["127.0.0.1", "localhost", "[::1]", "testserver"]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)

    def asks(role: str) -> Any:
        def who(
            authorization: Annotated[str | None, Header()] = None,
            x_reviewer: Annotated[str | None, Header()] = None,
            token: Annotated[str | None, Query()] = None,
        ) -> Person:
            given = (authorization or "").removeprefix("Bearer ") or token
            person = people.who(given, x_reviewer)
            if person is None:
                raise HTTPException(401, "give your token: open the page by the link with it")
            if not person.may(role):
                raise HTTPException(403, f"{person.name} is {person.role}; this takes {role}")
            return person

        return Depends(who)

    _errors(app)
    _review(app, desk, people, asks)
    _pictures(app, desk, asks)
    _pages(app)
    return app


def _errors(app: FastAPI) -> None:
    @app.exception_handler(IcehouseError)
    async def said(_request: Request, error: IcehouseError) -> JSONResponse:
        status = next((code for kind, code in STATUS if isinstance(error, kind)), 500)
        return JSONResponse({"error": type(error).__name__, "detail": str(error)}, status)

    @app.middleware("http")
    async def safe(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers.update(SAFE)
        return response


def _review(app: FastAPI, desk: Desk, people: People, asks: Callable[[str], Any]) -> None:
    reader, reviewer = asks(READER), asks(REVIEWER)

    @app.get("/v1/review")
    def about(person: Person = reader) -> dict[str, Any]:
        me = {"name": person.name, "role": person.role}
        return {**desk.about(), "me": me, "anybody": people.anybody}

    @app.get("/v1/review/state", dependencies=[asks(READER)])
    def state() -> Any:
        return jsonable_encoder(desk.state(), custom_encoder={bytes: bytes.hex})

    @app.post("/v1/review/next")
    def give(asked: NextIn, person: Person = reviewer) -> dict[str, Any]:
        return {"items": desk.next(person.name, asked.count)}

    @app.post("/v1/review/answers")
    def answer(sent: AnswersIn, person: Person = reviewer) -> dict[str, Any]:
        recorded = desk.answer(person.name, [to_answer(each) for each in sent.answers])
        return {"recorded": [RecordedOut.of(each) for each in recorded]}

    @app.post("/v1/review/undo")
    def undo(sent: UndoIn, person: Person = reviewer) -> dict[str, Any]:
        image = desk.undo(person.name, sent.token)
        return {"image_id": None if image is None else image.hex()}

    @app.post("/v1/review/classes", dependencies=[asks(OWNER)])
    def add_class(sent: ClassIn) -> dict[str, Any]:
        desk.add_class(sent.name)
        return desk.about()

    @app.post("/v1/review/refit", dependencies=[asks(OWNER)])
    def refit() -> dict[str, Any]:
        return {"begun": desk.refit_soon()}


def _pictures(app: FastAPI, desk: Desk, asks: Callable[[str], Any]) -> None:
    @app.get("/v1/images/{image_id}/picture", dependencies=[asks(READER)])
    def picture(image_id: str, size: int = 640) -> Response:
        data = desk.images.jpeg(image_id_of(image_id), size)
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": KEPT})


def _pages(app: FastAPI) -> None:
    pages = resources.files("icehouse.service") / "pages"

    @app.get("/", include_in_schema=False)
    def page() -> Response:
        return Response((pages / "review.html").read_bytes(), media_type=TYPES["html"])

    @app.get("/static/{name}", include_in_schema=False)
    def static(name: str) -> Response:
        names = {file.name: file for file in pages.iterdir()}
        if name not in names:
            raise HTTPException(404, f"there is no {name}")
        kind = TYPES[name.rpartition(".")[2]]
        return Response(names[name].read_bytes(), media_type=kind)

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> dict[str, str]:
        return {"status": "alive"}
