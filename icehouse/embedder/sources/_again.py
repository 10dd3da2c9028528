"""Look at an image again, long after it was embedded."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache

from icehouse.embedder.sources._listing import Origin
from icehouse.embedder.sources._network import Network
from icehouse.embedder.sources._open import list_source
from icehouse.embedder.sources._origins import FileBytes, Lost, read_file
from icehouse.embedder.sources._paths import inspect_paths, is_url
from icehouse.errors import IcehouseError, ImageError, ImageErrorKind
from icehouse.store import Place, image_id

BRIEFLY = Network(seconds=10, tries=2)
_LISTING = threading.Lock()  # many threads ask for images of one source, which is listed once


@dataclass(frozen=True, slots=True)
class Stored:
    """An image of the catalog, wherever its bytes still are what they were.

    Attributes
    ----------
    places : tuple of Place
        All of one image, at least one.
    """

    places: tuple[Place, ...]

    @property
    def remote(self) -> bool:
        """Whether it comes from a network, if from its first place."""
        return is_url(self.places[0].key) or is_url(self.places[0].source or "")

    def read(self) -> FileBytes:
        """Return its bytes, or raise what is wrong with the first place."""
        wrong: ImageError | None = None
        for place in self.places:
            try:
                data = _read(place)
            except ImageError as error:
                wrong = wrong or error
                continue
            if image_id(data) == place.image_id:
                return FileBytes(data, None)
            changed = ImageError(ImageErrorKind.UNREADABLE, "it has changed since it was embedded")
            wrong = wrong or changed
        assert wrong is not None
        raise wrong


def read_again(source: str, key: str) -> bytes:
    """Read an image by what the catalog says of it.

    Sources that were opened are remembered: asking for many images of one lists it once.

    Parameters
    ----------
    source, key : str
        Of a row of the catalog.

    Raises
    ------
    ImageError
        It is not there any more, or its source is not.
    """
    if is_url(key):
        origin = inspect_paths([key], "", BRIEFLY)[0].origin
    else:
        with _LISTING:
            origins, otherwise = _origins(source)
        origin = origins.get(key) or Lost(ImageErrorKind.UNREADABLE, otherwise)
    return origin.read().data


def _read(place: Place) -> bytes:
    if place.path is not None and place.path.is_file():
        return read_file(place.path).data  # without listing all files beside it
    if place.source is None:
        raise ImageError(ImageErrorKind.UNREADABLE, f"nothing says where {place.key} came from")
    return read_again(place.source, place.key)


@lru_cache(maxsize=8)
def _origins(source: str) -> tuple[dict[str, Origin], str]:
    """Return where the images of a source lie, and what to say of others."""
    try:
        listing = list_source(source, labels=False, network=BRIEFLY)
    except IcehouseError as error:
        return {}, str(error)
    return {e.key: e.origin for e in listing.entries}, f"{source} no longer has it"
