"""The server of a page, until Ctrl-C."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from icehouse.errors import UsageError
from icehouse.service.http import People, check_host

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

GRACE = 3  # seconds in which requests that are under way can end
HEADERS = 16 * 2**10  # bytes


def listen(host: str, port: int, people: People) -> socket.socket:
    """Take a port, 0 for any that is free, before anything else is begun.

    Raises
    ------
    UsageError
        It is taken, or there is no such address; or other machines reach it, and anybody is let in.
    """
    check_host(host, people)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen()  # who asks before there is an answer waits
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(
            f"{host}:{port} cannot be listened on: {error}. Give another --port, or 0 for any"
        ) from error
    return listener


@dataclass(frozen=True)
class Wire:
    """How a server speaks.

    Attributes
    ----------
    tls_cert, tls_key : Path or None
        Files in PEM; without them nothing is encrypted.
    trust_proxy : str or None
        Addresses, with commas between, of proxies whose ``X-Forwarded-For`` and ``-Proto`` are
        believed.
    grace : int
        Seconds in which requests that are under way can end.
    """

    tls_cert: Path | None = None
    tls_key: Path | None = None
    trust_proxy: str | None = None
    grace: int = GRACE

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UsageError("TLS takes both a certificate and its key")
        for file in (self.tls_cert, self.tls_key):
            if file is not None and not file.is_file():
                raise UsageError(f"there is no file {file}")


def serve(app: FastAPI, listener: socket.socket, wire: Wire | None = None) -> None:
    """Answer on a port until the process is told to end; what was accepted is answered first."""
    import uvicorn

    uvicorn.Server(_config(app, wire or Wire())).run(sockets=[listener])


def _config(app: FastAPI, wire: Wire) -> uvicorn.Config:
    import uvicorn

    return uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=wire.grace,
        h11_max_incomplete_event_size=HEADERS,
        proxy_headers=wire.trust_proxy is not None,
        forwarded_allow_ips=wire.trust_proxy,
        ssl_certfile=wire.tls_cert,
        ssl_keyfile=wire.tls_key,
    )
