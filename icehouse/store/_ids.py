"""Image identities: the SHA-256 of a file's bytes.

In memory they are a numpy array of dtype ``V32`` (32 opaque bytes each), which compares,
sorts and joins without a Python loop; in Parquet a ``FixedSizeBinary(32)``; for people
hexadecimal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

ID_BYTES = 32
ID_DTYPE = np.dtype(f"V{ID_BYTES}")
ID_TYPE = pa.binary(ID_BYTES)

IdArray = npt.NDArray[np.void]


def image_id(data: bytes) -> bytes:
    """Return the identity of an image file: SHA-256 of its bytes, 32 bytes."""
    return hashlib.sha256(data).digest()


def ids_from_bytes(ids: Iterable[bytes]) -> IdArray:
    """Return 32-byte strings as an array of shape (n,) and dtype V32."""
    strings = list(ids)
    if any(len(each) != ID_BYTES for each in strings):
        raise ValueError(f"an image_id has {ID_BYTES} bytes")
    return np.frombuffer(b"".join(strings), dtype=ID_DTYPE)


def ids_from_arrow(column: pa.Array | pa.ChunkedArray) -> IdArray:
    """Return a FixedSizeBinary(32) column without nulls as an array of dtype V32, shape (n,)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if column.null_count:
        raise ValueError("ids must not be null; filter the column first")
    values = np.frombuffer(column.buffers()[1] or b"", dtype=ID_DTYPE)
    return values[column.offset : column.offset + len(column)]


def ids_to_arrow(ids: IdArray) -> pa.Array:
    """Return ids as a FixedSizeBinary(32) array, sharing their memory."""
    ids = np.ascontiguousarray(ids, dtype=ID_DTYPE)
    return pa.Array.from_buffers(ID_TYPE, len(ids), [None, pa.py_buffer(ids)])


def positions(wanted: IdArray, among: IdArray) -> npt.NDArray[np.int64]:
    """Return where each wanted id stands in another array, or -1.

    Parameters
    ----------
    wanted : array of V32, shape (n,)
    among : array of V32, shape (m,)
        Without duplicates.

    Returns
    -------
    array of int64, shape (n,)

    Examples
    --------
    >>> ids = ids_from_bytes([image_id(b"a"), image_id(b"b"), image_id(b"c")])
    >>> positions(ids[[2, 0]], among=ids[1:])
    array([ 1, -1])
    """
    if not len(among):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(among)
    slot = np.searchsorted(among, wanted, sorter=order)
    found = order[np.minimum(slot, len(among) - 1)]
    return np.where(among[found] == wanted, found, -1).astype(np.int64)
