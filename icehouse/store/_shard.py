"""One feature shard as a Parquet file: how it is written, opened and proven.

A vector column is ``FixedSizeList<float16 or float32, D>`` with no nulls, no dictionary, no
statistics and no compression, so that a shard loads at about the speed of ``np.load``.
The footer carries the number of rows, the encoder, and a SHA-256 of the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.errors import StoreCorrupt, VectorError
from icehouse.store._files import Files
from icehouse.store._ids import ID_TYPE, IdArray, ids_to_arrow

ROW_GROUP_ROWS = 16_384
PAGE_BYTES = 2**30  # one page a row group: each has a header that a reader has to look at
DTYPES = {"float16": np.float16, "float32": np.float32}
COLUMNS = ["image_id", "view", "vector"]
NAME_DIGITS = 24
# What Arrow raises on bytes that were changed; a length in them may ask for any memory.
DAMAGE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError)

ViewArray = npt.NDArray[np.int16]
VectorArray = npt.NDArray[np.floating[Any]]


class RowDigest:
    """SHA-256 of the rows of a shard: ids first, then vectors, as they come.

    Parameters
    ----------
    ids : array of V32, shape (n,)
    views : array of int16, shape (n,)
        Counted in where one of them is not 0.
    salt : str
        See :meth:`FeatureShards.append`; empty for nearly all.
    """

    def __init__(self, ids: IdArray, views: ViewArray, salt: str = "") -> None:
        self._digest = hashlib.sha256(np.ascontiguousarray(ids).view(np.uint8).data)
        self._end = (views.astype("<i2").tobytes() if views.any() else b"") + salt.encode()

    def add(self, vectors: VectorArray) -> None:
        """Take in the next vectors, shape (m, D)."""
        self._digest.update(np.ascontiguousarray(vectors).view(np.uint8).data)

    def hexdigest(self) -> str:
        """Return the checksum of all that was taken in."""
        whole = self._digest.copy()
        whole.update(self._end)
        return whole.hexdigest()


def shard_bytes(
    encoder_id: str,
    ids: IdArray,
    views: ViewArray,
    vectors: VectorArray,
    *,
    digest: str,
    salt: str = "",
) -> memoryview:
    """Return a shard as the bytes of a Parquet file."""
    metadata = {
        "icehouse.rows": str(len(ids)),
        "icehouse.sha256": digest,
        "icehouse.encoder": encoder_id,
    }
    field = pa.field("element", pa.from_numpy_dtype(vectors.dtype), nullable=False)
    schema = pa.schema(
        [
            pa.field("image_id", ID_TYPE, nullable=False),
            pa.field("view", pa.int16(), nullable=False),
            pa.field("vector", pa.list_(field, vectors.shape[1]), nullable=False),
        ],
        metadata=metadata | ({"icehouse.salt": salt} if salt else {}),
    )
    flat = pa.array(vectors.reshape(-1))
    columns = [
        ids_to_arrow(ids),
        pa.array(views),
        pa.FixedSizeListArray.from_arrays(flat, type=schema.field("vector").type),
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(columns, schema=schema),
        sink,
        row_group_size=ROW_GROUP_ROWS,
        data_page_size=PAGE_BYTES,
        use_dictionary=False,
        write_statistics=["image_id", "view"],
        compression="none",
    )
    return memoryview(sink.getvalue())


def open_shard(
    files: Files, name: str, *, mapped: bool = True, part: bool = False
) -> pq.ParquetFile:
    """Open a shard and compare its footer with its rows; FileNotFoundError where it is gone.

    Raises
    ------
    StoreCorrupt
        It cannot be read, or is no shard.
    """
    return opened_shard(name, partial(files.open, name, mapped=mapped, part=part), part)


def opened_shard(
    name: str, opened: Callable[[], pa.NativeFile], part: bool = False
) -> pq.ParquetFile:
    """Do what :func:`open_shard` does with a file that another function opens."""
    try:
        # Ranges that lie together are read at once: over a network each is a request.
        shard = pq.ParquetFile(opened(), pre_buffer=part)
        schema = shard.schema_arrow
        rows = int((schema.metadata or {})[b"icehouse.rows"])
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise StoreCorrupt(f"shard {name} is damaged: {error!r}. {REMEDY}") from error
    if schema.names != COLUMNS or rows != shard.metadata.num_rows:
        raise StoreCorrupt(
            f"shard {name} has not the {rows} rows and columns that it states. {REMEDY}"
        )
    return shard


def is_augmented(shard: pq.ParquetFile) -> bool:
    """Whether a shard holds augmented views only, by the statistics in its footer."""
    stated = _stated_views(shard)
    return bool(stated) and all(low > 0 for low, _ in stated)


def is_plain(shard: pq.ParquetFile) -> bool:
    """Whether a shard holds plain images only, by the statistics in its footer."""
    stated = _stated_views(shard)
    return bool(stated) and all(low == high == 0 for low, high in stated)


def _stated_views(shard: pq.ParquetFile) -> list[tuple[int, int]]:
    """Return the first and last view of each row group, or nothing where one is not stated."""
    groups = range(shard.metadata.num_row_groups)
    column = COLUMNS.index("view")
    stated = [shard.metadata.row_group(group).column(column).statistics for group in groups]
    if not all(s is not None and s.has_min_max for s in stated):
        return []
    return [(s.min, s.max) for s in stated]


def read_shard(name: str, shard: pq.ParquetFile, group: int | None, columns: list[str]) -> pa.Table:
    """Read columns of one row group, or of all; raise StoreCorrupt where they are damaged."""
    try:
        if group is None:
            return shard.read(columns)
        return shard.read_row_group(group, columns)
    except FileNotFoundError:
        raise
    except DAMAGE as error:
        raise StoreCorrupt(f"shard {name} is damaged: {error}. {REMEDY}") from error


def flat_vectors(table: pa.Table) -> VectorArray:
    """Return the vectors of a table as an array of shape (n, D) that shares its memory."""
    column = table["vector"].combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(-1, column.type.list_size)


def without_gaps(ids: IdArray, views: ViewArray) -> tuple[IdArray, npt.NDArray[np.int64]]:
    """Return the images, unique and sorted, and how many views of each there are from 0 on."""
    if not views.any():
        unique = np.unique(ids)
        return unique, np.ones(len(unique), np.int64)
    order = np.lexsort((views, ids))
    ids, views = ids[order], views[order]
    new = np.ones(len(ids), np.bool_)
    new[1:] = (ids[1:] != ids[:-1]) | (views[1:] != views[:-1])
    ids, views = ids[new], views[new]
    unique, starts, sizes = np.unique(ids, return_index=True, return_counts=True)
    # Views are different and ascend: up to the first gap each stands at its own place.
    in_place = views == np.arange(len(ids)) - np.repeat(starts, sizes)
    counts = np.add.reduceat(in_place, starts, dtype=np.int64)
    return unique[counts > 0], counts[counts > 0]


def refuse_non_finite(
    ids: IdArray,
    vectors: npt.NDArray[np.floating[Any]],
    stored: npt.NDArray[np.floating[Any]],
    dtype: str,
) -> None:
    """Raise VectorError where a vector cannot be stored, and say what is wrong with it."""
    bad = ~np.isfinite(stored).all(axis=1)
    if not bad.any():
        return
    first = ids[int(np.argmax(bad))].tobytes().hex()[:12]
    if np.isfinite(vectors[bad]).all():
        raise VectorError(
            f"{int(bad.sum())} vectors (first: image {first}) are too large for {dtype}. "
            "Store them with --vector-dtype float32"
        )
    raise VectorError(
        f"{int(bad.sum())} vectors (first: image {first}) hold NaN or infinity. "
        "The encoder's weights are broken, or its precision is too low: try --precision float32"
    )


def all_finite(vectors: VectorArray) -> bool:
    """Whether no value is NaN or infinite."""
    if vectors.dtype != np.float16:
        return bool(np.isfinite(vectors).all())
    # The bits of NaN and infinity are the largest of their sign: ten times as fast as isfinite.
    bits = vectors.view(np.int16)
    return not bits.size or bool(bits.max() < 0x7C00 and bits.view(np.uint16).max() < 0xFC00)


def bare(name: str) -> str:
    """Return the last part of a file's name."""
    return name.rpartition("/")[2]


REMEDY = "Mend the store with: icehouse fsck --repair"
