"""The map that people look at beside a queue, and what its points are coloured by."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from icehouse.errors import LookupFailed
from icehouse.heads import StoredHead
from icehouse.maps import Map, MapOptions, make_map, read_map
from icehouse.report import colours_of
from icehouse.review import GROUPINGS, OF_HEADS, group
from icehouse.store import Store, parts_of

COLUMNS = ("image_id", "dataset", "key", "labels")


class Atlas:
    """A map of the images of an encoder.

    Parameters
    ----------
    store : Store
    task, encoder_id : str
        Of several encoders the first is drawn.
    """

    def __init__(self, store: Store, task: str, encoder_id: str) -> None:
        self._store = store
        self._task = task
        self._encoder_id = parts_of(encoder_id)[0]
        self._map: Map | None = None

    def points(self, head: StoredHead | None) -> tuple[dict[str, Any], bytes]:
        """Read the map again.

        Returns
        -------
        said : dict
            How many images it is of, how it was made, by what it can be coloured, and a version
            that is another one when the map is.
        data : bytes
            The image_ids, 32 bytes each, and then x and y of each, little-endian float32.
        """
        self._map = drawn = self._read()
        groupings = [name for name in GROUPINGS if head is not None or name not in OF_HEADS]
        said = {
            "images": len(drawn),
            "method": drawn.method,
            "encoder": drawn.encoder_id,
            "groupings": groupings,
            "notes": list(drawn.notes),
            "version": _version(drawn),
        }
        return said, drawn.ids.tobytes() + drawn.xy.astype("<f4").tobytes()

    def groups(self, by: str, head: StoredHead | None) -> dict[str, Any]:
        """Return the group of each point, in their order, and all that a legend takes.

        Raises
        ------
        UsageError
            There is no such grouping, or it takes a head.
        """
        drawn = self._map or self._read()
        found = group(self._store, drawn.ids, by, task=self._task, head=head)
        return {
            "by": by,
            "names": list(found.names),
            "colours": colours_of(found),
            "without": found.without,
            "sizes": [asdict(size) for size in found.sizes()],
            "of": found.of.tolist(),
            "version": _version(drawn),
        }

    def table(self, images: Sequence[bytes]) -> str:
        """Return images as CSV: where they are, and the labels in force."""
        places, labels = self._store.places(), self._store.labels.present(self._task)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for image in images:
            if (place := places.get(image)) is None:
                raise LookupFailed(f"image {image.hex()[:12]} is no longer in the store")
            said = ";".join(labels.get(image, ()))
            writer.writerow((image.hex(), place.dataset, place.key, said))
        return text.getvalue()

    def _read(self) -> Map:
        """Return the map that is kept, or else what can be drawn at once."""
        kept = read_map(self._store, self._encoder_id)
        if kept is not None:
            return kept
        drawn = make_map(self._store, self._encoder_id, MapOptions("pca"))
        words = (
            "This is a quick look (principal components). A map by UMAP: icehouse map --encoder "
            f"{self._encoder_id}"
        )
        return Map(**{**vars(drawn), "notes": (*drawn.notes, words)})


def _version(drawn: Map) -> str:
    data = np.ascontiguousarray(drawn.ids).view(np.uint8), drawn.xy.view(np.uint8)
    return f"{zlib.crc32(data[1].tobytes(), zlib.crc32(data[0].tobytes())):08x}"
