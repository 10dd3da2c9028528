"""The bytes of a picture that was embedded, fetched again for people to look at."""

from __future__ import annotations

from icehouse.embedder import read_again, read_file
from icehouse.errors import ImageError, ImageErrorKind


def look_again(path: str | None, source: str | None, key: str) -> bytes:
    """Return the bytes of an image, by what a flag, a neighbour or a place says of it.

    Raises
    ------
    ImageError
        It is not there any more, or nothing says where it was.
    """
    if path is not None:
        return read_file(path).data
    if source is not None:
        return read_again(source, key)
    raise ImageError(ImageErrorKind.UNREADABLE, f"nothing says where {key} came from")
