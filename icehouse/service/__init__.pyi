"""The service: images are asked about over HTTP, and people review on pages."""

from ._app import make_app
from ._client import Client
from ._serve import Wire, listen, serve
from ._serving import make_service, of_settings, open_service
from ._settings import ServeSettings
from .desk import Desk, DeskOptions, choose_queue
from .http import Limits, People, Person, Terms, check_host
from .inference import Service, ServiceOptions, StationOptions

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
