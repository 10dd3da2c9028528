"""Which heads there are, and how one is made from its name and settings."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from icehouse.errors import UnknownHead, UsageError
from icehouse.heads._base import Head

KINDS: Mapping[str, tuple[str, str]] = {
    "mlp": ("icehouse.heads._mlp", "MLPHead"),
    "logistic": ("icehouse.heads._logistic", "LogisticHead"),
    "forest": ("icehouse.heads._forest", "ForestHead"),
    "xgboost": ("icehouse.heads._xgboost", "XGBoostHead"),
    "knn": ("icehouse.heads._knn", "KNNHead"),
}


def make_head(kind: str, settings: Mapping[str, Any] | None = None) -> Head:
    """Make an unfitted head.

    Parameters
    ----------
    kind : {"mlp", "logistic", "forest", "xgboost", "knn"}
    settings : mapping, optional
        By name of the parameter. Text is read as the type of the parameter's default.

    Raises
    ------
    UnknownHead
        No such kind.
    UsageError
        A setting that this head does not have, or a value that it cannot be.
    """
    if kind not in KINDS:
        raise UnknownHead(f"no head {kind!r}; there are: {', '.join(KINDS)}")
    module, name = KINDS[kind]
    head: Head = getattr(importlib.import_module(module), name)()
    defaults = head.get_params()
    values = {}
    for key, value in (settings or {}).items():
        if key not in defaults:
            raise UsageError(f"head {kind!r} has no setting {key!r}; it has: {', '.join(defaults)}")
        values[key] = _typed(key, value, defaults[key]) if isinstance(value, str) else value
    head.set_params(**values)
    return head


def _typed(key: str, text: str, default: Any) -> Any:
    kind = type(default)
    if text.lower() == "none":
        return None
    try:
        if kind is bool:
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
                text.lower()
            ]
        if default is None:
            return int(text)
        if kind is str:
            return text
        return kind(text)
    except (KeyError, ValueError):
        raise UsageError(f"setting {key}={text}: cannot be read as {kind.__name__}") from None
