"""A part of a source: by patterns, by number, or at random."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from icehouse.embedder.sources._columns import keys_of, part
from icehouse.embedder.sources._listing import Listing
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
    keys: list[str] = keys_of(listing.entries).to_pylist()
    chosen = [number for number, key in enumerate(keys) if _fits(key, selection)]
    if not chosen:
        raise UsageError(
            f"none of the {len(keys)} keys of {listing.source} fits --include and --exclude; "
            f"a key is, for instance, {keys[0]!r}"
        )
    chosen = _smallest(chosen, selection.sample, lambda number: _draw(keys[number]))
    chosen = _smallest(chosen, selection.limit, keys.__getitem__)
    if len(chosen) == len(keys):
        return listing
    left_out = set(keys).difference(keys[number] for number in chosen)
    entries = part(listing.entries, chosen)
    return replace(listing, entries=entries, left_out=listing.left_out | left_out)


def _fits(key: str, selection: Selection) -> bool:
    wanted = not selection.include or any(fnmatchcase(key, p) for p in selection.include)
    return wanted and not any(fnmatchcase(key, p) for p in selection.exclude)


def _smallest(
    numbers: list[int], count: int | None, rank: Callable[[int], str | bytes]
) -> list[int]:
    """Return the numbers of smallest rank, in the order in which they were."""
    if count is None or count >= len(numbers):
        return numbers
    chosen = set(sorted(numbers, key=rank)[:count])
    return [number for number in numbers if number in chosen]


def _draw(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
