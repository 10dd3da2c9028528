"""What a source is: a listing of inputs, each of which knows how it is read. It reads none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Protocol

from icehouse.embedder.sources._origins import FileBytes
from icehouse.errors import ImageErrorKind

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


class Origin(Protocol):
    """Where the bytes of one input lie. ``read`` may be called from several threads at once."""

    def read(self) -> FileBytes:
        """Return the bytes, or raise :class:`icehouse.errors.ImageError`."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One input as its source lists it.

    Attributes
    ----------
    key : str
        Its name inside the source.
    origin : Origin
        Reads it.
    bytes, mtime_ns : int or None
        Its size, None where only reading tells it; and a number that changes when it does: the
        time of change where there is one, else one made of a checksum.
    labels : tuple of str or None
        None where the source says nothing; () where it says that no class applies.
    split : str or None
    extra : str or None
        A JSON object.
    error, detail : str or None
        What is wrong with it at first sight.
    """

    key: str
    origin: Origin
    bytes: int | None = None
    mtime_ns: int | None = None
    labels: tuple[str, ...] | None = None
    split: str | None = None
    extra: str | None = None
    error: ImageErrorKind | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Listing:
    """All inputs of a source.

    Attributes
    ----------
    source : str
        Opens it again: an absolute path, a pattern of paths, or a URL; for a table of images
        with ``#`` and the column.
    name : str
        What the dataset is called when nobody says otherwise.
    entries : sequence of Entry
        In the order in which they are best read; no key twice. Those of a folder are made when
        they are asked for, so it costs memory to keep many.
    multi_label : bool
    left_out : frozenset of str
        Keys that the source has, and that were not selected.
    closed : frozenset of str
        Paths that could not be looked into: what was below them may be there still.
    handed_in : bool
        Whether the list came from outside, so that another one may share its ``source``.
    notes : tuple of str
        What may not have been meant.
    """

    source: str
    name: str
    entries: Sequence[Entry]
    multi_label: bool = False
    left_out: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()
    handed_in: bool = False
    notes: tuple[str, ...] = ()

    def may_hold(self, key: str) -> bool:
        """Whether a key that is not listed may be in the source all the same."""
        folders = accumulate(key.split("/")[:-1], "{}/{}".format)
        return key in self.left_out or not self.closed.isdisjoint(folders)


@dataclass(frozen=True)
class Layout:
    """What folders say of the images in them.

    The first folder is the label; where all folders at the top are called train, val or test,
    these are the splits, and the class folders lie one level deeper.

    Attributes
    ----------
    splits : bool
        Whether the folders at the top are splits.
    labels : bool
        Whether class folders mean labels.
    around : int
        Folders around all of it, which say nothing.
    """

    splits: bool
    labels: bool
    around: int = 0

    @classmethod
    def of_folders(cls, top: Iterable[str], labels: bool) -> Layout:
        """Derive it from the names of the folders at the top."""
        names = set(top)
        return cls(bool(names) and all(name.lower() in SPLITS for name in names), labels)

    @classmethod
    def of_archive(cls, paths: Sequence[Sequence[str]], labels: bool) -> Layout:
        """Derive it from the parts of all paths in an archive.

        One that was packed with its folder has it around everything: ``photos/cats/1.jpg``.
        """
        wrapped = len({path[0] for path in paths}) == 1 and min(map(len, paths)) > 2
        around = int(wrapped)
        top = (path[around] for path in paths if len(path) > around + 1)
        return replace(cls.of_folders(top, labels), around=around)

    def read(self, parts: Sequence[str]) -> tuple[tuple[str, ...] | None, str | None]:
        """Return labels and split of an image whose path has these parts."""
        parts = parts[self.around :]
        split = SPLITS[parts[0].lower()] if self.splits and len(parts) > 1 else None
        inner = parts[1:] if split else parts
        return (_label(inner[0]) if self.labels and len(inner) > 1 else None), split


@lru_cache(maxsize=4096)
def _label(folder: str) -> tuple[str]:
    """Return one and the same tuple for all images of a folder."""
    return (printable(folder),)


def printable(name: str) -> str:
    """Return a file name as text; a byte that is no UTF-8 becomes U+FFFD and its hexadecimal.

    A U+FFFD that was there is doubled, so that no two names become one.
    """
    if name.isascii():
        return name
    # A byte that is no UTF-8 came as a lone surrogate, U+DC80 and above.
    name = name.replace("\ufffd", "\ufffd\ufffd")
    return _NOT_UTF8.sub(lambda found: f"\ufffd{ord(found[0]) - 0xDC00:02x}", name)
