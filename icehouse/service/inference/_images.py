"""Pictures for the page: read again from where they came, made small, kept for a while."""

from __future__ import annotations

import io
import math
import threading
import time
from collections import OrderedDict
from pathlib import Path

from PIL import Image

from icehouse.embedder import decode
from icehouse.errors import LookupFailed
from icehouse.report import look_again
from icehouse.store import Place, Store, read_kept

SIZES = (160, 320, 640, 1280)
KEPT_BYTES = 256 * 2**20
QUALITY = 88
WATCH, REMOTE_WATCH = 1.0, 15.0  # seconds between looks at a store, and at one at a URL


class Images:
    """The pictures of a store.

    Parameters
    ----------
    store : Store
    every : float, optional
        Seconds between two looks at which images there are. By default 1, and 15 for a store at a
        URL.
    """

    def __init__(self, store: Store, every: float | None = None) -> None:
        self._store = store
        near = WATCH if isinstance(store.path, Path) else REMOTE_WATCH
        self._every, self._looked = near if every is None else every, -math.inf
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()
        self._bytes = 0
        self._looking = threading.Lock()
        self._places: dict[bytes, Place] = {}
        self.stamp: tuple[str, ...] | None = None
        self.refresh()

    def refresh(self) -> None:
        """Look again which images there are, if the catalog has changed."""
        with self._looking:
            stamp = self._listed()
            if stamp != self.stamp:
                self._places = self._store.places()
                self.stamp = stamp
                with self._lock:  # what was forgotten is kept in no memory, either
                    for key in [key for key in self._kept if key[0] not in self._places]:
                        self._bytes -= len(self._kept.pop(key))

    def keep_up(self) -> None:
        """Look again, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._looked >= self._every:
            self._looked = now
            self.refresh()

    def _listed(self) -> tuple[str, ...]:
        catalog = self._store.catalog
        return tuple(name for dataset in catalog.datasets() for name in catalog.shards(dataset))

    def every(self) -> list[bytes]:
        """Return all that stand in a dataset."""
        return list(self._places)

    def get(self, image_id: bytes) -> Place | None:
        """Return where an image is, or None."""
        return self._places.get(image_id)

    def place(self, image_id: bytes) -> Place:
        """Return where an image is.

        Raises
        ------
        LookupFailed
            The store does not have it, or no more.
        """
        place = self.get(image_id)
        if place is None:
            raise LookupFailed(
                f"image {image_id.hex()[:12]} is in no dataset of the store; it may have been "
                "forgotten"
            )
        return place

    def __contains__(self, image_id: bytes) -> bool:
        return image_id in self._places

    def data(self, image_id: bytes) -> bytes:
        """Return the bytes of an image, from where they lie now.

        Raises
        ------
        LookupFailed, ImageError
            It is not there, or can no longer be read.
        """
        place = self.place(image_id)
        path = str(place.path) if place.path else None
        return read_kept(self._store, place) or look_again(path, place.source, place.key)

    def jpeg(self, image_id: bytes, size: int) -> bytes:
        """Return a picture as JPEG, upright, no side longer than ``size``.

        Raises
        ------
        LookupFailed, ImageError
            It is not there, or can no longer be read.
        """
        self.place(image_id)
        size = next((each for each in SIZES if each >= size), SIZES[-1])
        key = image_id, size
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        data = _small(self.data(image_id), size)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = data
                self._bytes += len(data)
                while self._bytes > KEPT_BYTES:
                    self._bytes -= len(self._kept.popitem(last=False)[1])
        return data


def _small(data: bytes, size: int) -> bytes:
    def enough(height: int, width: int) -> tuple[int, int]:
        scale = min(1.0, size / max(height, width))
        return max(1, round(height * scale)), max(1, round(width * scale))

    image = Image.fromarray(decode(data, enough=enough))
    image.thumbnail((size, size), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
