"""A table lists images: what its cells say is kept, and what they cannot say is refused."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from icehouse.embedder import Entry, Listing, LocalFile, list_manifest, list_source
from icehouse.errors import ImageErrorKind, SourceError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "deeper/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def csv(folder: Path, text: str | bytes, **options: Any) -> Listing:
    """List a manifest of the given text."""
    data = text.encode() if isinstance(text, str) else text
    (folder / "list.csv").write_bytes(data)
    return list_source(folder / "list.csv", **options)


def parquet(folder: Path, **columns: Any) -> Listing:
    """List a Parquet manifest of the given columns."""
    pq.write_table(pa.table(columns), folder / "list.parquet")
    return list_source(folder / "list.parquet")


def labels(listing: Listing) -> dict[str, tuple[str, ...] | None]:
    return {entry.key: entry.labels for entry in listing.entries}


def test_paths_are_relative_to_the_manifest(folder: Path) -> None:
    listing = csv(folder, "path\ndeeper/c.png\na.png\n")
    assert [(entry.key, entry.origin) for entry in listing.entries] == [
        ("a.png", LocalFile(f"{folder}/a.png")),
        ("deeper/c.png", LocalFile(f"{folder}/deeper/c.png")),
    ]
    assert [entry.bytes for entry in listing.entries] == [5, 12]


def test_absolute_paths_are_taken_as_they_are(folder: Path) -> None:
    [entry] = csv(folder, f"path\n{folder}/a.png\n").entries
    assert entry.key == f"{folder}/a.png"
    assert entry.origin == LocalFile(f"{folder}/a.png")
    assert entry.error is None


def test_the_manifest_is_the_source_and_gives_the_name(folder: Path) -> None:
    listing = csv(folder, "path\na.png\n")
    assert (listing.source, listing.name) == (str(folder / "list.csv"), "list")


def test_a_relative_manifest_is_listed_by_its_absolute_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csv(folder, "path\na.png\n")
    monkeypatch.chdir(folder)
    assert list_source("list.csv").source == str(folder / "list.csv")
    assert list_manifest(Path("list.csv")).source == str(folder / "list.csv")


def test_label_is_one_label(folder: Path) -> None:
    listing = csv(folder, "path,label\na.png,cat\nb.png,dog; wolf\n")
    assert labels(listing) == {"a.png": ("cat",), "b.png": ("dog; wolf",)}
    assert not listing.multi_label


def test_labels_are_any_number(folder: Path) -> None:
    listing = csv(folder, "path,labels\na.png,cat; indoors;cat\nb.png,;\ndeeper/c.png,\n")
    assert labels(listing) == {"a.png": ("cat", "indoors"), "b.png": (), "deeper/c.png": None}
    assert listing.multi_label


def test_an_empty_cell_says_nothing(folder: Path) -> None:
    listing = csv(folder, "path,label,split,score\na.png,,,\n")
    assert listing.entries[0].labels is None
    assert listing.entries[0].split is None
    assert listing.entries[0].extra == "{}"


@pytest.mark.parametrize("text", ["NA", "null", "None", "nan", "N/A", "007", "1e3", "true", "1.0"])
def test_a_label_stays_the_text_that_it_is(folder: Path, text: str) -> None:
    assert labels(csv(folder, f"path,label\na.png,{text}\n")) == {"a.png": (text,)}
    assert labels(csv(folder, f"path,labels\na.png,{text}\n")) == {"a.png": (text,)}


def test_a_file_name_stays_the_text_that_it_is(folder: Path) -> None:
    assert list(labels(csv(folder, "path\n0012\nNA\n"))) == ["0012", "NA"]


def test_quoted_cells_may_hold_commas(folder: Path) -> None:
    assert labels(csv(folder, 'path,label\na.png,"cat, black"\n')) == {"a.png": ("cat, black",)}


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a mark at the start"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["unix", "windows"])
def test_csv_of_every_editor_is_read(folder: Path, start: bytes, end: bytes) -> None:
    text = start + end.join([b"path,label", "a.png,größe".encode(), b""])
    assert labels(csv(folder, text)) == {"a.png": ("größe",)}


def test_labels_can_be_declined(folder: Path) -> None:
    listing = csv(folder, "path,labels,split\na.png,cat,test\n", labels=False)
    assert labels(listing) == {"a.png": None}
    assert listing.entries[0].split == "test"
    assert not listing.multi_label


@pytest.mark.parametrize(
    ("text", "split"),
    [("train", "train"), ("Training", "train"), ("valid", "val"), ("TEST", "test"),
     ("holdout", "holdout")],
)  # fmt: skip
def test_splits_are_called_as_usual(folder: Path, text: str, split: str) -> None:
    assert csv(folder, f"path,split\na.png,{text}\n").entries[0].split == split


def extra(entry: Entry) -> dict[str, Any]:
    assert entry.extra is not None
    return json.loads(entry.extra)


def test_further_columns_are_kept(folder: Path) -> None:
    listing = csv(folder, "path,label,camera,score\na.png,cat,größe,1.5\nb.png,dog,,2\n")
    assert extra(listing.entries[0]) == {"camera": "größe", "score": 1.5}
    assert extra(listing.entries[1]) == {"score": 2}


def test_without_further_columns_nothing_is_kept(folder: Path) -> None:
    assert csv(folder, "path,label,split\na.png,cat,val\n").entries[0].extra is None


def test_parquet_says_what_csv_says(folder: Path) -> None:
    one = parquet(folder, path=["a.png", "b.png"], label=["cat", None], score=[1, 2])
    two = csv(folder, "path,label,score\na.png,cat,1\nb.png,,2\n")
    assert one.entries == two.entries
    assert one.name == two.name


def test_parquet_labels_are_lists(folder: Path) -> None:
    listing = parquet(
        folder, path=["a.png", "b.png", "deeper/c.png"], labels=[["x", "y", "x"], [], None]
    )
    assert labels(listing) == {"a.png": ("x", "y"), "b.png": (), "deeper/c.png": None}
    assert listing.multi_label


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["cat"]),
        pa.array(["cat"], pa.large_string()),
        pa.array(["cat"]).dictionary_encode(),
    ],
    ids=["string", "large string", "categories"],
)
def test_parquet_text_of_every_type_is_text(folder: Path, column: pa.Array) -> None:
    listing = parquet(folder, path=pa.array(["a.png"], pa.large_string()), label=column)
    assert labels(listing) == {"a.png": ("cat",)}


def test_parquet_numbers_are_labels(folder: Path) -> None:
    assert labels(parquet(folder, path=["a.png", "b.png"], label=[3, None])) == {
        "a.png": ("3",),
        "b.png": None,
    }


def test_parquet_columns_of_any_type_are_kept(folder: Path) -> None:
    when = datetime.datetime(2020, 1, 2, 3, 4, 5)
    [entry] = parquet(folder, path=["a.png"], when=[when], corners=[[1, 2, 3, 4]]).entries
    assert extra(entry) == {"when": "2020-01-02 03:04:05", "corners": [1, 2, 3, 4]}


@pytest.mark.parametrize("column", ["label", "labels"])
def test_an_empty_cell_of_parquet_says_nothing(folder: Path, column: str) -> None:
    assert labels(parquet(folder, path=["a.png"], **{column: [""]})) == {"a.png": None}


def test_a_null_among_labels_says_nothing(folder: Path) -> None:
    listing = parquet(folder, path=["a.png"], labels=pa.array([["cat", None]]))
    assert labels(listing) == {"a.png": ("cat",)}


@pytest.mark.parametrize(
    "columns",
    [
        {"path": ["a.png"], "labels": [3]},
        {"path": ["a.png"], "label": [["cat"]]},
        {"path": [b"a\xff.png"]},
    ],
    ids=["labels of numbers", "label of lists", "path of bytes"],
)
def test_a_column_of_a_wrong_type_is_refused(folder: Path, columns: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"path|label"):
        parquet(folder, **columns)


def test_a_missing_file_is_a_typed_entry(folder: Path) -> None:
    first, second = csv(folder, "path,label\na.png,cat\nnowhere.png,dog\n").entries
    assert first.error is None
    assert (second.error, second.detail) == (ImageErrorKind.UNREADABLE, "no such file")
    assert second.labels == ("dog",)


def test_a_folder_as_a_path_is_a_typed_entry(folder: Path) -> None:
    [entry] = csv(folder, "path\ndeeper\n").entries
    assert entry.error is ImageErrorKind.NOT_A_FILE


def test_a_path_that_no_file_can_have_is_a_typed_entry(folder: Path) -> None:
    [entry] = csv(folder, "path\na\0b.png\n").entries
    assert entry.error is ImageErrorKind.UNREADABLE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.png,x\n", "has no column 'path'. It has: file, label. Name the column"),
        ("Path\na.png\n", "has no column 'path'. It has: Path"),
        ("path\na.png\nb.png\na.png\n", "rows 1 and 3 are both 'a.png'; keep one row an image"),
        ("path,label\na.png,x\n,y\n", "row 2 has no path"),
        ("path,label,labels\na.png,x,y\n", "has both 'label' and 'labels'; keep 'label'"),
        ("path\n", "lists no images"),
        ("", "cannot be read as a table: Empty CSV file"),
        ("path,label\na.png\n", "cannot be read as a table: .*Expected 2 columns, got 1"),
        ("path,label\na.png,caf\xe9\n".encode("latin-1"), "cannot be read as a table: .*UTF8"),
    ],
    ids=[
        "no path", "another case", "twice", "empty", "both", "no rows", "no bytes", "ragged",
        "latin-1",
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_meant_is_refused(
    folder: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        csv(folder, text)


def test_parquet_that_is_none_is_refused(folder: Path) -> None:
    (folder / "x.parquet").write_text("path\na.png\n")
    with pytest.raises(SourceError, match=r"x\.parquet cannot be read as a table"):
        list_source(folder / "x.parquet")


def test_an_empty_path_of_parquet_is_refused(folder: Path) -> None:
    with pytest.raises(SourceError, match="row 1 has no path"):
        parquet(folder, path=["", "a.png"])


def test_a_manifest_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(SourceError, match=f"there is no manifest {folder}/nowhere.csv"):
        list_source(folder / "nowhere.csv")


def test_the_suffix_may_be_written_large(folder: Path) -> None:
    (folder / "LIST.CSV").write_text("path\na.png\n")
    assert list(labels(list_source(folder / "LIST.CSV"))) == ["a.png"]
