"""Images that nobody has but the store: sent by those who asked about them.

::

    kept/<dataset>/<image_id>.<ending>    the bytes as they came

The folder is the source of the dataset, so that ``embed`` finds them as it finds all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.store._catalog import CatalogRow
from icehouse.store._ids import ids_from_bytes, image_id
from icehouse.store._places import Place
from icehouse.store._store import Store

KEPT = "kept"
ENDINGS = {"JPEG": "jpg", "MPO": "jpg", "JPEG2000": "jp2", "TIFF": "tif"}


@dataclass(frozen=True)
class Sent:
    """An image as it came.

    Attributes
    ----------
    data : bytes
    format : str
        As Pillow calls it.
    width, height : int
        As stored in the file.
    """

    data: bytes
    format: str
    width: int
    height: int


def keep(
    store: Store, dataset: str, sent: Sent, vectors: Mapping[str, npt.NDArray[np.floating[Any]]]
) -> Place:
    """Keep an image, its vectors, and then a row of the catalog: what is killed leaves no half.

    Parameters
    ----------
    store : Store
    dataset : str
        That holds nothing else.
    sent : Sent
    vectors : mapping
        By encoder_id, each of shape (D,), in the type in which it is stored.
    """
    image = image_id(sent.data)
    key = f"{image.hex()}.{ENDINGS.get(sent.format, sent.format.lower())}"
    store.files.commit(f"{KEPT}/{dataset}/{key}", sent.data)
    for encoder_id, vector in vectors.items():
        dtype = np.dtype(vector.dtype).name
        store.features(encoder_id).append(ids_from_bytes([image]), vector[None], dtype)
    source = f"{store.path}/{KEPT}/{dataset}"
    row = CatalogRow(
        key=key,
        image_id=image,
        width=sent.width,
        height=sent.height,
        format=sent.format,
        bytes=len(sent.data),
        source=source,
    )
    store.catalog.append(dataset, [row])
    return Place(dataset, key, source, image)


def read_kept(store: Store, place: Place) -> bytes | None:
    """Return the bytes of an image that the store keeps, wherever the store lies now, or None."""
    name = f"{KEPT}/{place.dataset}/{place.key}"
    if "/" in place.key or not place.key.startswith(place.image_id.hex()):
        return None
    try:
        return store.files.read(name)
    except FileNotFoundError:
        return None
