"""Where images are to be found, and which one somebody means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from icehouse.errors import LookupFailed
from icehouse.store._ids import ids_from_arrow, image_id

MANIFESTS = (".csv", ".parquet")
# How the key of a part of a picture ends: x, y, width and height.
BOX = re.compile(r"#\d+,\d+,\d+,\d+$")
DIGITS = re.compile(r"[0-9a-f]{4,64}", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where an image is to be found: a row of the catalog.

    Attributes
    ----------
    dataset, key : str
    source : str or None
        Where the key belongs to: a folder, a manifest, tars, tables, or a URL.
    image_id : bytes
    """

    dataset: str
    key: str
    source: str | None
    image_id: bytes

    @property
    def path(self) -> Path | None:
        """The file, if its source is a local folder or manifest; it may have moved since."""
        if self.source is None or "://" in self.source or "://" in self.key:
            return None
        if BOX.search(self.key):
            return None
        source = Path(self.source)
        if source.is_dir():
            return source / self.key
        return source.parent / self.key if source.suffix.lower() in MANIFESTS else None


def find_place(rows: pa.Table, query: str) -> Place:
    """Find the image that has a key, that is in a file, or whose image_id begins so.

    Parameters
    ----------
    rows : pyarrow.Table
        Of the catalog, all of them with an image.
    query : str

    Raises
    ------
    LookupFailed
        None, or more than one, matches.
    """
    found = rows.filter(pc.field("key") == query)
    if not len(found) and Path(query).is_file():
        same = pa.scalar(image_id(Path(query).read_bytes()), rows["image_id"].type)
        found = rows.filter(pc.field("image_id") == same)
    if not len(found) and DIGITS.fullmatch(query):
        begins = [
            i.tobytes().hex().startswith(query.lower()) for i in ids_from_arrow(rows["image_id"])
        ]
        found = rows.filter(pa.array(begins, pa.bool_()))
    if not len(found):
        raise LookupFailed(
            f"no image in the store has the key {query!r} or an image_id that begins so (4 digits "
            "of it or more), and no file of that name holds one of its images; icehouse predict "
            "and icehouse flag print both"
        )
    places = [Place(**row) for row in found.to_pylist()]
    if len({place.image_id for place in places}) > 1:
        some = ", ".join(f"{p.dataset}/{p.key} ({p.image_id.hex()[:12]})" for p in places[:4])
        raise LookupFailed(f"{query!r} is several images: {some}. Give a longer image_id")
    return places[0]


def place_of_each(rows: pa.Table, prefer: Sequence[str]) -> dict[bytes, Place]:
    """Return one place for every image; see :meth:`Store.places`."""
    records = rows.sort_by([("dataset", "descending"), ("key", "descending")]).to_pylist()
    records.sort(key=lambda row: row["dataset"] in prefer)  # the last one stays
    return {row["image_id"]: Place(**row) for row in records}
