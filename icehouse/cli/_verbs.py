"""The application with all of its verbs."""

from __future__ import annotations

from icehouse.cli import _care, _freeze, _learn, _look  # noqa: F401  (they add their verbs to it)
from icehouse.cli._app import app

__all__ = ["app"]
