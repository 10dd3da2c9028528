"""The service: images are asked about over HTTP, and people review on pages."""

from ._answering import Terms
from ._app import make_app
from ._choose_queue import choose_queue
from ._client import Client
from ._desk import Desk, DeskOptions
from ._guard import Limits
from ._people import People, Person, check_host
from ._serve import Wire, listen, serve
from ._service import Service, ServiceOptions
from ._serving import make_service, of_settings, open_service
from ._settings import ServeSettings
from ._station import StationOptions

__all__ = [
    "Client",
    "Desk",
    "DeskOptions",
    "Limits",
    "People",
    "Person",
    "ServeSettings",
    "Service",
    "ServiceOptions",
    "StationOptions",
    "Terms",
    "Wire",
    "check_host",
    "choose_queue",
    "listen",
    "make_app",
    "make_service",
    "of_settings",
    "open_service",
    "serve",
]
