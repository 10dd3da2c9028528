"""Search indexes as files: ``indexes/<encoder_id>/index.json``, and what it names by checksum.

An index is derived, and may be deleted at any time. Its file knows rows by number only. Which image
row i is stands in a file of its own beside it, with the shard that its vector was read from and
a fingerprint of that vector; so a row of an index counts only where the store still holds that
vector of that image. Both files are committed first, and ``index.json`` last.
"""

from __future__ import annotations

import hashlib
import mmap
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.errors import StoreCorrupt
from icehouse.store._cache import cache_folder
from icehouse.store._files import Files
from icehouse.store._ids import IdArray, IdIndex, first_rows, ids_from_arrow, ids_to_arrow
from icehouse.store._local_files import LocalFiles
from icehouse.store._rows import VectorRows
from icehouse.store._sealed import sealed, unsealed
from icehouse.store._shard import DAMAGE, NAME_DIGITS, VectorArray

CARD, INDEX, IDS = "index.json", ".faiss", ".parquet"
FORMAT = 1
AT_ONCE = 4096
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class IndexCard:
    """What ``index.json`` says.

    Attributes
    ----------
    encoder_id : str
    kind : str
        What was chosen; for "flat" there is no index, and search is exact.
    rows, dim : int
    parameters : dict
        Of a search.
    shards : tuple of str
        Last parts of the names of the shards that rows were read from.
    files : dict
        Name, SHA-256 and bytes of the index ("index") and of what its rows are ("ids").
    measured : dict
        Of what was chosen: recall, queries/s, latency, and so on.
    asked : dict
        What it was chosen for.
    tried : tuple of dict
        What it was chosen from.
    versions : dict
    """

    encoder_id: str
    kind: str
    rows: int
    dim: int
    parameters: Mapping[str, float]
    shards: tuple[str, ...]
    measured: Mapping[str, Any]
    asked: Mapping[str, Any]
    tried: tuple[Mapping[str, Any], ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True)
class IndexedRows:
    """What the rows of an index are.

    Attributes
    ----------
    ids : array of V32, shape (n,)
        Without duplicates.
    shard : array of int32, shape (n,)
        Places in the card's ``shards``.
    prints : array of uint64, shape (n,)
        Fingerprints of the vectors as they are stored.
    """

    ids: IdArray
    shard: npt.NDArray[np.int32]
    prints: npt.NDArray[np.uint64]

    def rows_of(self, shards: Sequence[str], rows: VectorRows) -> npt.NDArray[np.int64]:
        """Return the row of the index that is each row of the store, or -1.

        A shard never changes under its name. In another one an image is the same row if its
        vector has the same fingerprint; compaction moves vectors so.
        """
        place = IdIndex(self.ids).find(rows.ids)
        number = {name: i for i, name in enumerate(shards)}
        now = np.array([number.get(name, -1) for name in rows.shards], np.int32)
        known = np.flatnonzero(place >= 0)
        unsure = known[now[rows.shard[known]] != self.shard[place[known]]]
        for start in range(0, len(unsure), AT_ONCE):
            some = unsure[start : start + AT_ONCE]
            other = fingerprints(rows.at(some)) != self.prints[place[some]]
            place[some[other]] = -1
        return place


class IndexFiles:
    """The index of one encoder, as files.

    Parameters
    ----------
    files : Files
    encoder_id : str
    """

    def __init__(self, files: Files, encoder_id: str) -> None:
        self._files = files
        self.encoder_id = encoder_id
        self.folder = f"indexes/{encoder_id}"

    def card(self) -> IndexCard | None:
        """Return what there is to know of the index, or None where there is none.

        Raises
        ------
        StoreCorrupt
            It is damaged, or of another encoder, or made by a later version.
        """
        name = f"{self.folder}/{CARD}"
        try:
            said = unsealed(self._files.read(name))
            if said["format"] != FORMAT:
                raise ValueError(f"its format is {said['format']}, and {FORMAT} is known")
            known = {each.name for each in fields(IndexCard)}
            card = IndexCard(**{key: value for key, value in said.items() if key in known})
            card = replace(card, shards=tuple(card.shards), tried=tuple(card.tried))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(name, error) from error
        if card.encoder_id != self.encoder_id:
            raise _damaged(name, f"it is of encoder {card.encoder_id}")
        return card

    def indexed(self, card: IndexCard) -> IndexedRows:
        """Return what the rows of an index are.

        Raises
        ------
        StoreCorrupt
            The file is gone or damaged.
        """
        name = f"{self.folder}/{card.files['ids']['name']}"
        try:
            data = self._files.read(name)
            if hashlib.sha256(data).hexdigest() != card.files["ids"]["sha256"]:
                raise ValueError("its checksum is another")
            table = pq.ParquetFile(pa.BufferReader(data)).read()
            ids = ids_from_arrow(table["image_id"])
            shard, prints = table["shard"].to_numpy(), table["fingerprint"].to_numpy()
        except DAMAGE as error:
            raise _damaged(name, error) from error
        if len(ids) != card.rows or len(first_rows(ids)) != len(ids):
            raise _damaged(name, f"it has {len(ids)} rows, not {card.rows} different ones")
        return IndexedRows(ids, shard, prints)

    def path(self, card: IndexCard) -> Path:
        """Return the index as a file of this machine whose checksum was compared.

        Raises
        ------
        StoreCorrupt
            It is gone or damaged.
        """
        said = card.files["index"]
        name = f"{self.folder}/{said['name']}"
        try:
            if isinstance(self._files, LocalFiles):
                path = self._files.path(name)
                _compare(path, said)
                return path
            return self._fetched(name, said)
        except (OSError, ValueError) as error:
            raise _damaged(name, error) from error

    def _fetched(self, name: str, said: Mapping[str, Any]) -> Path:
        """Keep a file from a URL in the cache folder; those of earlier indexes go."""
        folder = cache_folder() / self.folder
        path = folder / said["name"]
        try:
            _compare(path, said)
        except (OSError, ValueError):
            data = self._files.read(name)
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob(f"*{INDEX}"):
                old.unlink(missing_ok=True)
            part = folder / uuid.uuid4().hex
            part.write_bytes(data)
            part.replace(path)
            _compare(path, said)
        return path

    def commit(self, card: IndexCard, index: Path | None, rows: IndexedRows) -> IndexCard:
        """Write an index, in the place of the one before.

        Parameters
        ----------
        card : IndexCard
            Its ``files`` are not looked at.
        index : Path or None
            A file of this machine; None for an index that is none.
        rows : IndexedRows
        """
        before, written = self._named(), {}
        if index is not None:
            written["index"] = self._commit_file(index)
            columns = {"shard": rows.shard, "fingerprint": rows.prints}
            table = pa.table({"image_id": ids_to_arrow(rows.ids), **columns})
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, use_dictionary=["shard"], compression="none")
            written["ids"] = self._commit_bytes(memoryview(sink.getvalue()), IDS)
        card = replace(card, files=written)
        self._files.commit(f"{self.folder}/{CARD}", sealed(asdict(card)))
        now = {said["name"] for said in written.values()}
        self._files.remove(*(f"{self.folder}/{name}" for name in before - now))
        return card

    def drop(self) -> list[str]:
        """Remove the index with all that lies beside it; return the names of the files."""
        card = f"{self.folder}/{CARD}"
        names = [name for suffix in (INDEX, IDS) for name in self._files.names(self.folder, suffix)]
        found = [*([card] if self._files.exists(card) else []), *names]
        if found:  # the card first: without it there is no index
            self._files.remove(*found)
        return found

    def _named(self) -> set[str]:
        try:
            card = self.card()
        except StoreCorrupt:
            return set()
        return {said["name"] for said in card.files.values()} if card else set()

    def _commit_file(self, path: Path) -> dict[str, Any]:
        with (
            open(path, "rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
            memoryview(data) as view,
        ):
            return self._commit_bytes(view, INDEX)

    def _commit_bytes(self, data: memoryview, suffix: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        name = f"{digest[:NAME_DIGITS]}{suffix}"
        self._files.commit(f"{self.folder}/{name}", data)
        return {"name": name, "sha256": digest, "bytes": len(data)}


def fingerprints(vectors: VectorArray) -> npt.NDArray[np.uint64]:
    """Return a number for each vector, shape (n,), that differs where vectors differ.

    It is a polynomial of their bits modulo 2^64: no two vectors of a store meet by accident.
    """
    bits = vectors.view(np.uint16 if vectors.itemsize == 2 else np.uint32)
    powers = np.cumprod(np.full(vectors.shape[1], MULTIPLIER))
    prints = np.empty(len(vectors), np.uint64)
    for start in range(0, len(vectors), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        prints[some] = (bits[some].astype(np.uint64) + np.uint64(1)) @ powers
    return prints


def _compare(path: Path, said: Mapping[str, Any]) -> None:
    """Raise ValueError where a file is not what it was."""
    size = path.stat().st_size
    if size != said["bytes"]:
        raise ValueError(f"it has {size:,} bytes, not {said['bytes']:,}")
    with open(path, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != said["sha256"]:
            raise ValueError("its checksum is another")


def _damaged(name: str, why: object) -> StoreCorrupt:
    return StoreCorrupt(f"{name} cannot be used: {why}. Make it anew: icehouse index build")
