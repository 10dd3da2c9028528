"""The service: pages and an HTTP interface for people who review."""

from ._app import make_app
from ._choose_queue import choose_queue
from ._desk import Desk, DeskOptions
from ._people import People, Person, check_host
from ._serve import listen, serve

__all__ = [
    "Desk",
    "DeskOptions",
    "People",
    "Person",
    "check_host",
    "choose_queue",
    "listen",
    "make_app",
    "serve",
]
