"""The catalog: of all rows ever written for a key, the last one counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icehouse.errors import LookupFailed, StoreCorrupt, StoreError
from icehouse.store import Catalog, CatalogRow, Store, image_id
from icehouse.store._local_files import LocalFiles


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(LocalFiles(tmp_path))


def good(key: str, content: str = "", **more: object) -> CatalogRow:
    return CatalogRow(key, image_id=image_id((content or key).encode()), **more)  # type: ignore[arg-type]


def bad(key: str) -> CatalogRow:
    return CatalogRow(key, error="truncated", error_detail="ends at byte 7")


def gone(key: str) -> CatalogRow:
    return CatalogRow(key, gone=True)


def keys(catalog: Catalog, dataset: str) -> list[str]:
    return catalog.rows(dataset, ["key"])["key"].to_pylist()


FULL = CatalogRow(
    key="disc/ä 1.png",
    image_id=image_id(b"ice"),
    error=None,
    error_detail=None,
    width=640,
    height=480,
    format="PNG",
    bytes=5_000_000_000,
    mtime_ns=1_700_000_000_123_456_789,
    labels=("disc", "rund"),
    split="train",
    extra='{"camera": "x"}',
    source="/somewhere",
    gone=False,
)


@pytest.mark.parametrize(
    "row", [FULL, bad("b"), CatalogRow("c", labels=()), CatalogRow("d", labels=None)]
)
def test_a_row_comes_back_as_it_was_written(catalog: Catalog, row: CatalogRow) -> None:
    catalog.append("photos", [row])
    [record] = catalog.rows("photos").to_pylist()
    assert record.pop("dataset") == "photos"
    assert record.keys() == {field.name for field in dataclasses.fields(CatalogRow)}
    assert CatalogRow.from_table(catalog.rows("photos")) == [row]


def test_a_shard_is_read_by_plain_pyarrow(catalog: Catalog, tmp_path: Path) -> None:
    catalog.append("photos", [FULL, bad("b")])
    [shard] = (tmp_path / "catalog" / "photos").iterdir()
    table = pq.read_table(shard)
    assert table.schema.field("image_id").type == pa.binary(32)
    assert not table.schema.field("key").nullable
    assert table["dataset"].to_pylist() == ["photos", "photos"]
    assert table["key"].to_pylist() == [FULL.key, "b"]
    assert table["image_id"].to_pylist() == [FULL.image_id, None]
    assert table["error"].to_pylist() == [None, "truncated"]


def test_the_latest_row_of_a_key_replaces_the_earlier_ones(catalog: Catalog) -> None:
    catalog.append("photos", [good("a", "old"), good("b")])
    catalog.append("photos", [good("a", "new")])
    rows = {row["key"]: row["image_id"] for row in catalog.rows("photos").to_pylist()}
    assert rows == {"a": image_id(b"new"), "b": image_id(b"b")}


def test_within_one_shard_too_the_latest_row_counts(catalog: Catalog) -> None:
    catalog.append("photos", [good("a", "old"), good("b"), good("a", "new")])
    assert catalog.rows("photos", ["image_id"])["image_id"].to_pylist() == [
        image_id(b"b"),
        image_id(b"new"),
    ]


def test_rows_come_in_the_order_in_which_keys_were_last_written(catalog: Catalog) -> None:
    catalog.append("photos", [good("c"), good("a"), good("b")])
    catalog.append("photos", [good("a", "again"), good("d")])
    assert keys(catalog, "photos") == ["c", "b", "a", "d"]


def test_the_order_of_shards_holds_past_the_ninth(catalog: Catalog) -> None:
    for number in range(12):
        catalog.append("photos", [good("a", str(number))])
        [found] = catalog.rows("photos", ["image_id"])["image_id"].to_pylist()
        assert found == image_id(str(number).encode())


def test_a_gone_key_vanishes_and_may_come_back(catalog: Catalog) -> None:
    catalog.append("photos", [good("a"), good("b")])
    catalog.append("photos", [gone("a")])
    assert keys(catalog, "photos") == ["b"]
    catalog.append("photos", [good("a")])
    assert keys(catalog, "photos") == ["b", "a"]


def test_a_dataset_all_of_whose_keys_are_gone_is_empty_but_known(catalog: Catalog) -> None:
    catalog.append("photos", [good("a")])
    catalog.append("photos", [gone("a")])
    assert keys(catalog, "photos") == []
    assert catalog.datasets() == ["photos"]


written = st.builds(
    lambda make, key: make(key), st.sampled_from([good, bad, gone]), st.sampled_from("abcdef")
)


@settings(max_examples=25, derandomize=True, deadline=None)
@given(batches=st.lists(st.lists(written, min_size=1, max_size=5), min_size=1, max_size=4))
def test_any_history_gives_the_rows_of_a_dict_and_counts_that_add_up(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[CatalogRow]]
) -> None:
    catalog = Catalog(LocalFiles(tmp_path_factory.mktemp("history")))
    model: dict[str, CatalogRow] = {}
    for batch in batches:
        catalog.append("photos", batch)
        for row in batch:
            model.pop(row.key, None)
            model[row.key] = row
    expected = [row for row in model.values() if not row.gone]

    rows = catalog.rows("photos")
    assert CatalogRow.from_table(rows) == expected
    images = len(rows) - rows["image_id"].null_count
    errors = len(rows) - rows["error"].null_count
    assert len(rows) == images + errors


def test_only_the_columns_asked_for_are_returned_in_that_order(catalog: Catalog) -> None:
    catalog.append("photos", [FULL, gone("b")])
    assert catalog.rows("photos", ["split", "key"]).column_names == ["split", "key"]
    assert catalog.rows("photos", ["split"]).to_pylist() == [{"split": "train"}]


def test_no_rows_make_no_shard_and_no_dataset(catalog: Catalog, tmp_path: Path) -> None:
    catalog.append("photos", [])
    assert catalog.datasets() == []
    assert list(tmp_path.iterdir()) == []


def test_rows_may_come_from_an_iterator(catalog: Catalog) -> None:
    catalog.append("photos", (good(key) for key in "ab"))
    assert keys(catalog, "photos") == ["a", "b"]


def test_an_unknown_dataset_is_reported_with_those_that_there_are(catalog: Catalog) -> None:
    with pytest.raises(LookupFailed, match="has no dataset 'photos'; it has: none"):
        catalog.rows("photos")
    catalog.append("b", [good("a")])
    catalog.append("a", [good("a")])
    with pytest.raises(LookupFailed, match="has no dataset 'photos'; it has: a, b"):
        catalog.rows("photos")


def test_everything_holds_the_rows_in_force_of_all_datasets(catalog: Catalog) -> None:
    catalog.append("b", [good("1"), bad("2"), good("3")])
    catalog.append("a", [good("1")])
    catalog.append("b", [gone("3")])
    table = catalog.everything(["dataset", "key"])
    assert table.to_pylist() == [
        {"dataset": "a", "key": "1"},
        {"dataset": "b", "key": "1"},
        {"dataset": "b", "key": "2"},
    ]


def test_everything_of_an_empty_store_is_an_empty_table_of_the_right_types(
    catalog: Catalog,
) -> None:
    table = catalog.everything(["key", "image_id"])
    assert len(table) == 0
    assert table.schema.field("image_id").type == pa.binary(32)


def test_datasets_do_not_share_keys(catalog: Catalog) -> None:
    catalog.append("a", [good("1", "x")])
    catalog.append("b", [gone("1")])
    assert keys(catalog, "a") == ["1"]


def test_a_leftover_of_a_killed_writer_is_ignored(catalog: Catalog, tmp_path: Path) -> None:
    catalog.append("photos", [good("a")])
    (tmp_path / "catalog" / "photos" / ".tmp-00000009.parquet").write_bytes(b"PAR1 half")
    catalog.append("photos", [good("b")])
    assert keys(catalog, "photos") == ["a", "b"]


@pytest.mark.parametrize("damage", ["empty", "garbage", "cut", "overwritten"])
def test_a_damaged_shard_is_reported_by_name(catalog: Catalog, tmp_path: Path, damage: str) -> None:
    catalog.append("photos", [good(str(number)) for number in range(100)])
    [shard] = (tmp_path / "catalog" / "photos").iterdir()
    whole = shard.read_bytes()
    shard.write_bytes(
        {
            "empty": b"",
            "garbage": b"not a Parquet file at all",
            "cut": whole[: len(whole) // 2],
            "overwritten": whole[:4] + b"\xff" * 400 + whole[404:],
        }[damage]
    )
    with pytest.raises(StoreCorrupt, match=rf"catalog/photos/{shard.name} is damaged: "):
        catalog.rows("photos")


def test_a_file_in_place_of_a_datasets_folder_is_reported(catalog: Catalog, tmp_path: Path) -> None:
    catalog.append("photos", [good("a")])
    (tmp_path / "catalog" / "more").write_bytes(b"a file in place of a folder")
    with pytest.raises(StoreError, match="catalog/more"):
        catalog.append("more", [good("b")])


def test_a_dataset_whose_first_write_was_killed_does_not_hide_the_others(store: Store) -> None:
    store.catalog.append("photos", [good("a")])
    (store.path / "catalog" / "killed").mkdir()
    assert store.catalog.everything(["key"])["key"].to_pylist() == ["a"]
    assert store.find_image("a").dataset == "photos"


def test_a_foreign_parquet_file_beside_the_shards_does_not_stop_the_writer(
    catalog: Catalog, tmp_path: Path
) -> None:
    catalog.append("photos", [good("a")])
    (tmp_path / "catalog" / "photos" / "notes.parquet").write_bytes(b"")
    catalog.append("photos", [good("b")])
