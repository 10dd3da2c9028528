"""A store: one folder, or one URL, that any Parquet reader can open without icehouse.

::

    photos.icehouse/
      store.json                  format version
      catalog/<dataset>/          one row for every input ever seen
      features/<encoder_id>/      encoder.json, canary, vectors
      labels.sqlite               the label log, where no other database is given for it
      heads/<task>/<head>/        fitted heads
      runs/<task>/                what each fit was made of and came to
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from icehouse.errors import NotAStore, StoreCorrupt, StoreTooNew, UsageError
from icehouse.store._catalog import Catalog
from icehouse.store._features import FeatureShards
from icehouse.store._files import Files
from icehouse.store._files_at import files_at, is_remote, local_path
from icehouse.store._joint_features import features_of
from icehouse.store._label_url import label_url, sqlite_file
from icehouse.store._labels import LabelLog
from icehouse.store._places import Place, find_place, place_of_each
from icehouse.store._remote_errors import shown

FORMAT_VERSION = 1
STORE_MANIFEST, LABELS = "store.json", "labels.sqlite"
MANIFEST_TEXT = json.dumps({"format": "icehouse", "format_version": FORMAT_VERSION}, indent=2)


class Store:
    """An open store.

    Use :meth:`open`, :meth:`create` or :meth:`open_or_create`.

    Parameters
    ----------
    path : str or Path
        Its folder, or its URL.
    files : Files, optional
        The files below it, where they are not simply those of the folder.
    labels : str, optional
        URL of the database with its label log. A store in a folder has a file for it.

    Attributes
    ----------
    path : Path or str
        Where it is; a str without passwords for a URL.
    files : Files
    catalog : Catalog
    labels_url : sqlalchemy.URL or None
        None for a store at a URL whose database was not given.
    """

    def __init__(
        self, path: str | Path, files: Files | None = None, labels: str | None = None
    ) -> None:
        self.path = shown(str(path).rstrip("/")) if is_remote(path) else local_path(path)
        self.files = files or files_at(path)
        self.catalog = Catalog(self.files)
        self.labels_url = label_url(labels) if labels else None
        if not labels and isinstance(self.path, Path):
            file = str((self.path / LABELS).absolute())
            self.labels_url = sa.URL.create("sqlite", database=file)

    @classmethod
    def open(cls, path: str | Path, labels: str | None = None) -> Store:
        """Open a store that exists.

        Parameters
        ----------
        path : str or Path
            A folder, or a URL such as ``s3://bucket/photos.icehouse``.
        labels : str, optional
            URL of the database with its label log, as SQLAlchemy writes it.

        Raises
        ------
        NotAStore
            Nothing there, or something else.
        StoreTooNew
            Written by a later version of icehouse.
        StoreCorrupt
            ``store.json`` is damaged.
        StoreUnreadable
            No permission, or no way to it.
        """
        store = cls(path, labels=labels)
        store.check_format()
        return store

    def check_format(self) -> None:
        """Compare ``store.json`` with what this icehouse can read; raises as :meth:`open`."""
        version = self._format_version()
        if version > FORMAT_VERSION:
            raise StoreTooNew(
                f"{self.path} has store format {version}, and this icehouse reads up to "
                f"{FORMAT_VERSION}. Upgrade with: pip install --upgrade icehouse"
            )

    def _format_version(self) -> int:
        try:
            text = self.files.read(STORE_MANIFEST)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            if not self.files.occupied():
                raise NotAStore(
                    f"there is no store at {self.path}. "
                    f"Make one with: icehouse embed FOLDER --store {self.path}"
                ) from None
            raise NotAStore(
                f"{self.path} is not a store: it has no {STORE_MANIFEST}. "
                "Give the folder that icehouse embed made, or a new name"
            ) from None
        manifest = self.files.where(STORE_MANIFEST)
        try:
            version = json.loads(text)["format_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise StoreCorrupt(f"{manifest} is damaged: {error!r}") from error
        if type(version) is not int or version < 1:
            raise StoreCorrupt(f"{manifest} is damaged: its format_version is {version!r}")
        return version

    @classmethod
    def create(cls, path: str | Path, labels: str | None = None) -> Store:
        """Make a store at a place where nothing is yet.

        Raises
        ------
        UsageError
            The folder holds something else.
        StoreUnwritable
            No permission, or no space, or no way to it.
        """
        store = cls(path, labels=labels)
        if store.files.occupied():
            raise UsageError(
                f"{store.path} exists and is not a store. Give another name, or an empty folder"
            )
        store.make()
        return store

    @classmethod
    def open_or_plan(cls, path: str | Path, labels: str | None = None) -> Store:
        """Open the store at a place; where there is nothing yet, :meth:`make` will make one."""
        store = cls(path, labels=labels)
        if store.files.exists(STORE_MANIFEST) or store.files.occupied():
            store.check_format()
        return store

    @classmethod
    def open_or_create(cls, path: str | Path, labels: str | None = None) -> Store:
        """Open the store at a place, or make one where there is nothing yet."""
        store = cls.open_or_plan(path, labels)
        store.make()
        return store

    def make(self) -> None:
        """Write ``store.json``, by which a folder is a store, unless it is there."""
        if not self.files.exists(STORE_MANIFEST):
            self.files.commit(STORE_MANIFEST, MANIFEST_TEXT.encode())

    @cached_property
    def labels(self) -> LabelLog:
        """The label log.

        Raises
        ------
        UsageError
            The store is at a URL, and it was not said where its labels are.
        """
        self.require_labels()
        assert self.labels_url is not None
        return LabelLog(self.labels_url)

    def require_labels(self) -> None:
        """Raise UsageError where it was not said in which database the labels are."""
        if self.labels_url is None:
            raise UsageError(
                f"the labels of {self.path} need a database, which object storage is not. Give "
                "its URL with --labels or ICEHOUSE_LABELS: postgresql://USER@HOST/DATABASE, or "
                "sqlite:////PATH/labels.sqlite on this machine"
            )

    @property
    def has_labels(self) -> bool:
        """Whether any task was ever made, as far as it was said where the labels are."""
        if self.labels_url is None:
            return False
        file = sqlite_file(self.labels_url)
        return (file is None or file.exists()) and bool(self.labels.tasks())

    def features(self, encoder_id: str) -> FeatureShards:
        """Return the vectors of one encoder, which need not exist yet, or of several (``a+b``)."""
        return features_of(self.files, encoder_id)

    def encoder_ids(self) -> list[str]:
        """Return the encoders that the store has met, sorted."""
        return [name for name in self.files.folders("features") if self.features(name).exists]

    def encoder_cards(self) -> dict[str, dict[str, Any]]:
        """Return what is known of each encoder, by encoder_id."""
        return {name: self.features(name).card for name in self.encoder_ids()}

    def find_image(self, query: str) -> Place:
        """Find an image by its key, by a file that holds it, or by the beginning of its image_id.

        Raises
        ------
        LookupFailed
            None, or more than one, matches.
        """
        return find_place(self._rows(), query)

    def places(self, prefer: Sequence[str] = ()) -> dict[bytes, Place]:
        """Return one place for every image.

        Parameters
        ----------
        prefer : sequence of str
            Datasets whose places are taken before those of others; among equals the first in
            the order of datasets and keys is taken.
        """
        return place_of_each(self._rows(), prefer)

    def _rows(self) -> pa.Table:
        rows = self.catalog.everything(["dataset", "key", "source", "image_id"])
        return rows.filter(pc.is_valid(pc.field("image_id")))
