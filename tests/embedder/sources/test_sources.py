"""A folder lists its images: none is passed over in silence, and none is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icehouse.embedder import Entry, LocalFile, list_folder, list_source
from icehouse.errors import ImageErrorKind, SourceError

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def tree(root: Path, *names: str) -> Path:
    """Make files, each of which holds its own name."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def found(folder: Path) -> dict[str, tuple[tuple[str, ...] | None, str | None]]:
    """Return labels and split by key."""
    return {entry.key: (entry.labels, entry.split) for entry in list_folder(folder).entries}


def only(folder: Path, key: str) -> Entry:
    [entry] = [entry for entry in list_folder(folder).entries if entry.key == key]
    return entry


def test_class_folders_give_labels(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.png", "cat/2.png", "dog/1.png")
    assert found(tmp_path) == {
        "cat/1.png": (("cat",), None),
        "cat/2.png": (("cat",), None),
        "dog/1.png": (("dog",), None),
    }


def test_files_at_the_top_have_no_label(tmp_path: Path) -> None:
    tree(tmp_path, "1.png", "2.png", "cat/3.png")
    assert found(tmp_path) == {
        "1.png": (None, None),
        "2.png": (None, None),
        "cat/3.png": (("cat",), None),
    }


def test_the_first_folder_is_the_class_however_deep_the_file(tmp_path: Path) -> None:
    tree(tmp_path, "cat/indoors/2020/1.png")
    assert found(tmp_path) == {"cat/indoors/2020/1.png": (("cat",), None)}


def test_split_folders_lie_above_class_folders(tmp_path: Path) -> None:
    tree(tmp_path, "train/cat/1.png", "valid/cat/2.png", "test/dog/a/3.png", "train/4.png")
    assert found(tmp_path) == {
        "train/cat/1.png": (("cat",), "train"),
        "valid/cat/2.png": (("cat",), "val"),
        "test/dog/a/3.png": (("dog",), "test"),
        "train/4.png": (None, "train"),
    }


@pytest.mark.parametrize(
    ("name", "split"),
    [("Train", "train"), ("training", "train"), ("VAL", "val"), ("validation", "val"),
     ("Testing", "test")],
)  # fmt: skip
def test_split_folders_have_several_names(tmp_path: Path, name: str, split: str) -> None:
    assert found(tree(tmp_path, f"{name}/x/1.png")) == {f"{name}/x/1.png": (("x",), split)}


def test_a_class_that_is_called_as_a_split_stays_a_class(tmp_path: Path) -> None:
    tree(tmp_path, "train/1.png", "tram/2.png")
    assert found(tmp_path) == {"train/1.png": (("train",), None), "tram/2.png": (("tram",), None)}


def test_a_file_beside_the_split_folders_has_no_split(tmp_path: Path) -> None:
    assert found(tree(tmp_path, "readme.png", "train/cat/1.png"))["readme.png"] == (None, None)


def test_labels_can_be_declined_and_splits_stay(tmp_path: Path) -> None:
    listing = list_folder(tree(tmp_path, "train/cat/1.png"), labels=False)
    assert [(entry.labels, entry.split) for entry in listing.entries] == [(None, "train")]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.png", "cat/.DS_Store", ".git/config", ".hidden/2.png", ".train/x/3.png")
    assert list(found(tmp_path)) == ["cat/1.png"]


def test_entries_carry_size_and_time_and_are_sorted(tmp_path: Path) -> None:
    tree(tmp_path, "b.png", "a/z.png", "a.png", "B.png")
    os.utime(tmp_path / "b.png", ns=(1, 1_600_000_000_000_000_007))
    listing = list_folder(tmp_path)
    assert [entry.key for entry in listing.entries] == ["B.png", "a.png", "a/z.png", "b.png"]
    last = listing.entries[-1]
    assert (last.bytes, last.mtime_ns) == (5, 1_600_000_000_000_000_007)
    assert last.origin == LocalFile("b.png", str(tmp_path))
    assert last.error is None


def test_a_listing_knows_where_it_comes_from(tmp_path: Path) -> None:
    folder = tree(tmp_path / "photos", "1.png")
    listing = list_source(folder)
    assert (listing.source, listing.name, listing.multi_label) == (str(folder), "photos", False)


def test_a_relative_folder_is_listed_by_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path / "photos", "1.png")
    monkeypatch.chdir(tmp_path)
    assert list_source("photos").source == str(tmp_path / "photos")
    assert list_folder(Path("photos")).entries[0].origin == LocalFile(
        "1.png", str(tmp_path / "photos")
    )


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path / "photos", "1.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list_source("~/photos").source == str(tmp_path / "photos")


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    tree(tmp_path / "elsewhere", "x.png", "cats/y.png")
    tree(tmp_path / "photos", "1.png")
    (tmp_path / "photos" / "link.png").symlink_to(tmp_path / "elsewhere" / "x.png")
    (tmp_path / "photos" / "cat").symlink_to(tmp_path / "elsewhere" / "cats")
    assert found(tmp_path / "photos") == {
        "1.png": (None, None),
        "cat/y.png": (("cat",), None),
        "link.png": (None, None),
    }
    assert only(tmp_path / "photos", "link.png").bytes == len("x.png")


def test_a_link_back_up_is_not_followed_round_and_round(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.png")
    (tmp_path / "cat" / "up").symlink_to(tmp_path)
    (tmp_path / "cat" / "self").symlink_to(tmp_path / "cat")
    assert list(found(tmp_path)) == ["cat/1.png"]


def test_two_links_to_one_folder_are_both_followed(tmp_path: Path) -> None:
    tree(tmp_path / "data", "1.png")
    for name in ("cat", "dog"):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / name).symlink_to(tmp_path / "data")
    assert list(found(tmp_path / "photos")) == ["cat/1.png", "dog/1.png"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("place", ["loop.png", "cat/loop.png"])
def test_a_link_to_itself_is_a_typed_entry(tmp_path: Path, place: str) -> None:
    tree(tmp_path, "cat/1.png")
    (tmp_path / place).symlink_to("loop.png")
    try:
        entry = only(tmp_path, place)
    except OSError as error:
        told = str(error)  # not the error itself: its frames hold an open folder
    else:
        assert entry.error is ImageErrorKind.NOT_A_FILE
        return
    pytest.fail(told)


def test_a_broken_link_is_a_typed_entry(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.png")
    (tmp_path / "cat" / "2.png").symlink_to("nowhere.png")
    entry = only(tmp_path, "cat/2.png")
    assert entry.error is ImageErrorKind.NOT_A_FILE
    assert entry.detail == "a link to nothing (no such file)"
    assert entry.labels == ("cat",)
    assert entry.bytes is None


def test_a_fifo_is_a_typed_entry(tmp_path: Path) -> None:
    tree(tmp_path, "1.png")
    os.mkfifo(tmp_path / "2.png")
    entry = only(tmp_path, "2.png")
    assert (entry.error, entry.detail) == (ImageErrorKind.NOT_A_FILE, "not a regular file")


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_a_folder_without_permission_is_a_typed_entry(tmp_path: Path) -> None:
    tree(tmp_path, "cat/1.png", "dog/2.png")
    (tmp_path / "dog").chmod(0)
    try:
        entry = only(tmp_path, "dog")
        assert list_folder(tmp_path).closed == {"dog"}
    finally:
        (tmp_path / "dog").chmod(0o700)
    assert entry.error is ImageErrorKind.UNREADABLE
    assert entry.detail == "no permission to read this folder"


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_a_source_without_permission_is_refused(tmp_path: Path) -> None:
    folder = tree(tmp_path / "photos", "1.png")
    folder.chmod(0)
    try:
        with pytest.raises(SourceError, match="no permission to read the folder"):
            list_folder(folder)
    finally:
        folder.chmod(0o700)


def odd_name(folder: Path, name: bytes) -> None:
    try:
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(name)
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")


def test_names_that_are_not_utf_8_are_escaped_and_can_be_opened(tmp_path: Path) -> None:
    odd_name(tmp_path, b"caf\xe9.png")
    [entry] = list_folder(tmp_path).entries
    assert entry.key == "caf\ufffde9.png"
    assert entry.origin.read().data == b"caf\xe9.png"
    entry.key.encode()  # what the catalog stores


def test_no_two_files_have_one_key(tmp_path: Path) -> None:
    odd_name(tmp_path, b"a\xff.png")
    odd_name(tmp_path, rb"a\xff.png")
    odd_name(tmp_path, "a\ufffdff.png".encode())
    odd_name(tmp_path, "a\ufffd\ufffdff.png".encode())
    keys = [entry.key for entry in list_folder(tmp_path).entries]
    assert len(set(keys)) == len(keys) == 4


def test_names_of_every_script_are_keys(tmp_path: Path) -> None:
    tree(tmp_path, "кот/ü ñ 漢字 🐈.png")
    assert found(tmp_path) == {"кот/ü ñ 漢字 🐈.png": (("кот",), None)}


@pytest.mark.parametrize("hidden", [[], [".x.png", ".d/y.png"]], ids=["empty", "hidden files"])
def test_a_folder_without_files_is_refused(tmp_path: Path, hidden: list[str]) -> None:
    tree(tmp_path, *hidden)
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    with pytest.raises(SourceError, match="holds no files; give the one with the images"):
        list_folder(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"there is no folder {tmp_path}/nowhere"):
        list_source(tmp_path / "nowhere")


def test_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "1.png")
    with pytest.raises(SourceError, match=r"1\.png is a file; give a folder, or a manifest"):
        list_source(tmp_path / "1.png")


def test_a_folder_that_is_called_as_a_manifest_is_a_folder(tmp_path: Path) -> None:
    tree(tmp_path / "photos.csv", "1.png")
    assert [entry.key for entry in list_source(tmp_path / "photos.csv").entries] == ["1.png"]
