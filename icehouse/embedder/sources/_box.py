"""A part of a picture as an image of its own: the column ``box`` of a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from icehouse.embedder._decode import decode
from icehouse.embedder.sources._listing import Entry, Origin
from icehouse.embedder.sources._origins import FileBytes, Lost
from icehouse.errors import ImageError, ImageErrorKind

Box = tuple[int, int, int, int]
_NUMBERS = re.compile(r"\s*,\s*".join([r"(-?\d{1,9})"] * 4))


@dataclass(frozen=True, slots=True)
class Cropped:
    """A box of an upright picture: x and y of its corner, width, height; in pixels."""

    origin: Origin
    box: Box

    def read(self) -> FileBytes:
        """Return the part as a file of its own, without loss: its bytes are its identity."""
        whole = self.origin.read()
        pixels = decode(whole.data)
        x, y, width, height = self.box
        if min(x, y) < 0 or x + width > pixels.shape[1] or y + height > pixels.shape[0]:
            raise ImageError(
                ImageErrorKind.NOT_AN_IMAGE,
                f"the box {_text(self.box)} (x,y,width,height) reaches beyond the picture, which "
                f"is {pixels.shape[1]}x{pixels.shape[0]}",
            )
        part = pixels[y : y + height, x : x + width]
        return FileBytes(b"P6 %d %d 255\n" % (width, height) + part.tobytes(), whole.mtime_ns)


def box_text(cell: Any) -> str:
    """Return what a cell says, in the form in which keys end with it; empty where it is empty.

    Of ``x,y,width,height`` or a list of four numbers that is ``x,y,width,height`` without spaces;
    of anything else it is what stands there.
    """
    if isinstance(cell, Sequence) and not isinstance(cell, str):
        return ",".join(map(_whole, cell)) or "[]"
    text = "" if cell is None else str(cell).strip()
    found = _NUMBERS.fullmatch(text)
    return _text(found.groups()) if found else text


def boxed(entry: Entry, text: str) -> Entry:
    """Return the entry of a part of a picture; its key ends with the box.

    What is no box is an error of this entry alone.
    """
    if not text:
        return entry
    key = f"{entry.key}#{text}"
    found = _NUMBERS.fullmatch(text)
    box = tuple(map(int, found.groups())) if found else ()
    if len(box) == 4 and min(box[2:]) > 0:
        return replace(entry, key=key, origin=Cropped(entry.origin, box), bytes=None)
    lost = Lost(
        ImageErrorKind.NOT_AN_IMAGE,
        f"{text!r} is no box; give x,y,width,height in pixels, x and y from the upper left corner "
        "of the upright picture, width and height 1 or more",
    )
    return Entry(key, lost, error=lost.kind, detail=lost.detail)


def _whole(number: Any) -> str:
    try:
        return str(round(number))
    except (TypeError, ValueError, OverflowError):  # no number, or none that is finite
        return str(number)


def _text(numbers: Iterable[int | str]) -> str:
    return ",".join(str(int(each)) for each in numbers)
