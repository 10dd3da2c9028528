"""One connection to a service: asked again where that helps, and its errors have types."""

from __future__ import annotations

import http.client
import ssl
import time
from urllib.parse import urlsplit

from pydantic import ValidationError

from icehouse.errors import (
    ServiceBusy,
    ServiceDown,
    ServiceError,
    ServiceRefused,
    ServiceTimeout,
    UsageError,
)
from icehouse.service.http import ErrorOut

RAW = "application/octet-stream"
CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Connection:
    """A connection of HTTP or HTTPS; see :class:`icehouse.service.Client` for what it takes.

    Raises
    ------
    UsageError
        The URL is none of a service.
    """

    def __init__(
        self,
        url: str,
        token: str | None,
        timeout: float,
        tries: int,
        context: ssl.SSLContext | None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"a service is at http://HOST:PORT, got {url!r}")
        self._path, self._place = parts.path.rstrip("/"), parts.netloc.rpartition("@")[2]
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._tries = tries
        self._http: http.client.HTTPConnection
        if parts.scheme == "https":
            self._http = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=timeout, context=context
            )
        else:
            self._http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def close(self) -> None:
        """Close it; what is asked afterwards opens it again."""
        self._http.close()

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = RAW) -> bytes:
        """Return the body of an answer.

        Parameters
        ----------
        method, path : str
        body : bytes, optional
        kind : str
            Its type of content.

        Raises
        ------
        ServiceError
            There is no answer, or it is a refusal.
        """
        for left in range(self._tries - 1, -1, -1):
            status, data, wait = self.once(method, path, body, kind)
            if status != 429 or not left:
                break
            time.sleep(wait)
        if status >= 400:
            raise refused(status, data, wait)
        return data

    def once(
        self, method: str, path: str, body: bytes | None = None, kind: str = RAW
    ) -> tuple[int, bytes, int]:
        """Return status and body of an answer, and after how many seconds to ask again.

        Raises
        ------
        ServiceError
            There is none.
        """
        headers = {"Content-Type": kind, **self._headers} if body is not None else self._headers
        idle = self._http.sock is not None
        try:
            self._http.request(method, self._path + path, body, headers)
            response = self._http.getresponse()
            data = response.read()
        except CLOSED as error:
            self._http.close()
            if idle:  # which the service has closed since the last time
                return self.once(method, path, body, kind)
            raise ServiceError(f"the service has hung up: {error!r}") from error
        except TimeoutError as error:
            self._http.close()
            raise ServiceTimeout(f"the service does not answer in time: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            words = f"the service at {self._place} cannot be asked: {error!r}"
            raise ServiceError(words) from error
        wait = response.headers.get("Retry-After", "1")
        return response.status, data, int(wait) if wait.isdigit() else 1


def refused(status: int, data: bytes, wait: int = 1) -> ServiceError:
    """Return a refusal as an error of its kind."""
    try:
        said = ErrorOut.model_validate_json(data)
    except ValidationError:
        said = ErrorOut(error="NotUnderstood", detail=repr(data[:200]))
    if status == 429:
        return ServiceBusy(said.detail, wait)
    if said.error == "ServiceTimeout":
        return ServiceTimeout(said.detail)
    if said.error == "ServiceDown":
        return ServiceDown(said.detail)
    return ServiceRefused(status, said.error, said.detail)
