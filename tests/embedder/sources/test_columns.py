"""A folder's entries are columns, and nobody who takes them for a list is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icehouse.embedder import Entry, LocalFile, list_folder
from icehouse.embedder.sources import classes_of, columns_of, keys_of, part


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train/cat/b.png", "train/cat-2/a.png", "train/dog/c.png", "val/dog/d.png"):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    (tmp_path / "photos" / "train" / "mouse").mkdir()
    (tmp_path / "photos" / "train" / "mouse" / "lost.png").symlink_to("nowhere")
    return tmp_path / "photos"


def test_entries_can_be_taken_as_those_of_a_list(folder: Path) -> None:
    entries = list_folder(folder).entries
    each = list(entries)
    assert [entry.key for entry in each] == sorted(entry.key for entry in each)
    assert len(entries) == len(each) == 5
    assert [entries[n] for n in range(-5, 5)] == each + each
    assert entries == each
    assert entries[1:4:2] == each[1:4:2]
    assert entries[::-1] == each[::-1]
    assert each[2] in entries
    assert entries != each[:4]
    with pytest.raises(IndexError, match="out of bounds"):
        entries[5]


def test_an_entry_says_all_that_its_file_does(folder: Path) -> None:
    status = os.stat(folder / "train/cat/b.png")
    assert list_folder(folder).entries[1] == Entry(
        "train/cat/b.png",
        LocalFile("train/cat/b.png", str(folder)),
        bytes=15,
        mtime_ns=status.st_mtime_ns,
        labels=("cat",),
        split="train",
    )


@pytest.mark.parametrize("labels", [True, False])
def test_columns_say_what_the_entries_say(folder: Path, labels: bool) -> None:
    if os.name == "posix":
        (folder / "val" / os.fsdecode(b"bad \xff")).mkdir()
        (folder / "val" / os.fsdecode(b"bad \xff") / "e.png").write_bytes(b"e")
    (folder / "top.png").write_bytes(b"top")
    entries = list_folder(folder, labels=labels).entries
    good = [entry for entry in entries if entry.error is None]
    assert len(good) == len(entries) - 1 == 6
    fast, slow = columns_of(entries), columns_of(list(entries))
    assert fast.filter(~fast["wrong"].to_numpy()).to_pylist() == columns_of(good).to_pylist()
    assert fast["wrong"].to_pylist() == slow["wrong"].to_pylist()
    assert keys_of(entries) == keys_of(list(entries))
    assert classes_of(entries) == classes_of(list(entries))
    assert bool(classes_of(entries)) == labels


def test_a_part_shares_what_is_wrong_with_some(folder: Path) -> None:
    entries = list_folder(folder).entries
    some = part(entries, [0, 3])
    assert some == [entries[0], entries[3]]
    assert classes_of(some) == {"cat-2", "mouse"}
    assert part(entries, range(5)) is entries
    assert part([*entries], [0, 3]) == some
