"""The server of a page, until Ctrl-C."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from icehouse.errors import UsageError
from icehouse.service._people import People, check_host

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE = 3  # seconds in which requests that are under way can end


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


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Answer on a port until the process is told to end."""
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=GRACE)
    uvicorn.Server(config).run(sockets=[listener])
