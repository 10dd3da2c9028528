"""The service: pages and an HTTP interface for people who review."""

from ._app import make_app
from ._desk import Desk, DeskOptions
from ._people import People, Person, check_host

__all__ = ["Desk", "DeskOptions", "People", "Person", "check_host", "make_app"]
