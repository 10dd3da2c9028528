"""Names that are too long for their place: what tells one from the others stays."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable

CODE = re.compile(r"[A-Za-z]?\d+[ _.-]+(?=.)")

Fits = Callable[[str], bool]


def without_codes(names: Iterable[str]) -> dict[str, str]:
    """Return names without the number that each of them begins with, as WordNet's classes do.

    As they are, where one has none, or where two would become the same.

    Examples
    --------
    >>> without_codes(["n02085620-Chihuahua", "n02086240-Shih-Tzu"])
    {'n02085620-Chihuahua': 'Chihuahua', 'n02086240-Shih-Tzu': 'Shih-Tzu'}
    >>> without_codes(["1-forest", "river"]), without_codes(["1-a", "2-a"])
    ({'1-forest': '1-forest', 'river': 'river'}, {'1-a': '1-a', '2-a': '2-a'})
    """
    known = dict.fromkeys(names)
    bare = {name: CODE.sub("", name, count=1) for name in known}
    all_have_one = all(bare[name] != name for name in known)
    return bare if all_have_one and len(set(bare.values())) == len(known) else {n: n for n in known}


def squeezed(text: str, fits: Fits) -> str:
    """Return a text with as much left out as it takes to fit, a third from its beginning.

    Names that begin alike differ at their ends, and those that end alike at their beginnings;
    more begin alike.

    Examples
    --------
    >>> squeezed("HerbaceousVegetation", lambda text: len(text) <= 12)
    'Herb…etation'
    """
    return _cut(text, fits, 1 / 3)


def ending(text: str, fits: Fits) -> str:
    """Return the end of a text that is too long, as of a path, which is known by its end.

    Examples
    --------
    >>> ending("photos/2026/fields/17.jpg", lambda text: len(text) <= 12)
    '…elds/17.jpg'
    """
    return _cut(text, fits, 0.0)


def _cut(text: str, fits: Fits, ahead: float) -> str:
    if fits(text):
        return text

    def shown(kept: int) -> str:
        first = round(kept * ahead)
        return f"{text[:first]}…{text[len(text) - kept + first :]}"

    kept = bisect_left(range(len(text)), True, key=lambda kept: not fits(shown(kept))) - 1
    return shown(max(kept, 0))
