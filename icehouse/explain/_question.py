"""How probable is a class? What a method asks a head, or one whose weights are shuffled."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from icehouse.explain._explanation import Floats
from icehouse.heads import Head, StoredHead

SCALED = ("mean", "scale")  # arrays of a head with a number for each feature


@dataclass(frozen=True)
class Question:
    """How probable is one class?

    Attributes
    ----------
    stored : StoredHead
    column : int
        Of the class.
    """

    stored: StoredHead
    column: int

    def __call__(self, vectors: npt.NDArray[Any]) -> Floats:
        """Return the class's calibrated probability for vectors as they are stored, (n,)."""
        return self.stored.calibrated(vectors)[:, self.column].astype(np.float64)

    def shuffled(self, random: np.random.Generator) -> Question:
        """Return the same question to a head whose weights were dealt out to other features."""
        head = cast(Head, shuffle(self.stored.head, random))
        return replace(self, stored=StoredHead(self.stored.card, head))


class ShuffledHead:
    """A head that takes each feature for another one: its weights, dealt out at random.

    For a linear head that is what shuffling each row of its weights would be, for a network that of
    its first layer, for trees that of what they split on. What a head standardises by stays with
    the feature, so that it sees numbers of the size that it was fitted on; and half of them have
    their sign turned, because shuffling alone keeps the sum of all weights, which is what a head
    has to say of features that all rise or fall at once, as they do where a picture is blurred.

    Parameters
    ----------
    head : Head
    random : numpy.random.Generator
    """

    kind = "shuffled"

    def __init__(self, head: Head, random: np.random.Generator) -> None:
        learnt, count = head.to_arrays(), head.n_features_in_
        self.order = random.permutation(count)
        arrays = {n: a[self.order] if n in SCALED else a for n, a in learnt.items()}
        centre = arrays.get("mean")
        self.sign = np.ones(count, np.float32)
        if centre is not None:  # trees have none to turn around
            self.sign = random.choice(np.array([-1, 1], np.float32), count)
        self.centre = np.zeros(count, np.float32) if centre is None else centre
        self.head = copy.copy(head)
        self.head.from_arrays(arrays)
        self.multi_label_, self.classes_ = head.multi_label_, head.classes_

    def predict_proba(self, X: npt.NDArray[Any]) -> npt.NDArray[np.float32]:  # noqa: N803
        """See :meth:`Head.predict_proba`."""
        other = X[:, self.order].astype(np.float32)
        return self.head.predict_proba(self.centre + self.sign * (other - self.centre))


def shuffle(head: Head, random: np.random.Generator) -> Head | ShuffledHead:
    """Return a head with its weights shuffled; of an ensemble those of all its members."""
    if head.kind != "ensemble":
        return ShuffledHead(head, random)
    other: Any = copy.copy(head)
    other.members_ = tuple(replace(m, head=shuffle(m.head, random)) for m in other.members_)
    return cast(Head, other)
