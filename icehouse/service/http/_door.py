"""What the applications share: the guard before them, who may what, how errors are said, pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib import resources
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from icehouse.service.http._errors import say_errors
from icehouse.service.http._guard import Guard
from icehouse.service.http._limits import Limits
from icehouse.service.http._models import ErrorOut, HealthOut
from icehouse.service.http._people import People, Person
from icehouse.service.inference import Metrics

TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
OPENAPI = "/v1/openapi.json"
LINKS = b"<!-- pages -->"  # where a page has its links to the others
BEARER = HTTPBearer(auto_error=False, description="The token of a person, where any are given.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


def new_app(
    title: str,
    people: People,
    limits: Limits | None = None,
    metrics: Metrics | None = None,
    at_the_end: Callable[[], None] = lambda: None,
) -> FastAPI:
    """Return an application behind a guard, with no route but ``/healthz``.

    Parameters
    ----------
    title : str
    people : People
    limits : Limits, optional
    metrics : Metrics, optional
    at_the_end : callable
        Called when the server ends, after all requests.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(at_the_end)

    # The page that FastAPI brings for its documentation would load scripts from elsewhere.
    app = FastAPI(
        title=title, lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=OPENAPI
    )
    app.add_middleware(Guard, people=people, limits=limits, metrics=metrics)
    say_errors(app)

    @app.get("/healthz")
    async def healthz() -> HealthOut:
        """Whether the process lives."""
        return HealthOut()

    return app


def asks(role: str) -> Any:
    """Return the dependency of a route that takes a role; it gives the Person."""

    async def who(request: Request, _given: Credentials) -> Person:
        person: Person = request.state.person
        if not person.may(role):
            raise HTTPException(403, f"{person.name} is {person.role}; this takes {role}")
        return person

    return Depends(who)


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of the answers of a route that are no success."""
    return {code: {"model": ErrorOut} for code in (400, 401, 403, 422, 429, 503, *codes)}


def add_pages(app: FastAPI, pages: Mapping[str, str]) -> None:
    """Serve pages by their addresses (``{"/": "review"}``), and the files that they are made of.

    Each page has links to the others; their addresses are relative, for a proxy may add to them.
    """
    folder = resources.files("icehouse.service") / "pages"
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    links: dict[str, str] = {}
    for address, name in pages.items():
        links.setdefault(name, f'<a href="{address[1:] or "./"}">{name.capitalize()}</a>')

    def add(address: str, content: bytes) -> None:
        @app.get(address, include_in_schema=False)
        async def page() -> Response:
            return Response(content, media_type=TYPES["html"])

    for address, name in pages.items():
        others = " ".join(link for other, link in links.items() if other != name)
        add(address, files[f"{name}.html"].replace(LINKS, others.encode()))

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "there is no such file")
        return Response(files[name], media_type=TYPES[name.rpartition(".")[2]])
