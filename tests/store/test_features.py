"""Vectors: how they lie on the disk, that they load as they were, and what is refused."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icehouse.errors import LookupFailed, StoreCorrupt, StoreError, StoreUnwritable, VectorError
from icehouse.store import (
    FeatureShards,
    IdArray,
    ids_from_arrow,
    ids_from_bytes,
    ids_to_arrow,
    image_id,
)
from icehouse.store._local_files import LocalFiles

Vectors = npt.NDArray[np.floating[Any]]


@pytest.fixture
def features(tmp_path: Path) -> FeatureShards:
    return FeatureShards(LocalFiles(tmp_path), "tiny-0123")


def some_ids(numbers: Sequence[int] | range) -> IdArray:
    return ids_from_bytes([image_id(str(number).encode()) for number in numbers])


def some_vectors(rows: int, dim: int = 4, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)


def shard_path(features: FeatureShards, tmp_path: Path) -> Path:
    [name] = features.shards()
    return tmp_path / name


def write_by_hand(path: Path, ids: IdArray, views: Sequence[int], vectors: Vectors) -> None:
    """Write a shard as another program would, that knows the layout only."""
    field = pa.field("element", pa.from_numpy_dtype(vectors.dtype), nullable=False)
    kind = pa.list_(field, vectors.shape[1])
    table = pa.table(
        [
            ids_to_arrow(ids),
            pa.array(views, pa.int16()),
            pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), type=kind),
        ],
        schema=pa.schema(
            [
                pa.field("image_id", pa.binary(32), nullable=False),
                pa.field("view", pa.int16(), nullable=False),
                pa.field("vector", kind, nullable=False),
            ],
            metadata={"icehouse.rows": str(len(ids))},
        ),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_schema_of_a_shard_is_exactly_that_of_the_contract(
    features: FeatureShards, tmp_path: Path, dtype: str
) -> None:
    features.append(some_ids(range(5)), some_vectors(5, 7), dtype)
    schema = pq.read_schema(shard_path(features, tmp_path)).remove_metadata()
    kind = {"float16": pa.float16(), "float32": pa.float32()}[dtype]
    assert schema == pa.schema(
        [
            pa.field("image_id", pa.binary(32), nullable=False),
            pa.field("view", pa.int16(), nullable=False),
            pa.field(
                "vector", pa.list_(pa.field("element", kind, nullable=False), 7), nullable=False
            ),
        ]
    )
    assert pa.types.is_fixed_size_list(schema.field("vector").type)
    assert not schema.field("vector").type.value_field.nullable


def test_vectors_are_stored_plain_in_row_groups_of_some_ten_thousand(
    features: FeatureShards, tmp_path: Path
) -> None:
    features.append(some_ids(range(20_000)), some_vectors(20_000), "float16")
    metadata = pq.read_metadata(shard_path(features, tmp_path))
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [16_384, 3_616]
    for group in groups:
        columns = [group.column(number) for number in range(group.num_columns)]
        assert [c.path_in_schema for c in columns] == ["image_id", "view", "vector.list.element"]
        assert {c.compression for c in columns} == {"UNCOMPRESSED"}
        assert not any(c.has_dictionary_page for c in columns)
        assert not any("DICTIONARY" in encoding for c in columns for encoding in c.encodings)
        assert [c.is_stats_set for c in columns] == [True, True, False]


def test_a_shard_carries_its_own_count_and_checksum(
    features: FeatureShards, tmp_path: Path
) -> None:
    features.append(some_ids(range(20_000)), some_vectors(20_000), "float16")
    path = shard_path(features, tmp_path)
    table = pq.read_table(path)
    rows = b"".join(table["image_id"].to_pylist())
    flat = table["vector"].combine_chunks().flatten().to_numpy()
    footer = pq.read_metadata(path).metadata
    assert footer[b"icehouse.rows"] == b"20000"
    digest = hashlib.sha256(rows + flat.tobytes()).hexdigest()
    assert footer[b"icehouse.sha256"].decode() == digest
    assert path.name == f"{digest[:24]}.parquet"


def test_a_shard_is_read_by_plain_pyarrow(features: FeatureShards, tmp_path: Path) -> None:
    ids, vectors = some_ids(range(3)), some_vectors(3)
    features.append(ids, vectors, "float32")
    rows = pq.read_table(shard_path(features, tmp_path)).to_pylist()
    assert [row["image_id"] for row in rows] == [one.tobytes() for one in ids]
    assert [row["view"] for row in rows] == [0, 0, 0]
    assert [row["vector"] for row in rows] == vectors.tolist()


def test_the_same_rows_make_the_same_file(features: FeatureShards) -> None:
    ids, vectors = some_ids(range(3)), some_vectors(3)
    first = features.append(ids, vectors, "float16")
    assert features.append(ids.copy(), vectors.astype(np.float64), "float16") == first
    assert features.shards() == [first]
    assert len(features.load()) == 3


def test_other_rows_make_another_file(features: FeatureShards) -> None:
    ids, vectors = some_ids(range(3)), some_vectors(3)
    names = {
        features.append(ids, vectors, "float16"),
        features.append(ids, -vectors, "float16"),
        features.append(ids[::-1], vectors, "float16"),
        features.append(ids[:2], vectors[:2], "float16"),
    }
    assert len(names) == 4
    assert features.shards() == sorted(names)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_many_shards_and_row_groups_load_as_one_array_beside_its_ids(
    features: FeatureShards, dtype: str
) -> None:
    sizes, parts = (17_000, 1, 33_000), {}
    for number, size in enumerate(sizes):
        ids = some_ids(range(number * 100_000, number * 100_000 + size))
        vectors = some_vectors(size, 3, seed=number)
        parts[features.append(ids, vectors, dtype)] = ids, vectors.astype(dtype)
    loaded = features.load()
    assert loaded.encoder_id == "tiny-0123"
    assert len(loaded) == sum(sizes)
    assert loaded.vectors.dtype == dtype
    assert loaded.vectors.shape == (sum(sizes), 3)
    assert loaded.vectors.flags.c_contiguous
    assert np.array_equal(loaded.ids, np.concatenate([parts[name][0] for name in sorted(parts)]))
    expected = np.concatenate([parts[name][1] for name in sorted(parts)])
    assert np.array_equal(loaded.vectors, expected)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    dim=st.integers(1, 5),
    dtype=st.sampled_from(["float16", "float32"]),
    seed=st.integers(0, 9),
)
def test_whatever_was_appended_is_found_by_its_id(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], dim: int, dtype: str, seed: int
) -> None:
    features = FeatureShards(LocalFiles(tmp_path_factory.mktemp("features")), "e")
    expected: dict[bytes, list[float]] = {}
    for size in sizes:
        vectors = some_vectors(size, dim, seed)
        ids = some_ids(range(len(expected), len(expected) + size))
        features.append(ids, vectors, dtype)
        stored = vectors.astype(dtype).tolist()
        expected |= {one.tobytes(): row for one, row in zip(ids, stored, strict=True)}
    loaded = features.load()
    found = {
        one.tobytes(): row for one, row in zip(loaded.ids, loaded.vectors.tolist(), strict=True)
    }
    assert found == expected
    assert {one.tobytes() for one in features.ids()} == expected.keys()


def test_vectors_are_rounded_to_the_nearest_float16(features: FeatureShards) -> None:
    vectors = np.array([[0.1, -1 / 3, 65_504.0, 1e-9]])
    features.append(some_ids([0]), vectors, "float16")
    loaded = features.load().vectors
    assert loaded.dtype == np.float16
    assert np.array_equal(loaded, np.array([[0.1, -1 / 3, 65_504.0, 0.0]], np.float16))


def test_a_strided_view_of_vectors_and_ids_is_stored_right(features: FeatureShards) -> None:
    ids, vectors = some_ids(range(6)), some_vectors(4, 12).T
    features.append(ids[::2], vectors[::2][:3], "float32")
    loaded = features.load()
    assert np.array_equal(loaded.ids, ids[::2])
    assert np.array_equal(loaded.vectors, vectors[::2][:3])


def test_what_two_writers_both_stored_is_loaded_once(features: FeatureShards) -> None:
    shared = {}
    for seed, numbers in ((1, [0, 1, 2, 3]), (2, [2, 3, 4]), (3, [5, 0])):
        vectors = some_vectors(len(numbers), seed=seed).astype(np.float16)
        shared[features.append(some_ids(numbers), vectors, "float16")] = numbers, vectors
    expected: dict[int, list[float]] = {}
    for name in sorted(shared):
        for number, vector in zip(*shared[name], strict=True):
            expected.setdefault(number, vector.tolist())
    loaded = features.load()
    assert np.array_equal(loaded.ids, some_ids(list(expected)))
    assert loaded.vectors.tolist() == list(expected.values())
    assert loaded.vectors.flags.c_contiguous
    assert len(features.ids()) == 6


def test_an_image_twice_in_one_shard_is_loaded_once(features: FeatureShards) -> None:
    features.append(some_ids([7, 8, 7]), np.array([[1.0], [2.0], [3.0]]), "float16")
    loaded = features.load()
    assert np.array_equal(loaded.ids, some_ids([7, 8]))
    assert loaded.vectors.tolist() == [[1.0], [2.0]]


def test_augmented_views_are_not_loaded(features: FeatureShards, tmp_path: Path) -> None:
    vectors = some_vectors(5).astype(np.float16)
    path = tmp_path / features.folder / "by-hand.parquet"
    write_by_hand(path, some_ids([1, 2, 2, 3, 3]), [0, 1, 0, 2, 1], vectors)
    features.append(some_ids([9]), some_vectors(1, seed=9), "float16")
    loaded = features.load()
    found = dict(zip([one.tobytes() for one in loaded.ids], loaded.vectors.tolist(), strict=True))
    assert len(loaded) == 3
    assert found[image_id(b"1")] == vectors[0].tolist()
    assert found[image_id(b"2")] == vectors[2].tolist()
    assert image_id(b"3") not in found


def test_writers_at_work_at_once_lose_nothing(features: FeatureShards) -> None:
    def write(number: int) -> None:
        for part in range(3):
            start = number * 300 + part * 100
            features.append(some_ids(range(start, start + 100)), some_vectors(100), "float16")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert np.array_equal(np.sort(features.load().ids), np.sort(some_ids(range(900))))


def test_an_encoder_without_vectors_loads_as_nothing(features: FeatureShards) -> None:
    assert features.shards() == []
    assert len(features.ids()) == 0
    assert features.ids().dtype == np.dtype("V32")
    assert len(features.load()) == 0


def test_ids_are_sorted_and_unique_over_shards_and_row_groups(features: FeatureShards) -> None:
    features.append(some_ids(range(20_000)), some_vectors(20_000, 1), "float16")
    features.append(some_ids(range(19_990, 20_010)), some_vectors(20, 1), "float16")
    assert np.array_equal(features.ids(), np.sort(some_ids(range(20_010))))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_vector_that_is_not_finite_is_refused_by_image_and_nothing_is_written(
    features: FeatureShards, tmp_path: Path, dtype: str, value: float
) -> None:
    vectors = some_vectors(4)
    vectors[2:, 1] = value
    first = image_id(b"2").hex()[:12]
    with pytest.raises(VectorError, match=rf"2 vectors \(first: image {first}\) hold NaN or inf"):
        features.append(some_ids(range(4)), vectors, dtype)
    assert list(tmp_path.iterdir()) == []


def test_a_vector_too_large_for_float16_is_refused_with_the_remedy(
    features: FeatureShards, tmp_path: Path
) -> None:
    vectors = some_vectors(4)
    vectors[1, 3] = -70_000
    with pytest.raises(VectorError, match=r"1 vectors .* too large for float16.*dtype float32"):
        features.append(some_ids(range(4)), vectors, "float16")
    assert list(tmp_path.iterdir()) == []
    features.append(some_ids(range(4)), vectors, "float32")
    assert np.array_equal(features.load().vectors, vectors)


def test_a_vector_too_large_for_float32_is_refused(features: FeatureShards) -> None:
    with pytest.raises(VectorError, match="too large for float32"):
        features.append(some_ids([0]), np.array([[1e300]]), "float32")
    assert features.shards() == []


def damage(path: Path, how: str) -> None:
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(
        {
            "empty": b"",
            "garbage": b"not a Parquet file at all",
            "cut": whole[: len(whole) // 2],
            "last byte lost": whole[:-1],
            "overwritten": whole[:4] + b"\xff" * 200 + whole[204:],
        }[how]
    )


@pytest.mark.parametrize("how", ["empty", "garbage", "cut", "last byte lost", "overwritten"])
def test_a_damaged_shard_is_reported_by_name_and_not_loaded_in_part(
    features: FeatureShards, tmp_path: Path, how: str
) -> None:
    features.append(some_ids(range(10)), some_vectors(10), "float16")
    [good] = features.shards()
    name = features.append(some_ids(range(10, 200)), some_vectors(190), "float16")
    damage(tmp_path / name, how)
    with pytest.raises(StoreCorrupt, match=rf"shard {name} is damaged: "):
        features.load()
    (tmp_path / name).unlink()
    assert features.shards() == [good]
    assert len(features.load()) == 10


@pytest.mark.parametrize("how", ["empty", "garbage", "cut", "last byte lost"])
def test_the_ids_of_a_damaged_shard_are_reported_as_damaged(
    features: FeatureShards, tmp_path: Path, how: str
) -> None:
    name = features.append(some_ids(range(190)), some_vectors(190), "float16")
    damage(tmp_path / name, how)
    with pytest.raises(StoreCorrupt, match=rf"shard {name} is damaged: "):
        features.ids()


def test_the_ids_of_an_overwritten_shard_are_reported_as_damaged(
    features: FeatureShards, tmp_path: Path
) -> None:
    name = features.append(some_ids(range(190)), some_vectors(190), "float16")
    damage(tmp_path / name, "overwritten")
    with pytest.raises(StoreCorrupt, match=rf"shard {name} is damaged: "):
        features.ids()


def test_a_leftover_of_a_killed_writer_is_ignored(features: FeatureShards, tmp_path: Path) -> None:
    name = features.append(some_ids(range(3)), some_vectors(3), "float16")
    (tmp_path / features.folder / ".tmp-0123.parquet").write_bytes(b"PAR1 half")
    assert features.shards() == [name]
    assert len(features.load()) == 3


def test_a_write_that_fails_midway_leaves_the_earlier_vectors(
    features: FeatureShards, tmp_path: Path, python: Callable[..., Any]
) -> None:
    name = features.append(some_ids(range(10)), some_vectors(10), "float16")
    script = """
import resource, sys
from pathlib import Path
import numpy as np
from icehouse.errors import StoreUnwritable
from icehouse.store import FeatureShards, ids_from_bytes, image_id
from icehouse.store._local_files import LocalFiles
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
features = FeatureShards(LocalFiles(Path(sys.argv[1])), sys.argv[2])
ids = ids_from_bytes([image_id(str(number).encode()) for number in range(1000)])
try:
    features.append(ids, np.ones((1000, 8)), "float16")
except StoreUnwritable as error:
    print(error)
"""
    done = python(script, tmp_path, features.encoder_id)
    assert done.returncode == 0, done.stderr
    assert "cannot write" in done.stdout
    assert [path.name for path in (tmp_path / features.folder).iterdir()] == [Path(name).name]
    assert np.array_equal(features.load().ids, some_ids(range(10)))


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "features").write_bytes(b"")
    features = FeatureShards(LocalFiles(tmp_path), "e")
    with pytest.raises(StoreUnwritable, match=r"cannot write .*features/e/"):
        features.append(some_ids([0]), some_vectors(1), "float16")


def test_a_loaded_matrix_lives_on_when_its_shards_are_gone(
    features: FeatureShards, tmp_path: Path
) -> None:
    vectors = some_vectors(100)
    features.append(some_ids(range(100)), vectors, "float32")
    loaded = features.load()
    shard_path(features, tmp_path).unlink()
    assert np.array_equal(loaded.vectors, vectors)
    assert loaded.vectors.flags.writeable


def test_the_card_is_read_back_and_renewed_where_the_encoder_moved(
    features: FeatureShards, tmp_path: Path
) -> None:
    assert not features.exists
    features.describe({"request": {"name": "a"}, "words": "Größe ×2"})
    features.describe({"request": {"name": "a"}, "words": "other software"})
    assert features.exists
    assert features.card == {"request": {"name": "a"}, "words": "Größe ×2"}
    features.describe({"request": {"name": "moved"}, "words": "Größe ×2"})
    assert features.card["request"] == {"name": "moved"}
    text = (tmp_path / features.folder / "encoder.json").read_text(encoding="utf-8")
    assert "Größe ×2" in text
    sealed = json.loads(text)
    assert sealed.pop("seal").keys() == {"card", "canary"}
    assert sealed == features.card


def test_the_card_of_an_unknown_encoder_is_not_found(features: FeatureShards) -> None:
    with pytest.raises(LookupFailed, match="no features of encoder tiny-0123"):
        _ = features.card


@pytest.mark.parametrize("text", [b"", b'{"name": ', b"\xff\xfe"])
def test_a_damaged_card_is_reported_by_name(
    features: FeatureShards, tmp_path: Path, text: bytes
) -> None:
    features.describe({"name": "tiny"})
    (tmp_path / features.folder / "encoder.json").write_bytes(text)
    with pytest.raises(StoreCorrupt, match=r"tiny-0123/encoder\.json is not JSON: "):
        _ = features.card


def test_encoders_do_not_share_vectors(tmp_path: Path) -> None:
    one, other = (FeatureShards(LocalFiles(tmp_path), name) for name in ("a", "b"))
    one.append(some_ids(range(3)), some_vectors(3), "float16")
    assert other.shards() == []
    assert len(other.load()) == 0


def test_a_shard_without_rows_is_refused(features: FeatureShards) -> None:
    with pytest.raises(VectorError, match="0 images take vectors"):
        features.append(some_ids([]), np.empty((0, 4)), "float16")
    with pytest.raises(VectorError, match=r"got \(3, 0\)"):
        features.append(some_ids(range(3)), np.empty((3, 0)), "float16")
    assert features.shards() == []


def test_ids_and_vectors_that_do_not_match_are_refused(features: FeatureShards) -> None:
    with pytest.raises(VectorError, match="3"):
        features.append(some_ids(range(3)), some_vectors(2), "float16")


def test_shards_of_two_widths_are_refused_or_reported(features: FeatureShards) -> None:
    def append_and_load() -> None:
        features.append(some_ids([1]), some_vectors(1, 5), "float16")
        features.load()

    features.append(some_ids([0]), some_vectors(1, 4), "float16")
    with pytest.raises((StoreError, VectorError), match="5"):
        append_and_load()


def test_a_parquet_file_that_is_no_shard_is_reported_by_name(
    features: FeatureShards, tmp_path: Path
) -> None:
    path = tmp_path / features.folder / "foreign.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table({"a": [1, 2]}), path)
    with pytest.raises(StoreCorrupt, match=r"foreign\.parquet is damaged"):
        features.load()


def test_ids_read_from_a_shard_by_plain_pyarrow_join_with_the_loaded_ones(
    features: FeatureShards, tmp_path: Path
) -> None:
    features.append(some_ids(range(50)), some_vectors(50), "float16")
    column = pq.read_table(shard_path(features, tmp_path), columns=["image_id"])["image_id"]
    assert np.array_equal(ids_from_arrow(column), features.load().ids)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_seen(dtype: type, value: float) -> None:
    from icehouse.store._shard import all_finite

    vectors = np.array([[65504.0, -65504.0], [6e-8, 0.0]], dtype)
    assert all_finite(vectors)
    assert all_finite(vectors[:0])
    vectors[1, 1] = value
    assert not all_finite(vectors)
