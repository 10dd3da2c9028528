"""Identities: what they are, how they travel, and how they join."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icehouse.store import ids_from_arrow, ids_from_bytes, ids_to_arrow, image_id, positions

# Few distinct bytes, zero among them: ids that share prefixes and end in zeros are common.
one_id = st.lists(st.sampled_from([0, 1, 255]), min_size=32, max_size=32).map(bytes) | st.builds(
    lambda head: head.ljust(32, b"\0"), st.binary(max_size=2)
)
id_lists = st.lists(one_id, max_size=30)
steady = settings(derandomize=True, deadline=None)


def test_an_image_is_known_by_the_sha256_of_its_bytes() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert image_id(b"").hex() == empty
    assert image_id(b"ice") == hashlib.sha256(b"ice").digest()


@steady
@given(id_lists)
def test_ids_come_back_as_they_were_through_numpy_and_arrow(ids: list[bytes]) -> None:
    array = ids_from_bytes(ids)
    assert array.dtype == np.dtype("V32")
    assert array.shape == (len(ids),)
    assert [item.tobytes() for item in array] == ids
    column = ids_to_arrow(array)
    assert column.type == pa.binary(32)
    assert column.to_pylist() == ids
    assert [item.tobytes() for item in ids_from_arrow(column)] == ids


@pytest.mark.parametrize("tail", [1, 31, 32])
def test_trailing_zero_bytes_survive(tail: int) -> None:
    made = b"\x07" * (32 - tail) + b"\0" * tail
    ids = ids_from_bytes([made, b"\x09" * 32])
    assert ids_to_arrow(ids)[0].as_py() == made
    assert np.unique(ids)[0].tobytes() == made
    assert positions(ids_from_bytes([made]), ids).tolist() == [0]


@steady
@given(id_lists)
def test_arrays_of_ids_sort_and_lose_duplicates_as_bytes_do(ids: list[bytes]) -> None:
    array = ids_from_bytes(ids)
    assert [item.tobytes() for item in np.sort(array)] == sorted(ids)
    assert [item.tobytes() for item in np.unique(array)] == sorted(set(ids))


@steady
@given(id_lists, id_lists)
def test_positions_are_those_of_a_dict(wanted: list[bytes], among: list[bytes]) -> None:
    among = list(dict.fromkeys(among))
    where = {one: number for number, one in enumerate(among)}
    found = positions(ids_from_bytes(wanted), ids_from_bytes(among))
    assert found.dtype == np.int64
    assert found.tolist() == [where.get(one, -1) for one in wanted]


def test_positions_join_ten_thousand_ids() -> None:
    among = np.random.default_rng(0).bytes(32 * 10_000)
    ids = np.frombuffer(among, "V32")
    shuffled = np.random.default_rng(1).permutation(len(ids))
    assert np.array_equal(positions(ids[shuffled], ids), shuffled)
    assert (positions(ids[:7], ids[7:]) == -1).all()


def test_no_ids_are_found_nowhere() -> None:
    none, one = ids_from_bytes([]), ids_from_bytes([b"a" * 32])
    assert positions(none, one).tolist() == []
    assert positions(one, none).tolist() == [-1]
    assert positions(none, none).tolist() == []


def test_a_slice_of_a_column_gives_the_ids_of_the_slice() -> None:
    ids = [bytes([number]) * 32 for number in range(10)]
    column = pa.array(ids, pa.binary(32)).slice(3, 4)
    assert [item.tobytes() for item in ids_from_arrow(column)] == ids[3:7]


def test_a_column_in_chunks_gives_all_ids_in_order() -> None:
    ids = [bytes([number]) * 32 for number in range(10)]
    parts = [pa.array(part, pa.binary(32)) for part in (ids[:4], [], ids[4:])]
    assert [i.tobytes() for i in ids_from_arrow(pa.chunked_array(parts))] == ids
    assert [i.tobytes() for i in ids_from_arrow(pa.chunked_array(parts).slice(2, 5))] == ids[2:7]


def test_an_empty_column_gives_no_ids() -> None:
    assert len(ids_from_arrow(pa.array([], pa.binary(32)))) == 0
    assert len(ids_from_arrow(pa.chunked_array([], pa.binary(32)))) == 0


def test_a_column_with_nulls_is_refused() -> None:
    column = pa.array([b"a" * 32, None], pa.binary(32))
    with pytest.raises(ValueError, match="ids must not be null; filter the column first"):
        ids_from_arrow(column)


def test_ids_go_to_arrow_without_being_copied() -> None:
    ids = ids_from_bytes([bytes([number]) * 32 for number in range(4)])
    column = ids_to_arrow(ids)
    assert column.buffers()[1].address == ids.ctypes.data


def test_every_second_id_goes_to_arrow() -> None:
    ids = [bytes([number]) * 32 for number in range(6)]
    assert ids_to_arrow(ids_from_bytes(ids)[::2]).to_pylist() == ids[::2]


def test_bytes_that_are_no_whole_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="an image_id has 32 bytes"):
        ids_from_bytes([b"a" * 31])


def test_bytes_of_other_lengths_are_refused_though_they_add_up() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        ids_from_bytes([b"a" * 31, b"b" * 33])
