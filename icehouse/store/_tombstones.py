"""Tombstones: vectors that are to be forgotten, until their bytes are gone.

A tombstone is an immutable file ``features/<encoder_id>/_forgotten/<sha256>.parquet`` that holds
image_ids and, in its footer, the names of the shards in which their vectors are dead. It covers
what there was when it was made: an image that is embedded again comes into another shard, and
lives. (Parquet readers take folders that begin with an underscore for no data.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.errors import StoreCorrupt
from icehouse.store._files import Files, read_listed
from icehouse.store._ids import ID_DTYPE, IdArray, ids_from_arrow, ids_to_arrow, positions
from icehouse.store._shard import DAMAGE, NAME_DIGITS, REMEDY, bare

FOLDER = "_forgotten"


@dataclass(frozen=True)
class Tombstone:
    """Images whose vectors in some shards are dead.

    Attributes
    ----------
    name : str
        Of its file, relative to the store.
    ids : array of V32, shape (n,)
        Sorted, unique.
    shards : frozenset of str
        Last parts of the names of the shards.
    """

    name: str
    ids: IdArray
    shards: frozenset[str]


class Tombstones:
    """The tombstones of one encoder.

    Parameters
    ----------
    files : Files
    folder : str
        That the encoder's shards lie in.
    """

    def __init__(self, files: Files, folder: str) -> None:
        self._files = files
        self.folder = f"{folder}/{FOLDER}"

    def names(self) -> list[str]:
        """Return the names of the tombstones, sorted, relative to the store."""
        return self._files.names(self.folder, ".parquet")

    def commit(self, ids: IdArray, shards: Iterable[str]) -> str:
        """Let the vectors of images be dead in shards, and return the tombstone's name."""
        ids = np.unique(ids)
        covered = json.dumps(sorted({bare(name) for name in shards}))
        digest = _digest(ids, covered)
        metadata = {"icehouse.shards": covered, "icehouse.sha256": digest}
        table = pa.table({"image_id": ids_to_arrow(ids)}).replace_schema_metadata(metadata)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        name = f"{self.folder}/{digest[:NAME_DIGITS]}.parquet"
        self._files.commit(name, memoryview(sink.getvalue()))
        return name

    def read(self, name: str) -> Tombstone:
        """Read a tombstone; FileNotFoundError where it is gone.

        Raises
        ------
        StoreCorrupt
            It is damaged. (It is small, and what it hides must not come to light: so its
            checksum is compared whenever it is read.)
        """
        try:
            table = pq.ParquetFile(self._files.open(name)).read()
            metadata = table.schema.metadata or {}
            ids, covered = ids_from_arrow(table["image_id"]), metadata[b"icehouse.shards"].decode()
            digest = _digest(ids, covered)
            sound = digest == metadata[b"icehouse.sha256"].decode()
        except FileNotFoundError:
            raise
        except DAMAGE as error:
            raise StoreCorrupt(f"tombstone {name} is damaged: {error!r}. {REMEDY}") from error
        if not sound or bare(name) != f"{digest[:NAME_DIGITS]}.parquet":
            raise StoreCorrupt(
                f"tombstone {name} is damaged: its checksum is not {digest}. {REMEDY}"
            )
        return Tombstone(name, ids, frozenset(json.loads(covered)))

    def covered(self) -> frozenset[str]:
        """Return the last parts of the names of all shards that hold something dead."""

        def read(names: list[str]) -> frozenset[str]:
            return frozenset().union(*(self.read(name).shards for name in names))

        return read_listed(self.names, read)


def dead_by_shard(stones: Iterable[Tombstone]) -> Mapping[str, IdArray]:
    """Return the dead images of each shard, sorted and unique, by the last part of its name."""
    dead: dict[str, IdArray] = {}
    for stone in stones:
        for shard in stone.shards:
            dead[shard] = np.union1d(dead.get(shard, np.empty(0, ID_DTYPE)), stone.ids)
    return dead


def alive(ids: IdArray, dead: IdArray | None) -> npt.NDArray[np.bool_]:
    """Say which images of a shard are none of its dead ones, shape (n,)."""
    return np.ones(len(ids), np.bool_) if dead is None else positions(ids, dead) < 0


def _digest(ids: IdArray, covered: str) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(ids).view(np.uint8).data)
    digest.update(covered.encode())
    return digest.hexdigest()
