"""A part of a source: by patterns, by number, or at random."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from icehouse.embedder.sources._listing import Entry, Listing
from icehouse.errors import UsageError


@dataclass(frozen=True)
class Selection:
    """Which inputs of a source are meant. The conditions are applied in this order.

    Attributes
    ----------
    include, exclude : sequence of str
        Patterns of keys as in a shell, case-sensitive, where ``*`` also stands for ``/``. With
        ``include`` only what fits one of them is taken; what fits one of ``exclude`` never is.
    sample : int or None
        So many at random: the same on every run, and a larger number only adds some.
    limit : int or None
        The first so many by key.
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    sample: int | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        for name in ("sample", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is 1 or more, got {value}")


def select(listing: Listing, selection: Selection) -> Listing:
    """Keep a part of a listing. What is left out stays known as being in the source.

    Raises
    ------
    UsageError
        Nothing is left.
    """
    entries = [entry for entry in listing.entries if _fits(entry.key, selection)]
    if not entries:
        raise UsageError(
            f"none of the {len(listing.entries)} keys of {listing.source} fits --include and "
            f"--exclude; a key is, for instance, {listing.entries[0].key!r}"
        )
    entries = _smallest(entries, selection.sample, lambda entry: _draw(entry.key))
    entries = _smallest(entries, selection.limit, lambda entry: entry.key)
    kept = {entry.key for entry in entries}
    left_out = {entry.key for entry in listing.entries if entry.key not in kept}
    return replace(listing, entries=entries, left_out=listing.left_out | left_out)


def _fits(key: str, selection: Selection) -> bool:
    wanted = not selection.include or any(fnmatchcase(key, p) for p in selection.include)
    return wanted and not any(fnmatchcase(key, p) for p in selection.exclude)


def _smallest(
    entries: list[Entry], number: int | None, rank: Callable[[Entry], str | bytes]
) -> list[Entry]:
    """Return the entries of smallest rank, in the order in which they were listed."""
    if number is None or number >= len(entries):
        return entries
    chosen = {entry.key for entry in sorted(entries, key=rank)[:number]}
    return [entry for entry in entries if entry.key in chosen]


def _draw(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
