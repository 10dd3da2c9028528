"""Which libraries a head was fitted by."""

from __future__ import annotations

import importlib.metadata

LIBRARIES = ("icehouse", "numpy", "scikit-learn", "torch", "xgboost", "xgboost-cpu")


def versions() -> dict[str, str]:
    """Return the versions of the libraries that are installed, by name."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
