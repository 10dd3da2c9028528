"""Rows that are read where they lie are those that Arrow reads, whoever wrote the file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icehouse.errors import LookupFailed, StoreCorrupt
from icehouse.store import Store, ids_from_bytes, image_id
from icehouse.store._pages import page_values
from icehouse.store._shard import COLUMNS, shard_bytes

ENCODER = "some-0123456789ab"


def ids(count: int, start: int = 0) -> np.ndarray:
    return ids_from_bytes(image_id(str(n).encode()) for n in range(start, start + count))


def vectors(rows: int, dim: int, dtype: str = "float16", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, dim)).astype(dtype)


@pytest.mark.parametrize(("rows", "dim"), [(1, 1), (70_000, 3), (3000, 352), (1500, 500)])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_all_rows_and_any_of_them_are_what_was_stored(store, rows, dim, dtype):
    said = vectors(rows, dim, dtype)
    store.features(ENCODER).append(ids(rows), said, dtype)
    found = store.features(ENCODER).rows()
    assert (found.dim, found.dtype, len(found)) == (dim, np.dtype(dtype), rows)
    assert np.array_equal(found.block(0, rows), said)
    some = np.random.default_rng(1).integers(0, rows, 300)
    assert np.array_equal(found.at(some), said[some])
    assert np.array_equal(found.take(ids(rows)[some]), said[some])
    assert np.array_equal(found.block(rows // 3, rows // 2), said[rows // 3 : rows // 2])


def test_the_rows_are_those_of_load_in_its_order(store):
    features = store.features(ENCODER)
    for part in range(5):  # neighbours overlap: an image that is stored twice counts once
        features.append(ids(60, part * 40), vectors(60, 8, seed=part), "float16")
    features.tombstones.commit(ids(15, 30), features.shards()[:3])
    features.append(ids(4), vectors(4, 8), "float16", views=np.ones(4, np.int16))
    loaded, rows = features.load(), features.rows()
    assert np.array_equal(rows.ids, loaded.ids)
    assert np.array_equal(rows.block(0, len(rows)), loaded.vectors)
    assert len(np.unique(rows.ids)) == len(rows) < 300
    order = np.random.default_rng(0).permutation(len(rows))
    assert np.array_equal(rows.at(order), loaded.vectors[order])
    assert np.array_equal(rows.find(ids(3, 1000)), [-1, -1, -1])
    assert np.array_equal(rows.block(50, 170), loaded.vectors[50:170])


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.integers(1, 400),
    dim=st.integers(1, 40),
    dtype=st.sampled_from(["float16", "float32"]),
    options=st.fixed_dictionaries(
        {
            "compression": st.sampled_from(["none", "zstd", "snappy"]),
            "use_dictionary": st.booleans(),
            "data_page_version": st.sampled_from(["1.0", "2.0"]),
            "row_group_size": st.sampled_from([7, 100, 1000]),
            "data_page_size": st.sampled_from([64, 999, 2**20]),
            "write_page_checksum": st.booleans(),
            "write_statistics": st.booleans(),
        }
    ),
)
def test_whatever_writer_made_the_file(tmp_path, rows, dim, dtype, options):
    store = Store.open_or_create(tmp_path / "any.icehouse")
    said = vectors(rows, dim, dtype)
    plain = shard_bytes(ENCODER, ids(rows), np.zeros(rows, np.int16), said, digest="0" * 64)
    sink = pa.BufferOutputStream()
    pq.write_table(pq.read_table(pa.BufferReader(plain)), sink, write_batch_size=3, **options)
    store.files.commit(f"features/{ENCODER}/any.parquet", sink.getvalue().to_pybytes())
    found = store.features(ENCODER).rows()
    assert np.array_equal(found.block(0, rows), said)
    assert np.array_equal(found.at(np.arange(rows)[::-1]), said[::-1])
    assert np.array_equal(store.features(ENCODER).load().vectors, said)


def test_our_own_files_are_read_in_place(store):
    name = store.features(ENCODER).append(ids(2000), vectors(2000, 500), "float16")
    data = store.files.read(name)
    footer = pq.ParquetFile(pa.BufferReader(data)).metadata
    starts, counts = page_values(
        memoryview(data), footer.row_group(0).column(COLUMNS.index("vector")), 2
    )
    assert counts.sum() == 2000 * 500
    flat = np.concatenate(
        [np.frombuffer(data, "f2", n, at) for at, n in zip(starts, counts, strict=True)]
    )
    assert np.array_equal(flat.reshape(2000, 500), vectors(2000, 500))


def test_any_changed_byte_before_the_vectors_is_survived_or_said(store):
    features = store.features(ENCODER)
    said = vectors(300, 16)
    name = features.append(ids(300), said, "float16")
    path = Path(store.files.where(name))
    good = path.read_bytes()
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(2)
    for at in range(chunk.data_page_offset, chunk.data_page_offset + 40):
        for bit in (0, 3, 7):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :])
            with suppress(StoreCorrupt):
                assert features.load().vectors.shape == (300, 16)


def test_an_image_without_a_vector_is_said(store):
    store.features(ENCODER).append(ids(3), vectors(3, 4), "float16")
    with pytest.raises(LookupFailed, match=r"1 images \(first: .*\) have no vector"):
        store.features(ENCODER).rows().take(ids(2, 2))


def test_no_shards_are_no_rows(store):
    rows = store.features(ENCODER).rows()
    assert len(rows) == 0
    assert rows.at(np.empty(0, np.int64)).shape == (0, 0)
    assert rows.block(0, 0).shape == (0, 0)


def test_a_shard_whose_images_are_all_forgotten_is_passed_over(store):
    features = store.features(ENCODER)
    forgotten = features.append(ids(5), vectors(5, 8), "float16")
    features.tombstones.commit(ids(5), [forgotten])
    assert len(features.rows()) == len(features.load().ids) == 0
    features.append(ids(7, 10), vectors(7, 8, seed=1), "float16")
    rows = features.rows()
    assert np.array_equal(rows.ids, ids(7, 10))
    assert np.array_equal(rows.block(0, 7), vectors(7, 8, seed=1))


def test_a_shard_that_becomes_shorter_or_goes_while_it_is_loaded_is_noticed(store):
    features = store.features(ENCODER)
    name = features.append(ids(3000), vectors(3000, 352), "float16")
    rows, path = features.rows(), store.files.path(name)
    assert np.array_equal(features.rows().loaded(store.files), vectors(3000, 352))
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(StoreCorrupt, match=r"is damaged: the file ends before byte"):
        rows.loaded(store.files)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"parquet"):
        rows.loaded(store.files)


def test_joined_encoders_have_rows_too(store):
    for name, dim in (("a-0", 3), ("b-1", 4)):
        store.features(name).append(ids(20, dim), vectors(20, dim), "float16")
        store.features(name).describe({"spec": {"dim": dim}, "request": {"name": name}})
    joint = store.features("a-0+b-1")
    assert np.array_equal(joint.rows().block(0, 19), joint.load().vectors)
    assert np.array_equal(joint.rows().take(joint.ids()), joint.load().vectors)


def test_ids_that_begin_alike_are_told_apart(store):
    alike = ids_from_bytes(bytes(30) + n.to_bytes(2, "big") for n in range(500))
    said = vectors(500, 4)
    order = np.random.default_rng(0).permutation(500)
    store.features(ENCODER).append(alike[order], said[order], "float16")
    rows = store.features(ENCODER).rows()
    assert np.array_equal(rows.take(alike), said)
    assert rows.find(ids(1)).tolist() == [-1]
