"""The application with all of its verbs."""

from __future__ import annotations

# They add their verbs to it.
from icehouse.cli import _care, _freeze, _learn, _look, _zero_shot  # noqa: F401
from icehouse.cli._app import app

__all__ = ["app"]
