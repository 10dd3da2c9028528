"""The vectors of one encoder where they lie: in files that are mapped into memory, or fetched.

No copy is kept beside the shards: where the values of a shard lie is known from its page headers
(``_pages.py``), so a row is a slice of its file, and what is read is what is stored. Shards never
change under their names, so nothing here can be older than they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.errors import LookupFailed, StoreCorrupt
from icehouse.store._files import Files
from icehouse.store._ids import ID_BYTES, ID_DTYPE, IdArray, IdIndex, first_rows, ids_from_arrow
from icehouse.store._laid import Laid, in_memory, laid_out
from icehouse.store._pages import Offsets
from icehouse.store._shard import (
    COLUMNS,
    REMEDY,
    VectorArray,
    all_finite,
    bare,
    flat_vectors,
    is_augmented,
    is_plain,
    opened_shard,
    read_shard,
)
from icehouse.store._tombstones import alive

COPIERS = 2  # at once: a processor does not use all of its memory's speed alone
Mask = npt.NDArray[np.bool_]
CHECKED = 4 * 2**20  # bytes at once: what was just read is still in the cache


class VectorRows:
    """Vectors and the images that they belong to, row by row; see :meth:`FeatureShards.rows`.

    Attributes
    ----------
    encoder_id : str
    ids : array of V32, shape (n,)
        Without duplicates.
    shards : tuple of str
        Last parts of the names of the files that rows lie in.
    shard : array of int32, shape (n,)
        Which of them; rising.
    dim : int
    dtype : numpy.dtype
        As they are stored.
    """

    def __init__(
        self,
        encoder_id: str,
        shards: Sequence[tuple[str, Laid]],
        rows: tuple[IdArray, npt.NDArray[np.int32], Offsets],
        kind: tuple[int, np.dtype[Any]],
    ) -> None:
        self.encoder_id = encoder_id
        self.shards = tuple(bare(name) for name, _ in shards)
        self.dim, self.dtype = kind
        self.ids, self.shard, self._local = rows
        self._laid = [laid for _, laid in shards]

    @classmethod
    def of(cls, encoder_id: str, ids: IdArray, vectors: VectorArray) -> VectorRows:
        """Return rows that are in memory already."""
        kind = vectors.shape[1], vectors.dtype
        laid = in_memory(np.ascontiguousarray(vectors))
        rows = ids, np.zeros(len(ids), np.int32), np.arange(len(ids))
        return cls(encoder_id, [("", laid)], rows, kind)

    @cached_property
    def _index(self) -> IdIndex:
        return IdIndex(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def find(self, ids: IdArray) -> Offsets:
        """Return the row of each image, int64 of shape (m,), or -1."""
        return self._index.find(ids)

    def take(self, ids: IdArray) -> VectorArray:
        """Return the vectors of some images, shape (m, D).

        Raises
        ------
        LookupFailed
            An image has none.
        """
        rows = self.find(ids)
        if (rows < 0).any():
            first = ids[int(np.argmin(rows))].tobytes().hex()[:12]
            raise LookupFailed(
                f"{int((rows < 0).sum())} images (first: {first}) have no vector of encoder "
                f"{self.encoder_id}"
            )
        return self.at(rows)

    def at(self, rows: Offsets) -> VectorArray:
        """Return the vectors of rows, in any order, shape (m, D)."""
        vectors, out = self._empty(len(rows))
        order = np.argsort(self.shard[rows], kind="stable")
        number = self.shard[rows[order]]
        for some in np.split(order, np.flatnonzero(np.diff(number)) + 1):
            if len(some):
                part = np.empty((len(some), out.shape[1]), np.uint8)
                self._laid[self.shard[rows[some[0]]]].take(self._local[rows[some]], part)
                out[some] = part
        return vectors

    def block(self, start: int, stop: int) -> VectorArray:
        """Return the vectors of rows that follow each other, shape (stop - start, D)."""
        vectors, out = self._empty(len(self.ids[start:stop]))
        self._copy(start, out)
        return vectors

    def loaded(self, files: Files) -> VectorArray:
        """Return all vectors, shape (n, D), and let go of the files: it can be asked once.

        Raises
        ------
        StoreCorrupt
            One is not finite, or a shard has become shorter.
        FileNotFoundError
            A shard is gone.
        """
        vectors, out = self._empty(len(self))
        bounds = np.searchsorted(self.shard, np.arange(len(self.shards) + 1)).tolist()
        step = max(1, CHECKED // max(out.shape[1], 1))

        def load(number: int) -> None:
            name = f"features/{self.encoder_id}/{self.shards[number]}"
            laid, (first, last) = self._laid[number], bounds[number : number + 2]
            with files.open(name) if laid.mapped else nullcontext() as file:
                for start in range(first, last, step):
                    some = slice(start, min(start + step, last))
                    if file is None:
                        laid.copy(self._local[some], out[some])
                    else:
                        _read(name, laid, file, self._local[some], out[some])
                    if not all_finite(vectors[some]):
                        raise StoreCorrupt(f"shard {name} holds NaN or infinity. {REMEDY}")
            self._laid[number] = in_memory(vectors[:0])  # what was fetched makes room

        with ThreadPoolExecutor(COPIERS) as pool:
            list(pool.map(load, range(len(self.shards))))
        return vectors

    def _empty(self, rows: int) -> tuple[VectorArray, npt.NDArray[np.uint8]]:
        vectors = np.empty((rows, self.dim), self.dtype)
        return vectors, vectors.view(np.uint8)

    def _copy(self, start: int, out: npt.NDArray[np.uint8]) -> None:
        while len(out):
            number = int(self.shard[start])
            last = int(np.searchsorted(self.shard, number, side="right"))
            size = min(last - start, len(out))
            self._laid[number].copy(self._local[start : start + size], out[:size])
            start, out = start + size, out[size:]


def open_rows(
    files: Files, encoder_id: str, names: Sequence[str], dead: Mapping[str, IdArray]
) -> VectorRows:
    """Open shards; FileNotFoundError where one is gone.

    Parameters
    ----------
    files : Files
    encoder_id : str
    names : sequence of str
        Of shards, in the order of their rows. Of several rows of an image the first counts.
    dead : mapping of str to array of V32
        The forgotten images of a shard, by the last part of its name.
    """
    opened = files.each(names, partial(_open, files))
    shards = [each for each in opened if each is not None]
    kinds = {kind for *_, kind in shards}
    if len(kinds) > 1:
        raise StoreCorrupt(
            f"features/{encoder_id} holds vectors of several types: {kinds}. {REMEDY}"
        )
    kind = kinds.pop() if kinds else pa.list_(pa.float16(), 0)
    local = []
    for name, _, images, plain, _ in shards:
        if bare(name) in dead:
            here = alive(images.all_as(ID_DTYPE), dead[bare(name)])
            plain = here if plain is None else plain & here
        local.append(np.arange(len(images)) if plain is None else np.flatnonzero(plain))
    sizes = [len(each) for each in local]
    ids = np.empty(sum(sizes), ID_DTYPE)
    ends = np.cumsum(sizes, dtype=np.int64)
    for (_, _, images, *_), kept, end in zip(shards, local, ends.tolist(), strict=True):
        images.copy(kept, ids[end - len(kept) : end].view(np.uint8).reshape(-1, ID_BYTES))
    shard = np.repeat(np.arange(len(shards), dtype=np.int32), sizes)
    rows = ids, shard, np.concatenate([np.empty(0, np.int64), *local])
    first = first_rows(rows[0])
    if len(first) < len(shard):  # two writers at work at once may both have stored an image
        rows = rows[0][first], rows[1][first], rows[2][first]
    dtype = np.dtype(kind.value_type.to_pandas_dtype())
    laid = [(name, laid) for name, laid, *_ in shards]
    return VectorRows(encoder_id, laid, rows, (kind.list_size, dtype))


def _open(files: Files, name: str) -> tuple[str, Laid, Laid, Mask | None, Any] | None:
    """Open a shard: its vectors, its images, and which rows are plain ones, or None for all.

    None where it holds augmented views only.
    """
    file: list[pa.NativeFile] = []

    def opened() -> pa.NativeFile:
        file.append(files.open(name, mapped=True))
        return file[0]

    shard = opened_shard(name, opened)
    if is_augmented(shard):
        return None
    file[0].seek(0)
    data, kind = np.frombuffer(file[0].read_buffer(), np.uint8), shard.schema_arrow.field(2).type
    images, plain = _images(name, shard, data)
    laid = laid_out(data, shard.metadata, 2, kind.list_size, kind.value_type.bit_width // 8)
    if laid is not None:
        laid = replace(laid, mapped=isinstance(file[0], pa.MemoryMappedFile))
    else:  # another writer's: Arrow makes of it what it can
        laid = in_memory(flat_vectors(read_shard(name, shard, None, COLUMNS[2:])))
    if len(laid) != len(images):
        raise StoreCorrupt(f"shard {name} has not a vector for each of its rows. {REMEDY}")
    return name, laid, images, plain, kind


def _read(
    name: str, laid: Laid, file: pa.NativeFile, rows: Offsets, out: npt.NDArray[np.uint8]
) -> None:
    """Read rows from a shard's file, or raise StoreCorrupt."""
    try:
        laid.read(file, rows, out)
    except (EOFError, OSError) as error:
        raise StoreCorrupt(f"shard {name} is damaged: {error}. {REMEDY}") from error


def _images(
    name: str, shard: pq.ParquetFile, data: npt.NDArray[np.uint8]
) -> tuple[Laid, Mask | None]:
    """Return the image of each row, and which rows are plain ones; None for all."""
    laid = laid_out(data, shard.metadata, 0, 1, ID_BYTES) if is_plain(shard) else None
    if laid is not None:
        return laid, None
    table = read_shard(name, shard, None, COLUMNS[:2])
    ids = ids_from_arrow(table["image_id"]).view(np.uint8).reshape(-1, ID_BYTES)
    return in_memory(ids), table["view"].to_numpy() == 0
