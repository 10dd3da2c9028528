"""What is found is committed in good order: no row before its vector."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from icehouse.embedder import EncoderSpec, PreprocessSpec
from icehouse.embedder._pipeline import Outcome
from icehouse.embedder._writer import COMMIT_ROWS, Writer
from icehouse.errors import StoreUnwritable, VectorError
from icehouse.store import CatalogRow, Store, image_id

SPEC = EncoderSpec(
    family="test",
    architecture="given",
    weights_sha256="",
    preprocess=PreprocessSpec(size=(2, 2), resize_to=(2, 2)),
    precision="float32",
    normalise="none",
    dim=3,
)


def rows(*numbers: int, prefix: str = "") -> list[CatalogRow]:
    """Return a row for each number; equal numbers are equal images."""
    return [CatalogRow(f"{prefix}{n}.png", image_id(str(n).encode())) for n in numbers]


def encoded(*numbers: int) -> Outcome:
    return outcome(np.array([[n, 1, 0] for n in numbers], np.float32), *numbers)


def outcome(vectors: np.ndarray, *numbers: int) -> Outcome:
    ids = [image_id(str(n).encode()) for n in numbers]
    return Outcome(rows(*numbers), vectors, ids, [0] * len(ids))


def failed(number: int, prefix: str = "") -> Outcome:
    key = f"{prefix}{number}.png"
    row = CatalogRow(key, error="corrupt", error_detail="!", bytes=7, mtime_ns=8)
    return Outcome([row], failed=image_id(str(number).encode()))


@pytest.fixture
def writer(store: Store) -> Writer:
    return Writer(store, SPEC, "d", frozenset())


def keys(store: Store) -> list[str]:
    return sorted(store.catalog.rows("d")["key"].to_pylist()) if store.catalog.datasets() else []


def stored(store: Store) -> list[int]:
    return sorted(int(v[0]) for v in store.features(SPEC.encoder_id).load().vectors)


def test_nothing_is_written_before_there_is_enough(store: Store, writer: Writer) -> None:
    writer.add(encoded(1, 2))
    assert (keys(store), stored(store)) == ([], [])
    writer.commit()
    assert (keys(store), stored(store)) == (["1.png", "2.png"], [1, 2])
    assert (writer.encoded, writer.reused, dict(writer.errors)) == (2, 0, {})


def test_enough_is_written_at_once(store: Store, writer: Writer) -> None:
    writer.add(encoded(*range(1, COMMIT_ROWS)))
    assert stored(store) == []
    writer.add(encoded(0))
    assert len(stored(store)) == len(keys(store)) == COMMIT_ROWS


def test_to_commit_nothing_writes_nothing(store: Store, writer: Writer) -> None:
    before = sorted(store.path.rglob("*"))
    writer.commit()
    assert sorted(store.path.rglob("*")) == before


def test_each_commit_is_a_shard_and_repeats_nothing(store: Store, writer: Writer) -> None:
    for number in (1, 2, 3):
        writer.add(encoded(number))
        writer.commit()
    assert len(store.features(SPEC.encoder_id).shards()) == 3
    assert stored(store) == [1, 2, 3]
    assert len(store.catalog.rows("d")) == 3


def test_a_copy_waits_for_the_vector_of_its_image(store: Store, writer: Writer) -> None:
    writer.add(Outcome(rows(1, prefix="copy")))
    writer.commit()
    assert (keys(store), writer.reused) == ([], 0)
    writer.add(encoded(1))
    writer.commit()
    assert (keys(store), writer.reused) == (["1.png", "copy1.png"], 1)


def test_a_copy_of_what_fails_fails_alike(store: Store, writer: Writer) -> None:
    copy = CatalogRow("copy1.png", image_id(b"1"), bytes=7, mtime_ns=9, labels=("x",), split="val")
    writer.add(Outcome([copy]))
    writer.add(failed(1))
    writer.commit()
    found = {row["key"]: row for row in store.catalog.rows("d").to_pylist()}
    assert found["copy1.png"]["image_id"] is None
    assert (found["copy1.png"]["error"], found["copy1.png"]["error_detail"]) == ("corrupt", "!")
    assert (found["copy1.png"]["bytes"], found["copy1.png"]["mtime_ns"]) == (7, 9)
    assert (found["copy1.png"]["labels"], found["copy1.png"]["split"]) == (["x"], "val")
    assert dict(writer.errors) == {"corrupt": 2}


def test_what_had_a_vector_before_is_reused(store: Store) -> None:
    writer = Writer(store, SPEC, "d", frozenset([image_id(b"1")]))
    writer.add(Outcome(rows(1)))
    writer.commit()
    assert (keys(store), stored(store), writer.reused) == (["1.png"], [], 1)


def test_rows_counted_elsewhere_are_written_and_not_counted(store: Store) -> None:
    writer = Writer(store, None, "d", frozenset())
    writer.add_rows(rows(1, 2))
    writer.commit()
    assert (keys(store), writer.encoded, writer.reused) == (["1.png", "2.png"], 0, 0)


def test_no_row_is_written_whose_vector_cannot_be(store: Store, writer: Writer) -> None:
    writer.add(outcome(np.array([[np.nan, 1, 0]], np.float32), 2))
    writer.commit()
    assert isinstance(writer.refused, VectorError)
    assert "hold NaN or infinity" in str(writer.refused)
    assert (keys(store), stored(store), writer.encoded) == ([], [], 0)


def test_one_bad_vector_does_not_hold_back_the_good_ones(store: Store, writer: Writer) -> None:
    writer.add(encoded(1))
    writer.add(outcome(np.array([[np.nan, 1, 0]], np.float32), 2))
    writer.commit()
    assert writer.refused is not None
    assert (keys(store), stored(store), writer.encoded) == (["1.png"], [1], 1)


def test_a_row_is_never_there_before_its_vector(tmp_path: Path) -> None:
    # The folder of the vectors is a file, so that writing them fails; then nothing is noted.
    store = Store.create(tmp_path / "s.icehouse")
    (store.path / "features").mkdir()
    (store.path / "features" / SPEC.encoder_id).write_text("in the way")
    writer = Writer(store, SPEC, "d", frozenset())
    writer.add(encoded(1))
    with pytest.raises(StoreUnwritable, match="cannot write"):
        writer.commit()
    assert keys(store) == []


def test_views_have_shards_of_their_own(writer: Writer, store: Store) -> None:
    one = image_id(b"1")
    vectors = np.array([[1, 1, 0], [1, 2, 0], [1, 3, 0]], np.float32)
    writer.add(Outcome(rows(1), vectors, [one] * 3, [0, 1, 2]))
    writer.commit()
    features = store.features(SPEC.encoder_id)
    assert len(features.shards()) == 2
    assert features.load().vectors.tolist() == [[1, 1, 0]]
    assert (writer.encoded, writer.views) == (1, 2)


def test_an_image_with_one_bad_view_is_refused_as_a_whole(writer: Writer, store: Store) -> None:
    vectors = np.array([[1, 1, 0], [1, np.nan, 0], [2, 1, 0]], np.float32)
    ids = [image_id(b"1"), image_id(b"1"), image_id(b"2")]
    writer.add(Outcome(rows(1, 2), vectors, ids, [0, 1, 0]))
    writer.commit()
    assert writer.refused is not None
    assert stored(store) == [2]
    assert keys(store) == ["2.png"]


def test_an_image_that_two_nodes_encoded_is_stored_once(store: Store, writer: Writer) -> None:
    writer.add(encoded(1, 2))
    other = replace(encoded(2, 3, 1), rows=rows(2, 3, 1, prefix="copy-"))
    writer.add(other)
    writer.commit()
    writer.add(replace(encoded(3), rows=rows(3, prefix="later-")))
    writer.commit()
    assert stored(store) == [1, 2, 3]
    assert keys(store) == [
        "1.png",
        "2.png",
        "copy-1.png",
        "copy-2.png",
        "copy-3.png",
        "later-3.png",
    ]
    assert (writer.encoded, writer.reused, dict(writer.errors)) == (3, 3, {})
