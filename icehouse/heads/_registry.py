"""Which heads there are, and how one is made from its name and settings."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, TypeVar

from icehouse.errors import SettingError, UnknownHead
from icehouse.heads._base import Head
from icehouse.heads._settings import check_settings

KINDS: Mapping[str, tuple[str, str]] = {
    "mlp": ("icehouse.heads._mlp", "MLPHead"),
    "logistic": ("icehouse.heads._logistic", "LogisticHead"),
    "forest": ("icehouse.heads._forest", "ForestHead"),
    "xgboost": ("icehouse.heads._xgboost", "XGBoostHead"),
    "knn": ("icehouse.heads._knn", "KNNHead"),
}

SomeHead = TypeVar("SomeHead", bound=Head)
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


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
    SettingError
        A setting that this head does not have, or a value that it cannot have.
    """
    if kind not in KINDS:
        raise UnknownHead(f"no head {kind!r}; there are: {', '.join(KINDS)}")
    module, name = KINDS[kind]
    return configure(getattr(importlib.import_module(module), name)(), settings)


def configure(head: SomeHead, settings: Mapping[str, Any] | None) -> SomeHead:
    """Give a head its settings; see :func:`make_head`."""
    kind, defaults = head.kind, head.get_params()
    values = {}
    for key, value in (settings or {}).items():
        if key not in defaults:
            raise SettingError(
                f"head {kind!r} has no setting {key!r}; it has: {', '.join(defaults)}"
            )
        word = isinstance(value, str) and key in head.limits and head.limits[key].holds(value)
        if isinstance(value, str) and not word:
            value = _typed(key, value, defaults[key])
        values[key] = value
    check_settings(kind, values, head.limits)
    head.set_params(**values)
    return head


def _typed(key: str, text: str, default: Any) -> Any:
    if text.lower() == "none" and not isinstance(default, str):
        return None
    kind: Any = _number if default is None else type(default)
    try:
        if kind is bool:
            return _BOOLEANS[text.lower()]
        if kind is str:
            return _number_or_text(text)
        return kind(text)
    except (KeyError, ValueError):
        name = kind.__name__.strip("_")
        raise SettingError(f"setting {key}={text}: cannot be read as {name}") from None


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
