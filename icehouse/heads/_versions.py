"""Which versions of libraries fitted a head."""

from __future__ import annotations

import importlib.metadata

LIBRARIES = ("icehouse", "numpy", "scikit-learn", "torch", "xgboost", "xgboost-cpu")


def library_versions() -> dict[str, str]:
    """Return the versions of those that are installed."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
