"""A store: one folder that any Parquet reader can open without icehouse.

::

    photos.icehouse/
      store.json                  format version
      catalog/<dataset>/          one row for every input ever seen
      features/<encoder_id>/      encoder.json, canary, vectors
      labels.sqlite               the label log
      heads/<task>/<head>/        fitted heads
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from icehouse.errors import LookupFailed, NotAStore, StoreCorrupt, StoreTooNew, UsageError
from icehouse.store._catalog import Catalog
from icehouse.store._features import FeatureShards
from icehouse.store._files import TEMPORARY, Files, readable
from icehouse.store._ids import ids_from_arrow
from icehouse.store._labels import LabelLog

FORMAT_VERSION = 1
STORE_MANIFEST = "store.json"
MANIFEST_TEXT = json.dumps({"format": "icehouse", "format_version": FORMAT_VERSION}, indent=2)
MANIFESTS = (".csv", ".parquet")
# How the key of a part of a picture ends: x, y, width and height.
BOX = re.compile(r"#\d+,\d+,\d+,\d+$")


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


class Store:
    """An open store.

    Use :meth:`open`, :meth:`create` or :meth:`open_or_create`.

    Parameters
    ----------
    path : Path
        Its folder.
    files : Files, optional
        The files below it, where they are not simply those of the folder.

    Attributes
    ----------
    path : Path
    files : Files
    catalog : Catalog
    """

    def __init__(self, path: Path, files: Files | None = None) -> None:
        self.path = path
        self.files = files or Files(path)
        self.catalog = Catalog(self.files)

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open a store that exists.

        Raises
        ------
        NotAStore
            Nothing there, or something else.
        StoreTooNew
            Written by a later version of icehouse.
        StoreCorrupt
            ``store.json`` is damaged.
        StoreUnreadable
            No permission.
        """
        path = Path(path).expanduser()
        with readable(path):
            version = cls._format_version(path)
        if version > FORMAT_VERSION:
            raise StoreTooNew(
                f"{path} has store format {version}, and this icehouse reads up to "
                f"{FORMAT_VERSION}. Upgrade with: pip install --upgrade icehouse"
            )
        return cls(path)

    @staticmethod
    def _format_version(path: Path) -> int:
        manifest = path / STORE_MANIFEST
        if not path.exists():
            raise NotAStore(
                f"there is no store at {path}. Make one with: icehouse embed FOLDER --store {path}"
            )
        if not manifest.is_file():
            raise NotAStore(
                f"{path} is not a store: it has no {STORE_MANIFEST}. "
                "Give the folder that icehouse embed made, or a new name"
            )
        try:
            version = json.loads(manifest.read_text(encoding="utf-8"))["format_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreCorrupt(f"{manifest} is damaged: {error!r}") from error
        if type(version) is not int or version < 1:
            raise StoreCorrupt(f"{manifest} is damaged: its format_version is {version!r}")
        return version

    @classmethod
    def create(cls, path: str | Path) -> Store:
        """Make a store in a folder that does not exist or is empty.

        Raises
        ------
        UsageError
            The folder holds something else.
        StoreUnwritable
            No permission, or no space.
        """
        path = Path(path).expanduser()
        if path.exists() and (not path.is_dir() or _occupied(path)):
            raise UsageError(
                f"{path} exists and is not a store. Give another name, or an empty folder"
            )
        Files(path).commit(STORE_MANIFEST, MANIFEST_TEXT.encode())
        return cls(path)

    @classmethod
    def open_or_create(cls, path: str | Path) -> Store:
        """Open the store at a path, or make one where there is nothing yet."""
        manifest = Path(path).expanduser() / STORE_MANIFEST
        with readable(manifest.parent):
            try:
                return cls.open(path) if manifest.is_file() else cls.create(path)
            except UsageError:
                if not manifest.is_file():
                    raise
                return cls.open(path)  # another process made it in between

    @cached_property
    def labels(self) -> LabelLog:
        """The label log."""
        path = str((self.path / "labels.sqlite").absolute())
        return LabelLog(sa.URL.create("sqlite", database=path))

    @property
    def has_labels(self) -> bool:
        """Whether any task was ever made."""
        return (self.path / "labels.sqlite").exists() and bool(self.labels.tasks())

    def features(self, encoder_id: str) -> FeatureShards:
        """Return the vectors of one encoder, which need not exist yet."""
        return FeatureShards(self.files, encoder_id)

    def encoder_ids(self) -> list[str]:
        """Return the encoders that the store has met, sorted."""
        known = self.files.folders("features")
        return [name for name in known if self.features(name).exists]

    def encoder_cards(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each encoder, by encoder_id."""
        return {name: self.features(name).card for name in self.encoder_ids()}

    def find_image(self, query: str) -> Place:
        """Find an image by its identity (a unique hexadecimal prefix) or its key.

        Raises
        ------
        LookupFailed
            None, or more than one, matches.
        """
        columns = ["dataset", "key", "source", "image_id"]
        rows = self.catalog.everything(columns).filter(pc.is_valid(pc.field("image_id")))
        by_key = rows.filter(pc.field("key") == query)
        if len(by_key):
            rows = by_key
        elif _is_hexadecimal(query):
            matches = [i.startswith(query.lower()) for i in _hexadecimal(rows)]
            rows = rows.filter(pa.array(matches, pa.bool_()))
        else:
            rows = rows.slice(0, 0)
        if not len(rows):
            raise LookupFailed(
                f"no image in the store has the key or the image_id {query!r}; "
                "icehouse predict and icehouse flag print both"
            )
        places = [Place(**row) for row in rows.to_pylist()]
        if len({place.image_id for place in places}) > 1:
            some = ", ".join(f"{p.dataset}/{p.key} ({p.image_id.hex()[:12]})" for p in places[:4])
            raise LookupFailed(f"{query!r} is several images: {some}. Give a longer image_id")
        return places[0]

    def places(self, prefer: Sequence[str] = ()) -> dict[bytes, Place]:
        """Return one place for every image.

        Parameters
        ----------
        prefer : sequence of str
            Datasets whose places are taken before those of others; among equals the first in
            the order of datasets and keys is taken.
        """
        columns = ["dataset", "key", "source", "image_id"]
        rows = self.catalog.everything(columns).filter(pc.is_valid(pc.field("image_id")))
        records = rows.sort_by([("dataset", "descending"), ("key", "descending")]).to_pylist()
        records.sort(key=lambda row: row["dataset"] in prefer)  # the last one stays
        return {row["image_id"]: Place(**row) for row in records}


def _occupied(folder: Path) -> bool:
    return any(not path.name.startswith(TEMPORARY) for path in folder.iterdir())


def _is_hexadecimal(text: str) -> bool:
    return len(text) >= 4 and all(c in "0123456789abcdefABCDEF" for c in text)


def _hexadecimal(rows: Any) -> list[str]:
    return [i.tobytes().hex() for i in ids_from_arrow(rows["image_id"])]
