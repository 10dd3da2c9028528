"""A part of a picture as an image of its own: the column ``box`` of a manifest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from icehouse.embedder._decode import decode
from icehouse.embedder.sources._listing import Entry, Origin
from icehouse.embedder.sources._origins import FileBytes
from icehouse.errors import ImageError, ImageErrorKind, SourceError

Box = tuple[int, int, int, int]
_NUMBERS = re.compile(r"\s*(-?\d+)\s*,\s*(-?\d+)\s*,\s*(-?\d+)\s*,\s*(-?\d+)\s*")


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
        if x + width > pixels.shape[1] or y + height > pixels.shape[0]:
            raise ImageError(
                ImageErrorKind.CORRUPT,
                f"the box {_text(self.box)} (x,y,width,height) goes beyond the picture, which is "
                f"{pixels.shape[1]}x{pixels.shape[0]}",
            )
        part = pixels[y : y + height, x : x + width]
        return FileBytes(b"P6 %d %d 255\n" % (width, height) + part.tobytes(), whole.mtime_ns)


def parse_box(cell: Any, source: str, row: int) -> Box | None:
    """Read a cell ``x,y,width,height``, or a list of four numbers; None where it is empty.

    Raises
    ------
    SourceError
        It is something else, or an empty box.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if not isinstance(cell, str) and isinstance(cell, Sequence):
        cell = ",".join(str(round(each)) for each in cell)
    found = _NUMBERS.fullmatch(str(cell))
    box = tuple(int(each) for each in found.groups()) if found else ()
    if len(box) != 4 or min(box[:2]) < 0 or min(box[2:]) < 1:
        raise SourceError(
            f"{source}: row {row} has the box {cell!r}; give x,y,width,height in pixels, x and y "
            "from the upper left corner of the upright picture"
        )
    return box


def boxed(entry: Entry, box: Box | None) -> Entry:
    """Return the entry of a part of a picture; its key ends with the box."""
    if box is None:
        return entry
    key = f"{entry.key}#{_text(box)}"
    return replace(entry, key=key, origin=Cropped(entry.origin, box), bytes=None)


def _text(box: Box) -> str:
    return ",".join(map(str, box))
