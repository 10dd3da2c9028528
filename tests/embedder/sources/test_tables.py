"""A table holds the images themselves: Parquet with bytes, datasets as Hugging Face saves them."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from icehouse.embedder import Entry, Listing, embed, list_source
from icehouse.embedder.sources._recent import Recent
from icehouse.errors import ImageError, SourceError
from icehouse.store import Store


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


A, B, C = png(1), png(2), png(3)
NAMES = {"_type": "ClassLabel", "names": ["cat", "dog"]}


def parquet(path: Path, /, *, features: Any = None, rows: int = 1000, **columns: Any) -> Path:
    table = pa.table(columns)
    if features:
        noted = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": noted})
    path.parent.mkdir(exist_ok=True, parents=True)
    pq.write_table(table, path, row_group_size=rows)
    return path


def arrow(path: Path, **columns: Any) -> Path:
    table = pa.table(columns)
    path.parent.mkdir(exist_ok=True, parents=True)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


def image(*pairs: tuple[bytes | None, str | None]) -> pa.Array:
    rows = [{"bytes": data, "path": path} for data, path in pairs]
    return pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def labels(listing: Listing) -> dict[str, tuple[str, ...] | None]:
    return {entry.key: entry.labels for entry in listing.entries}


def data(listing: Listing) -> dict[str, bytes]:
    return {entry.key: entry.origin.read().data for entry in listing.entries}


def only(listing: Listing) -> Entry:
    [entry] = listing.entries
    return entry


def test_a_struct_of_bytes_and_path_is_an_image(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "x.parquet", photo=image((A, "a.png"), (B, "d/b.png")), label=["u", "v"]
    )
    listing = list_source(path)
    assert data(listing) == {"a.png": A, "d/b.png": B}
    assert labels(listing) == {"a.png": ("u",), "d/b.png": ("v",)}
    assert (listing.source, listing.name) == (f"{path}#photo", "x")
    entry = listing.entries[0]
    assert (entry.bytes, entry.mtime_ns) == (None, path.stat().st_mtime_ns)


def test_a_binary_column_is_an_image_and_rows_are_numbered(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", picture=[A, B], city=["Lund", None])
    listing = list_source(path)
    assert data(listing) == {"00000000": A, "00000001": B}
    assert [entry.extra for entry in listing.entries] == ['{"city": "Lund"}', "{}"]


def test_large_binary_and_other_columns_of_bytes_beside_image(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", image=pa.array([A], pa.large_binary()), mask=[B])
    listing = list_source(path)
    assert data(listing) == {"00000000": A}
    assert only(listing).extra is None  # no bytes among the further columns


@pytest.mark.parametrize("paths", [("a", "a"), ("a", None), (None, None)], ids=str)
def test_paths_that_are_no_keys_give_way_to_numbers(tmp_path: Path, paths: Any) -> None:
    path = parquet(tmp_path / "x.parquet", image=image((A, paths[0]), (B, paths[1])))
    assert list(labels(list_source(path))) == ["00000000", "00000001"]


def test_several_candidates_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", left=[A], right=[B])
    with pytest.raises(SourceError, match=r"left, right\. Choose one with --image-column"):
        list_source(path)
    assert only(list_source(path, image_column="right")).origin.read().data == B
    assert only(list_source(f"{path}#left")).origin.read().data == A
    with pytest.raises(SourceError, match=r"no column 'up' of image bytes. It has: left, right"):
        list_source(path, image_column="up")


def test_a_manifest_stays_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(A)
    path = parquet(tmp_path / "x.parquet", path=["a.png"], checksum=[b"1234"])
    listing = list_source(path)
    assert listing.source == str(path)
    assert data(listing) == {"a.png": A}


def test_a_path_beside_the_bytes_is_the_key(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", path=["a.png"], image=[A])
    assert data(list_source(path)) == {"a.png": A}


def test_a_table_of_neither_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", file=["a.png"])
    with pytest.raises(SourceError, match=r"neither a column 'path' .* nor a column of image byte"):
        list_source(path)


def test_class_numbers_get_their_names(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "x.parquet", image=[A, B, C], label=[1, 0, -1], features={"label": NAMES}
    )
    assert list(labels(list_source(path)).values()) == [("dog",), ("cat",), None]


@pytest.mark.parametrize(
    "feature", [{"_type": "List", "feature": NAMES}, [NAMES]], ids=["new", "old"]
)
def test_lists_of_class_numbers_get_their_names(tmp_path: Path, feature: Any) -> None:
    path = parquet(
        tmp_path / "x.parquet", image=[A, B], labels=[[1, 0], []], features={"labels": feature}
    )
    listing = list_source(path)
    assert list(labels(listing).values()) == [("dog", "cat"), ()]
    assert listing.multi_label


def test_one_class_number_called_labels_is_one_label(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", image=[A], labels=[1], features={"labels": NAMES})
    listing = list_source(path)
    assert only(listing).labels == ("dog",)
    assert not listing.multi_label


@pytest.mark.parametrize("noted", ["[]", "{", '{"info": null}'])
def test_a_note_of_another_form_says_nothing(tmp_path: Path, noted: str) -> None:
    table = pa.table({"image": [A], "label": [1]}).replace_schema_metadata({"huggingface": noted})
    pq.write_table(table, tmp_path / "x.parquet")
    assert only(list_source(tmp_path / "x.parquet")).labels == ("1",)


def test_labels_can_be_declined_and_splits_stay(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", image=[A], labels=["a;b"], split=["valid"])
    entry = only(list_source(path, labels=False))
    assert (entry.labels, entry.split) == (None, "val")
    assert only(list_source(path)).labels == ("a", "b")


def test_a_null_is_a_typed_error(tmp_path: Path, store: Store) -> None:
    path = parquet(
        tmp_path / "x.parquet", image=image((A, "a"), (None, "b"), (b"", "c"), (b"x", "d"))
    )
    report = embed(store, list_source(path), "descriptor", dataset="d")
    assert (report.inputs, report.encoded) == (4, 1)
    assert report.errors == {"empty": 2, "not-an-image": 1}
    assert report.failures[0].detail == "null; the row holds no image"
    again = embed(store, list_source(path), "descriptor", dataset="d")
    assert (again.encoded, again.reused, again.errors) == (0, 1, report.errors)


def test_null_as_a_whole_cell_is_a_typed_error(tmp_path: Path) -> None:
    cells = pa.array([None], image((A, "a")).type)
    path = parquet(tmp_path / "x.parquet", image=cells)
    with pytest.raises(ImageError, match="empty: null; the row holds no image"):
        only(list_source(path)).origin.read()


def test_the_hub_s_folder_of_parquet_gives_splits_by_name(tmp_path: Path) -> None:
    for name, row in (
        ("train-00000-of-00002", A),
        ("train-00001-of-00002", B),
        ("test-00000-of-00001", C),
    ):
        parquet(tmp_path / "hub" / "data" / f"{name}.parquet", image=image((row, None)), label=[0])
    (tmp_path / "hub" / "README.md").write_text("a card")
    listing = list_source(tmp_path / "hub")
    assert {entry.key: entry.split for entry in listing.entries} == {
        "data/test-00000-of-00001/00000000": "test",
        "data/train-00000-of-00002/00000000": "train",
        "data/train-00001-of-00002/00000000": "train",
    }
    assert sorted(data(listing).values()) == sorted([A, B, C])


def test_a_saved_dataset_is_read_with_the_names_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    arrow(
        folder / "data-00000-of-00001.arrow",
        image=image((A, "a"), (B, "b"), (C, "c")),
        label=[0, 1, 1],
    )
    arrow(folder / "cache-1234.arrow", image=image((A, "z")), label=[0])
    (folder / "state.json").write_text(
        '{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}'
    )
    (folder / "dataset_info.json").write_text(json.dumps({"features": {"label": NAMES}}))
    listing = list_source(folder)
    assert labels(listing) == {"a": ("cat",), "b": ("dog",), "c": ("dog",)}
    assert data(listing) == {"a": A, "b": B, "c": C}


def test_arrow_in_the_form_of_a_file_is_read_too(tmp_path: Path) -> None:
    table = pa.table({"image": [A, B]})
    with (
        pa.OSFile(str(tmp_path / "x.arrow"), "wb") as file,
        pa.ipc.new_file(file, table.schema) as out,
    ):
        out.write_table(table, max_chunksize=1)
    assert list(data(list_source(tmp_path / "x.arrow")).values()) == [A, B]


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "x" / "a.parquet", image=[A])
    parquet(tmp_path / "x" / "b.parquet", photo=[B])
    with pytest.raises(SourceError, match=r"b\.parquet has no column 'image' of image bytes"):
        list_source(tmp_path / "x")


@pytest.mark.parametrize("name", ["x.parquet", "x.arrow"])
def test_what_is_no_table_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / name).write_bytes(b"nothing" * 40)
    with pytest.raises(SourceError, match=f"{name} cannot be read as a table"):
        list_source(tmp_path / "x")


def test_label_and_labels_and_no_rows_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", image=[A], label=["a"], labels=["b"])
    with pytest.raises(SourceError, match="has both 'label' and 'labels'"):
        list_source(path)
    with pytest.raises(SourceError, match="holds no rows"):
        list_source(parquet(path, image=pa.array([], pa.binary())))


def test_a_damaged_group_of_rows_costs_only_its_images(tmp_path: Path, store: Store) -> None:
    pictures = [png(number) for number in range(6)]
    path = parquet(tmp_path / "x.parquet", rows=2, image=pictures)
    spoilt = bytearray(path.read_bytes())
    at = pq.ParquetFile(path).metadata.row_group(1).column(0).dictionary_page_offset
    spoilt[at : at + 10] = b"\xff" * 10
    path.write_bytes(spoilt)
    report = embed(store, list_source(path), "descriptor", dataset="d")
    assert report.inputs == 6
    assert report.encoded == 4
    assert report.errors == {"corrupt": 2}


def test_a_table_that_changed_meanwhile_is_not_read(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", image=[A])
    entry = only(list_source(path))
    parquet(path, image=[B, C])
    with pytest.raises(ImageError, match="changed since it was listed; run again"):
        entry.origin.read()


# What is held in memory.


def test_each_group_is_read_once_by_many_workers_and_few_are_kept(tmp_path: Path) -> None:
    loads: list[int] = []
    recent: Recent[bytes] = Recent(3)

    def load(number: int) -> bytes:
        loads.append(number)
        return bytes([number])

    for number in range(40):  # in order, four at a time
        threads = [
            threading.Thread(target=recent.get, args=(number // 4, lambda n=number: load(n // 4)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert loads == list(range(10))
    assert [number in recent for number in range(10)] == [False] * 7 + [True] * 3


def test_a_failure_is_told_to_all_and_not_repeated() -> None:
    tries: list[int] = []
    recent: Recent[bytes] = Recent(2)

    def fail() -> bytes:
        tries.append(1)
        raise OSError("broken")

    for _ in range(5):
        with pytest.raises(OSError, match="broken"):
            recent.get("x", fail)
    assert len(tries) == 1
