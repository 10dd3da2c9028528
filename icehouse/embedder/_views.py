"""Which views of which images are stored, and which are wanted.

View 0 is the plain image; views 1, 2, … are augmented ones, for training only. An encoder of a
store has one recipe for them, ``views.json`` beside its vectors.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from icehouse.embedder._augment import AUGMENTATIONS
from icehouse.embedder._steps import in_order
from icehouse.embedder.sources import Entry
from icehouse.errors import UsageError
from icehouse.store import Store

REVISION = 1
VIEWS_FOR = ("all", "minority")
NOT_TRAINED_ON = ("val", "test")


@dataclass(frozen=True)
class ViewOptions:
    """Augmented views, wanted beside the plain image.

    Attributes
    ----------
    views : int
        How many of an image, at most.
    augment : tuple of str
        See :mod:`icehouse.embedder._augment`.
    views_for : {"all", "minority"}
        "minority": as many as bring a class near to the size of the largest one. Images that the
        source puts into val or test get none.
    """

    views: int = 0
    augment: tuple[str, ...] = tuple(AUGMENTATIONS)
    views_for: str = "all"

    def __post_init__(self) -> None:
        if not 0 <= self.views <= 1000:
            raise UsageError(f"views are 0 to 1000 of an image, got {self.views}")
        if self.views_for not in VIEWS_FOR:
            raise UsageError(f"views are for one of: {', '.join(VIEWS_FOR)}; not {self.views_for}")
        object.__setattr__(self, "augment", in_order("augmentation", self.augment, AUGMENTATIONS))
        if not self.augment:
            raise UsageError(f"a view takes one augmentation or more: {', '.join(AUGMENTATIONS)}")


@dataclass(frozen=True)
class Wanted:
    """How many views of an input are wanted.

    Attributes
    ----------
    views : int
        Beside the plain image, at most.
    counts : mapping of label to int, or None
        Images of each class, where the smaller ones are to be brought up to the largest.
    """

    views: int = 0
    counts: Mapping[str, int] | None = None

    @classmethod
    def by(cls, options: ViewOptions, entries: Iterable[Entry]) -> Wanted:
        """Work out what options mean for a source."""
        if not options.views or options.views_for == "all":
            return cls(options.views)
        trained_on = (entry for entry in entries if entry.split not in NOT_TRAINED_ON)
        counts = Counter(label for entry in trained_on for label in entry.labels or ())
        return cls(options.views, dict(counts))

    def of(self, entry: Entry) -> int:
        """Return how many views of an input are wanted, the plain one included."""
        if not self.views or entry.split in NOT_TRAINED_ON:
            return 1
        if self.counts is None:
            return 1 + self.views
        if not entry.labels:
            return 1
        rarest = min(self.counts[label] for label in entry.labels)
        return min(1 + self.views, max(1, round(max(self.counts.values()) / rarest)))


@dataclass(frozen=True)
class Coverage:
    """What is stored and what is wanted of each image.

    Attributes
    ----------
    held : mapping of image_id to int
        How many views are stored, from 0 on without a gap.
    wanted : Wanted
    """

    held: Mapping[bytes, int] = field(default_factory=dict)
    wanted: Wanted = field(default_factory=Wanted)

    def missing(self, image: bytes, entry: Entry) -> range:
        """Return the views that are wanted of an image and not stored."""
        return range(self.held.get(image, 0), self.wanted.of(entry))


def agree_on_recipe(store: Store, encoder_id: str, options: ViewOptions) -> None:
    """Write down how the views of an encoder are made, or refuse to mix two recipes.

    Raises
    ------
    UsageError
        The store has views of this encoder that were made otherwise.
    """
    if not options.views:
        return
    name = f"features/{encoder_id}/views.json"
    recipe = {"augment": list(options.augment), "revision": REVISION}
    if not store.files.exists(name):
        store.files.commit(name, json.dumps(recipe, indent=2).encode())
        return
    known = json.loads(store.files.read(name))
    if known != recipe:
        raise UsageError(
            f"the views of {encoder_id} in this store were made with "
            f"{','.join(known['augment'])} (revision {known['revision']}), not with "
            f"{','.join(options.augment)} (revision {REVISION}). Give the same --augment, or "
            "another store"
        )
