"""What every request has to pass: who asks, from where, how much, how often and how slowly.

It stands before all routes, those too that nobody has thought of yet. There are no cookies, so a
page elsewhere has nothing to ride on but the address of a visitor on this machine: hence the names
of the host and the origin are compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from icehouse.service.http._errors import answer_of, refusal
from icehouse.service.http._limits import MIB, Limits
from icehouse.service.http._people import People, is_loopback
from icehouse.service.http._rate import Rate
from icehouse.service.inference import Metrics

LOG = logging.getLogger(__name__)
SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
READING = ("GET", "HEAD", "OPTIONS")
OPEN = ("/", "/review", "/map", "/healthz")
"""What needs no token: pages without anything of the store, and whether the process lives."""
OPEN_BELOW = "/static/"
STRANGER = "give your token, as: Authorization: Bearer TOKEN (a page has it in its link)"
UNKNOWN = "nobody here has the token that you have given"


class Guard:
    """The outermost layer of an application.

    Parameters
    ----------
    app : ASGI application
    people : People
    limits : Limits, optional
    metrics : Metrics, optional
    """

    def __init__(
        self,
        app: ASGIApp,
        people: People,
        limits: Limits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._app = app
        self._people = people
        self._limits = limits or Limits()
        self._metrics = metrics
        self._rate = Rate(self._limits.rate)
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, closing = time.perf_counter(), 0, False
        scope.setdefault("state", {})
        body = _Body(self, receive)

        async def sending(message: Message) -> None:
            nonlocal status, closing
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SAFE)
                status, closing = message["status"], headers.get("connection") == "close"
            elif closing and not message.get("more_body", False):
                # To close on somebody who still sends would take the answer away from him.
                await send({**message, "more_body": True})
                await body.pass_over()
                message = {"type": "http.response.body"}
            await send(message)

        refused = self._refused(scope)
        try:
            if refused is None:
                await self._app(scope, body.receive, sending)
            else:
                await refused(scope, receive, sending)
        except Exception as error:
            if status:
                raise
            scope["state"]["error"] = "InternalError"
            await answer_of(error)(scope, receive, sending)
        finally:
            self._held -= body.held
            self._count(scope, status, time.perf_counter() - started)

    def _refused(self, scope: Scope) -> Response | None:
        """Return why a request goes no further, or None."""
        headers = Headers(scope=scope)
        client = (scope.get("client") or ("",))[0]
        path: str = scope["path"]
        if self._people.anybody:
            if not is_loopback(_name(headers.get("host", ""))):
                return refusal(400, "ask by a name of this machine, such as 127.0.0.1")
            if client and not is_loopback(client):
                return refusal(401, "without tokens only this machine is answered")
        if scope["method"] not in READING and not _same_origin(headers):
            return refusal(403, "the page that sends this is another one's", CLOSE)
        if path.startswith("/v1/") and (wait := self._rate.wait(client)):
            words = f"too many requests from {client}; wait {wait} s"
            return refusal(429, words, {"Retry-After": str(wait)} | CLOSE)
        given = headers.get("authorization", "")
        token = given[7:] if given[:7].lower() == "bearer " else None
        person = self._people.who(token, headers.get("x-reviewer"))
        if person is None and path not in OPEN and not path.startswith(OPEN_BELOW):
            return refusal(
                401, STRANGER if token is None else UNKNOWN, {"WWW-Authenticate": "Bearer"} | CLOSE
            )
        scope["state"]["person"] = person
        return self._too_large(headers)

    def _too_large(self, headers: Mapping[str, str]) -> Response | None:
        length = headers.get("content-length", "0")
        if not length.isdigit():
            return refusal(400, "Content-Length is no number", CLOSE)
        if int(length) > self._limits.body:
            return refusal(413, self.words_of_size, CLOSE)
        return None

    @property
    def words_of_size(self) -> str:
        """What to say of a body that is too large."""
        return f"a request has {self._limits.body / MIB:g} MiB at most; send less"

    def take(self, size: int, before: int) -> None:
        """Hold some more bytes of a body, or raise HTTPException."""
        if before + size > self._limits.body:
            raise HTTPException(413, self.words_of_size, CLOSE)
        if self._held + size > self._limits.memory:
            words = "many large requests are under way; try again in some seconds"
            raise HTTPException(429, words, {"Retry-After": "2"} | CLOSE)
        self._held += size

    @property
    def limits(self) -> Limits:
        """What is too much."""
        return self._limits

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        if self._metrics is None:
            return
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope.get("route") else "any"
        self._metrics.answered(method, route, status or 499, seconds)
        if error := scope["state"].get("error"):
            self._metrics.failed(error)


CLOSE = {"Connection": "close"}  # what is still to come of the body is passed over
PASS_OVER = 2.0
"""Seconds for which a refused body may go on."""


class _Body:
    """The body of a request as it comes."""

    def __init__(self, guard: Guard, receive: Receive) -> None:
        self.held = 0
        self._guard = guard
        self._receive = receive
        self._whole = False
        self._until: float | None = None

    async def receive(self) -> Message:
        """Return the next part, or raise HTTPException where it is too much or too late."""
        if self._whole:
            return await self._receive()
        limits = self._guard.limits
        now = time.monotonic()
        if self._until is None:
            self._until = now + limits.whole
        left = min(limits.idle, self._until - now)
        try:
            message = await asyncio.wait_for(self._receive(), max(left, 0.0))
        except TimeoutError:
            words = f"the body stalls: it comes within {limits.whole:g} s, and goes on within "
            raise HTTPException(408, f"{words}{limits.idle:g} s", CLOSE) from None
        size = len(message.get("body", b""))
        self._guard.take(size, self.held)
        self.held += size
        self._whole = not message.get("more_body", False)
        return message

    async def pass_over(self) -> None:
        """Read what is still to come and keep none of it, for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PASS_OVER):
                while not self._whole:
                    self._whole = not (await self._receive()).get("more_body", False)


def _name(host: str) -> str:
    """Return a host without its port.

    Examples
    --------
    >>> _name("localhost:8400"), _name("[::1]:8400")
    ('localhost', '::1')
    """
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same_origin(headers: Mapping[str, str]) -> bool:
    """Whether what changes something was sent by a page of this server, or by no page."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""
    except ValueError:
        return False
