"""Steps that a picture goes through: named by people, done in one order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from icehouse.errors import UsageError

SYNONYMS = {
    "gray": "grayscale",
    "grey": "grayscale",
    "greyscale": "grayscale",
    "equalize": "equalise",
    "color": "colour",
}


def in_order(what: str, names: Iterable[str], known: Mapping[str, object]) -> tuple[str, ...]:
    """Return the steps named in the order in which they are known, each once.

    Other spellings of a name are taken for it, so that what is stored and fingerprinted has one.

    Raises
    ------
    UsageError
        There is no such step.
    """
    names = {SYNONYMS.get(name, name) for name in names}
    if strange := names - known.keys():
        raise UsageError(f"no {what} {', '.join(sorted(strange))}; there are: {', '.join(known)}")
    return tuple(name for name in known if name in names)
