"""The service: images are asked about over HTTP, and people review on pages."""

from importlib.util import find_spec

import lazy_loader

from icehouse.errors import MissingExtra

if find_spec("fastapi") is None:
    raise MissingExtra("fastapi", "serve")

# The surface is in __init__.pyi; what is not asked for is not loaded.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
