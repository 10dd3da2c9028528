"""How far reviewers agree, beyond what chance would give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sklearn.metrics import cohen_kappa_score


@dataclass(frozen=True)
class Pair:
    """Two reviewers who have labelled the same images.

    Attributes
    ----------
    first, second : str
    images : int
        That both have labelled.
    same : int
        Of these, labelled alike.
    kappa : float or None
        Cohen's (1960), from -1 to 1. None where both have said one and the same of everything:
        then chance explains it all.
    """

    first: str
    second: str
    images: int
    same: int
    kappa: float | None


@dataclass(frozen=True)
class Agreement:
    """Of all reviewers of some images.

    Attributes
    ----------
    alpha : float or None
        Krippendorff's, for nominal data: 1 for agreement, 0 for chance. None where no image has
        two labels, or all have the same.
    images : int
        With labels of two reviewers or more.
    pairs : tuple of Pair
    """

    alpha: float | None
    images: int
    pairs: tuple[Pair, ...]


Said = Mapping[Any, Mapping[str, Hashable]]
"""For each image what each reviewer has said of it."""


def agreement(said: Said) -> Agreement:
    """Measure how far reviewers agree.

    Parameters
    ----------
    said : mapping
        For each image the label that each reviewer gave it.
    """
    several = {image: by for image, by in said.items() if len(by) > 1}
    pairs: dict[tuple[str, str], list[tuple[Hashable, Hashable]]] = {}
    for by in several.values():
        for first, second in combinations(sorted(by), 2):
            pairs.setdefault((first, second), []).append((by[first], by[second]))
    return Agreement(
        krippendorff_alpha(several),
        len(several),
        tuple(_pair(*names, labels) for names, labels in sorted(pairs.items())),
    )


def krippendorff_alpha(said: Said) -> float | None:
    """Return Krippendorff's alpha for nominal data; None where it is not defined.

    By coincidences: an image of m labels gives each ordered pair of them the weight 1 / (m - 1).
    With n_c the weight of label c and n their sum, disagreement is observed in
    D_o = sum of pairs that differ, and expected in D_e = (n^2 - sum n_c^2) / (n - 1);
    alpha = 1 - D_o / D_e (Krippendorff 2011, "Computing Krippendorff's alpha-reliability").

    Examples
    --------
    >>> krippendorff_alpha({1: {"a": "x", "b": "x"}, 2: {"a": "y", "b": "y"}})
    1.0
    """
    weight: Counter[Hashable] = Counter()
    observed = 0.0
    for by in said.values():
        count = Counter(by.values())
        labels = sum(count.values())
        if labels < 2:
            continue
        weight.update(count)
        observed += (labels**2 - sum(n**2 for n in count.values())) / (labels - 1)
    total = sum(weight.values())
    apart = total**2 - sum(n**2 for n in weight.values())
    return None if not apart else 1 - observed * (total - 1) / apart


def _pair(first: str, second: str, labels: list[tuple[Hashable, Hashable]]) -> Pair:
    names = sorted({label for pair in labels for label in pair}, key=str)
    numbers = {label: number for number, label in enumerate(names)}
    ours, theirs = ([numbers[pair[side]] for pair in labels] for side in (0, 1))
    same = sum(a == b for a, b in labels)
    kappa = None if len(numbers) < 2 else float(cohen_kappa_score(ours, theirs))
    return Pair(first, second, len(labels), same, kappa)
