"""Vectors of one encoder: immutable Parquet shards under ``features/<encoder_id>/``.

Shards are only ever added, and replaced by larger ones with the same rows; vectors that are
to be forgotten are named by tombstones. See ``_shard.py`` for what is in a shard.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from icehouse.errors import LookupFailed, StoreCorrupt, VectorError
from icehouse.store._files import Files, read_listed
from icehouse.store._ids import ID_DTYPE, IdArray, ids_from_arrow
from icehouse.store._rows import VectorRows, open_rows
from icehouse.store._shard import (
    COLUMNS,
    DTYPES,
    NAME_DIGITS,
    REMEDY,
    RowDigest,
    ViewArray,
    bare,
    open_shard,
    read_shard,
    refuse_non_finite,
    shard_bytes,
    without_gaps,
)
from icehouse.store._tombstones import Tombstones, alive, dead_by_shard
from icehouse.store._view_vectors import read_views

CARD, CANARY = "encoder.json", "canary.npy"


@dataclass(frozen=True)
class FeatureMatrix:
    """Vectors and the images that they belong to, row by row.

    Attributes
    ----------
    encoder_id : str
    ids : array of V32, shape (n,)
        Without duplicates.
    vectors : array of float16 or float32, shape (n, D)
        C-contiguous.
    """

    encoder_id: str
    ids: IdArray
    vectors: npt.NDArray[np.floating[Any]]

    def __len__(self) -> int:
        return len(self.ids)


class FeatureShards:
    """All the vectors of one encoder.

    Parameters
    ----------
    files : Files
    encoder_id : str
    """

    def __init__(self, files: Files, encoder_id: str) -> None:
        self._files = files
        self.encoder_id = encoder_id
        self.folder = f"features/{encoder_id}"
        self.tombstones = Tombstones(files, self.folder)

    def describe(self, card: Mapping[str, Any]) -> None:
        """Write ``encoder.json``, what there is to know of the encoder, where that is news.

        The encoder itself never changes under its encoder_id, but where it was loaded from may.
        The file ends with a seal: checksums of itself and of the canary beside it.
        """
        seal = {"card": card_digest(card), "canary": self._canary_digest()}
        if self.exists:
            known = self._read_card()
            if known["request"] == card["request"]:
                if known.get("seal", {}).get("canary") == seal["canary"]:
                    return
                card = {name: value for name, value in known.items() if name != "seal"}
                seal["card"] = card_digest(card)
        text = json.dumps({**card, "seal": seal}, indent=2, ensure_ascii=False)
        self._files.commit(f"{self.folder}/{CARD}", text.encode())

    @property
    def card(self) -> dict[str, Any]:
        """What ``encoder.json`` says.

        Raises
        ------
        LookupFailed
            The store has never met this encoder.
        """
        return {name: value for name, value in self._read_card().items() if name != "seal"}

    @property
    def exists(self) -> bool:
        """Whether the store has met this encoder."""
        return self._files.exists(f"{self.folder}/{CARD}")

    def shards(self) -> list[str]:
        """Return the committed shards, sorted, as names relative to the store."""
        return self._files.names(self.folder, ".parquet")

    def append(
        self,
        ids: IdArray,
        vectors: npt.NDArray[np.floating[Any]],
        dtype: str,
        views: ViewArray | None = None,
    ) -> str:
        """Commit vectors as one shard.

        Parameters
        ----------
        ids : array of V32, shape (n,)
        vectors : array, shape (n, D)
        dtype : {"float16", "float32"}
            How they are stored.
        views : array of int16, shape (n,), optional
            All 0, the plain image, where it is left out.

        Returns
        -------
        str
            The shard's name. It is made from the content: the same rows make the same file.
            Only where that name is of a shard with forgotten vectors, a salt makes another.

        Raises
        ------
        VectorError
            Not one vector for each id; or a vector that is not finite, or too large for
            float16. Nothing is written.
        """
        if vectors.ndim != 2 or len(vectors) != len(ids) or not vectors.size:
            raise VectorError(
                f"{len(ids)} images take vectors of shape ({len(ids)}, D), got {vectors.shape}"
            )
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(vectors, dtype=DTYPES[dtype])
        refuse_non_finite(ids, vectors, stored, dtype)
        ids = np.ascontiguousarray(ids, dtype=ID_DTYPE)
        views = np.zeros(len(ids), np.int16) if views is None else views
        covered, salt, number = self.tombstones.covered(), "", 0
        while True:
            rows = RowDigest(ids, views, salt)
            rows.add(stored)
            digest = rows.hexdigest()
            name = f"{self.folder}/{digest[:NAME_DIGITS]}.parquet"
            if bare(name) not in covered:
                break
            number += 1
            salt = str(number)
        data = shard_bytes(self.encoder_id, ids, views, stored, digest=digest, salt=salt)
        self._files.commit(name, data)
        return name

    def ids(self) -> IdArray:
        """Return the identities of all images that have a vector, shape (n,), unique."""
        ids, views = read_listed(self._listing, self._read_pairs)
        return np.unique(ids[views == 0])

    def held(self) -> tuple[IdArray, npt.NDArray[np.int64]]:
        """Return the images that have a vector, and how many views of each are stored.

        Returns
        -------
        ids : array of V32, shape (n,)
            Unique, sorted.
        counts : array of int64, shape (n,)
            Views from 0 on, without a gap.
        """
        return without_gaps(*read_listed(self._listing, self._read_pairs))

    def load(self) -> FeatureMatrix:
        """Read all vectors of view 0 into one array.

        Returns
        -------
        FeatureMatrix
            One row an image, in the order of the shards' names.

        Raises
        ------
        StoreCorrupt
            A shard is damaged, or is none of this encoder. Checksums are not compared here,
            for speed: that is what ``icehouse fsck`` is for.
        """
        return read_listed(self._listing, self._load)

    def rows(self) -> VectorRows:
        """Return the vectors of view 0 where they lie, to read some or all of them.

        The rows are those of :meth:`load`, in the same order. Files on a disk are mapped; what is
        not read takes no memory. Those at a URL are fetched.

        Raises
        ------
        StoreCorrupt
            As :meth:`load`, but vectors are not looked at.
        """
        return read_listed(self._listing, self._rows)

    def load_views(self, of: IdArray) -> tuple[FeatureMatrix, ViewArray]:
        """Read the augmented views of some images, a row for each, and their numbers from 1."""

        def read(names: list[str]) -> tuple[IdArray, ViewArray, npt.NDArray[np.floating[Any]]]:
            return read_views(self._files, *self._dead(names), of)

        ids, views, vectors = read_listed(self._listing, read)
        return FeatureMatrix(self.encoder_id, ids, vectors), views

    def _listing(self) -> list[str]:
        # Tombstones first: one that is seen after its shards may have been carried out since.
        return [*self.tombstones.names(), *self.shards()]

    def _dead(self, names: list[str]) -> tuple[list[str], Mapping[str, IdArray]]:
        """Divide a listing into the shards, and the dead images by shard."""
        stones = [name for name in names if name.startswith(f"{self.tombstones.folder}/")]
        return names[len(stones) :], dead_by_shard(map(self.tombstones.read, stones))

    def _read_pairs(self, names: list[str]) -> tuple[IdArray, ViewArray]:
        """Return image and view of all vectors, as often as they are stored."""
        shards, dead = self._dead(names)
        ids, views = [np.empty(0, ID_DTYPE)], [np.empty(0, np.int16)]

        def read(name: str) -> pa.Table:
            return read_shard(name, open_shard(self._files, name, part=True), None, COLUMNS[:2])

        for name, table in zip(shards, self._files.each(shards, read), strict=True):
            images = ids_from_arrow(table["image_id"])
            living = alive(images, dead.get(bare(name)))
            ids.append(images[living])
            views.append(table["view"].to_numpy()[living])
        return np.concatenate(ids), np.concatenate(views)

    def _rows(self, names: list[str]) -> VectorRows:
        return open_rows(self._files, self.encoder_id, *self._dead(names))

    def _load(self, names: list[str]) -> FeatureMatrix:
        rows = self._rows(names)
        return FeatureMatrix(self.encoder_id, rows.ids, rows.loaded(self._files))

    def _read_card(self) -> dict[str, Any]:
        name = f"{self.folder}/{CARD}"
        try:
            card: dict[str, Any] = json.loads(self._files.read(name))
        except FileNotFoundError:
            raise LookupFailed(f"the store has no features of encoder {self.encoder_id}") from None
        except ValueError as error:
            raise StoreCorrupt(f"{name} is not JSON: {error}. {REMEDY}") from error
        return card

    def _canary_digest(self) -> str | None:
        try:
            return hashlib.sha256(self._files.read(f"{self.folder}/{CANARY}")).hexdigest()
        except FileNotFoundError:
            return None


def card_digest(card: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what ``encoder.json`` says, its seal left out."""
    said = {name: value for name, value in card.items() if name != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
