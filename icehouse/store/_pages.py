"""Where the values of a plain column lie in a Parquet file, so that they can be read in place.

A vector column is neither compressed nor encoded: behind the header of each page lie levels, which
say nothing new where there are no nulls and all lists are of one length, then the values as they
are. Whoever knows where needs no decoder: a row is a slice of the file. What another writer made
otherwise is no error here: it is left to Arrow, which also says what is damaged.

The header is in Thrift's compact protocol; see PageHeader in parquet.thrift.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

DATA_PAGE = PLAIN = 0
TYPE, SIZE, STORED, PAGE = 1, 2, 3, 5  # fields of PageHeader
COUNT, ENCODING = 1, 2  # fields of DataPageHeader
STOP, TRUE, FALSE, BYTE, I16, I32, I64, BINARY, STRUCT = 0, 1, 2, 3, 4, 5, 6, 8, 12

Offsets = npt.NDArray[np.int64]


def page_values(data: memoryview, chunk: Any, width: int) -> tuple[Offsets, Offsets] | None:
    """Find the values of one column chunk.

    Parameters
    ----------
    data : memoryview
        Of the whole file.
    chunk : pyarrow.parquet.ColumnChunkMetaData
    width : int
        Bytes of a value.

    Returns
    -------
    starts, counts : arrays of int64, shape (n_pages,)
        Of each page: where its first value lies in the file, and how many follow it. None where
        the column is not plain, or its pages are not what the footer says.
    """
    if chunk.compression != "UNCOMPRESSED" or chunk.has_dictionary_page:
        return None
    at, end = chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size
    starts, counts = [], []
    try:
        while at < end:
            header, at = _struct(data, at)
            page, size = header[PAGE], header[SIZE]
            count, stored = page[COUNT], (header[TYPE], page[ENCODING], header[STORED])
            if stored != (DATA_PAGE, PLAIN, size) or not 0 <= count * width <= size:
                return None
            at += size
            starts.append(at - count * width)
            counts.append(count)
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    if at != end or end > len(data) or sum(counts) != chunk.num_values:
        return None
    return np.array(starts, np.int64), np.array(counts, np.int64)


def _struct(data: memoryview, at: int) -> tuple[dict[int, Any], int]:
    """Return the fields of a struct that are numbers or structs, and where it ends."""
    fields: dict[int, Any] = {}
    number = 0
    while (head := data[at]) & 0x0F != STOP:
        at += 1
        number += head >> 4
        if not head >> 4:
            number, at = _number(data, at)
        kind = head & 0x0F
        if kind == STRUCT:
            fields[number], at = _struct(data, at)
        elif kind in (I16, I32, I64):
            fields[number], at = _number(data, at)
        elif kind == BINARY:
            length, at = _varint(data, at)
            at += length
        elif kind == BYTE:
            at += 1
        elif kind not in (TRUE, FALSE):
            raise ValueError(f"a page header has no field of type {kind}")
    return fields, at + 1


def _number(data: memoryview, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at  # zigzag: small negative numbers are short, too


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number has no end")
