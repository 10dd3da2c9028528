"""The folder for what can be made again at any time, outside of all stores."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return ``ICEHOUSE_CACHE``, else ``icehouse`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    named = os.environ.get("ICEHOUSE_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "icehouse"
