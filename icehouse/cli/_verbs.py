"""The application with all of its verbs, in the order in which the help shows them."""

# isort: skip_file
# ruff: noqa: F401  (modules add their verbs to it)
from __future__ import annotations

from icehouse.cli import _freeze
from icehouse.cli import _learn
from icehouse.cli import _explain
from icehouse.cli import _compare
from icehouse.cli import _runs
from icehouse.cli import _export
from icehouse.cli import _zero_shot
from icehouse.cli import _simulate
from icehouse.cli import _queue
from icehouse.cli import _review
from icehouse.cli import _serve
from icehouse.cli import _look
from icehouse.cli import _duplicates
from icehouse.cli import _curate
from icehouse.cli import _search
from icehouse.cli import _map
from icehouse.cli import _report
from icehouse.cli import _labels
from icehouse.cli import _care
from icehouse.cli._app import app

__all__ = ["app"]
