"""Look at an image again, long after it was embedded."""

from __future__ import annotations

from functools import lru_cache

from icehouse.embedder.sources._listing import Origin
from icehouse.embedder.sources._network import Network
from icehouse.embedder.sources._open import list_source
from icehouse.embedder.sources._origins import Lost
from icehouse.embedder.sources._paths import inspect_paths, is_url
from icehouse.errors import IcehouseError, ImageErrorKind

BRIEFLY = Network(seconds=10, tries=2)


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
        origins, otherwise = _origins(source)
        origin = origins.get(key) or Lost(ImageErrorKind.UNREADABLE, otherwise)
    return origin.read().data


@lru_cache(maxsize=8)
def _origins(source: str) -> tuple[dict[str, Origin], str]:
    """Return where the images of a source lie, and what to say of others."""
    try:
        listing = list_source(source, labels=False, network=BRIEFLY)
    except IcehouseError as error:
        return {}, str(error)
    return {e.key: e.origin for e in listing.entries}, f"{source} no longer has it"
