"""A file under its final name is whole; a writer that fails or dies harms nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icehouse.errors import StoreUnwritable, UsageError
from icehouse.store import check_name
from icehouse.store._files import read_listed
from icehouse.store._local_files import LocalFiles


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path / "root")


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def leave_temporary(folder: Path, name: str, hours: float) -> Path:
    """Put a file there whose last change is some hours ago."""
    path = folder / name
    path.write_bytes(b"half a file")
    then = time.time() - hours * 3600
    os.utime(path, (then, then))
    return path


def test_commit_makes_the_folders_it_needs_and_returns_where_the_file_is(files: LocalFiles) -> None:
    path = Path(files.commit("a/b/c.bin", b"ice"))
    assert path == files.path("a/b/c.bin") == files.root / "a" / "b" / "c.bin"
    assert path.read_bytes() == b"ice"


def test_commit_leaves_no_other_file_behind(files: LocalFiles) -> None:
    files.commit("a.bin", b"first")
    files.commit("a.bin", memoryview(b"second"))
    assert everything_below(files.root) == ["a.bin"]
    assert files.path("a.bin").read_bytes() == b"second"


def test_commit_of_nothing_makes_an_empty_file(files: LocalFiles) -> None:
    assert Path(files.commit("a.bin", b"")).read_bytes() == b""


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_commit_returns(
    files: LocalFiles,
) -> None:
    calls: list[str] = []

    def watch(_frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called in (os.fsync, os.replace):
            calls.append(called.__name__)

    sys.setprofile(watch)
    try:
        files.commit("a.bin", b"ice")
    finally:
        sys.setprofile(None)
    assert calls.count("replace") == 1
    renamed = calls.index("replace")
    assert "fsync" in calls[:renamed]
    assert "fsync" in calls[renamed + 1 :]


def test_a_reader_never_sees_half_a_file_while_it_is_replaced(files: LocalFiles) -> None:
    size = 400_000
    path = Path(files.commit("a.bin", b"0" * size))

    def write() -> None:
        for number in range(40):
            files.commit("a.bin", str(number % 10).encode() * size)

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        data = path.read_bytes()
        seen.append((len(data), len(set(data))))
    writer.join()
    assert set(seen) <= {(size, 1)}
    assert path.read_bytes() == b"9" * size


def test_concurrent_writers_of_one_name_leave_one_whole_file(files: LocalFiles) -> None:
    contents = [bytes([65 + number]) * 100_000 for number in range(6)]
    writers = [threading.Thread(target=files.commit, args=("a.bin", data)) for data in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert files.path("a.bin").read_bytes() in contents
    assert everything_below(files.root) == ["a.bin"]


def test_names_lists_committed_files_of_one_suffix_in_order(files: LocalFiles) -> None:
    for name in ("f/b.parquet", "f/a.parquet", "f/encoder.json", "g/c.parquet"):
        files.commit(name, b"")
    assert files.names("f", ".parquet") == ["f/a.parquet", "f/b.parquet"]


def test_names_ignores_what_a_killed_writer_left(files: LocalFiles) -> None:
    files.commit("f/a.parquet", b"whole")
    leave_temporary(files.path("f"), ".tmp-0123.parquet", hours=0)
    assert files.names("f", ".parquet") == ["f/a.parquet"]


def test_a_folder_that_does_not_exist_holds_nothing(files: LocalFiles) -> None:
    assert files.names("absent", ".parquet") == []
    assert files.folders("absent") == []
    files.sweep("absent")


def test_folders_lists_folders_only_in_order(files: LocalFiles) -> None:
    for name in ("f/b/x", "f/a/x", "f/c"):
        files.commit(name, b"")
    assert files.folders("f") == ["a", "b"]


def test_sweep_removes_old_leftovers_and_nothing_else(files: LocalFiles) -> None:
    files.commit("f/a.parquet", b"whole")
    folder = files.path("f")
    old = leave_temporary(folder, ".tmp-old", hours=1.1)
    young = leave_temporary(folder, ".tmp-young", hours=0.9)
    committed = leave_temporary(folder, "a.parquet", hours=1000)
    files.sweep("f")
    assert not old.exists()
    assert young.exists()
    assert committed.exists()


def test_sweep_goes_on_after_a_leftover_that_it_cannot_remove(files: LocalFiles) -> None:
    files.commit("f/a.parquet", b"whole")
    folder = files.path("f")
    for number in range(3):
        (folder / f".tmp-{number}").mkdir()
        os.utime(folder / f".tmp-{number}", (0, 0))
        leave_temporary(folder, f".tmp-{number}-file", hours=2)
    files.sweep("f")
    assert everything_below(folder) == [".tmp-0", ".tmp-1", ".tmp-2", "a.parquet"]


def test_a_file_in_place_of_a_folder_is_reported_and_kept(files: LocalFiles) -> None:
    files.commit("a", b"ice")
    with pytest.raises(StoreUnwritable, match=r"cannot write .*a/b\.bin: .*Check who owns"):
        files.commit("a/b.bin", b"water")
    assert files.path("a").read_bytes() == b"ice"
    assert everything_below(files.root) == ["a"]


def test_a_folder_in_place_of_a_file_is_reported_and_kept(files: LocalFiles) -> None:
    files.commit("a/b.bin", b"ice")
    with pytest.raises(StoreUnwritable, match=r"cannot write .*/a: Is a directory"):
        files.commit("a", b"water")
    assert files.path("a/b.bin").read_bytes() == b"ice"
    assert everything_below(files.root) == ["a", "a/b.bin"]


def test_a_name_too_long_for_the_disk_is_reported_and_leaves_nothing(files: LocalFiles) -> None:
    files.commit("a", b"ice")
    with pytest.raises(StoreUnwritable, match=r"cannot write .*: File name too long"):
        files.commit("b" * 300, b"water")
    assert everything_below(files.root) == ["a"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission_is_reported(files: LocalFiles) -> None:
    files.commit("a", b"ice")
    files.root.chmod(0o500)
    try:
        with pytest.raises(StoreUnwritable, match=r"cannot write .*: Permission denied"):
            files.commit("a", b"water")
        assert files.path("a").read_bytes() == b"ice"
    finally:
        files.root.chmod(0o700)


def test_a_read_only_disk_is_reported_and_still_read(
    files: LocalFiles, python: Callable[..., Any], read_only: Callable[[Path], tuple[str, ...]]
) -> None:
    files.commit("a", b"ice")
    script = """
import sys
from pathlib import Path
from icehouse.errors import StoreUnwritable
from icehouse.store._local_files import LocalFiles
files = LocalFiles(Path(sys.argv[1]))
try:
    files.commit("a", b"water")
except StoreUnwritable as error:
    print(error)
print(files.path("a").read_bytes(), files.names("", "a"))
"""
    done = python(script, files.root, prefix=read_only(files.root))
    assert done.returncode == 0, done.stderr
    assert "Read-only file system. Check who owns the store" in done.stdout
    assert "b'ice' ['/a']" in done.stdout


def test_a_full_disk_is_reported_as_such_and_leaves_the_old_file(
    python: Callable[..., Any], small_disk: tuple[Path, tuple[str, ...]]
) -> None:
    folder, prefix = small_disk
    script = """
import os, sys
from pathlib import Path
from icehouse.errors import StoreUnwritable
from icehouse.store._local_files import LocalFiles
files = LocalFiles(Path(sys.argv[1]))
files.commit("a", b"ice")
try:
    files.commit("a", bytes(1_000_000))
except StoreUnwritable as error:
    print(error)
print(files.path("a").read_bytes(), os.listdir(files.root))
files.commit("b", bytes(100_000))
print("good again")
"""
    done = python(script, folder, prefix=prefix)
    assert done.returncode == 0, done.stderr
    assert "no space left while writing" in done.stdout
    assert "b'ice' ['a']" in done.stdout
    assert "good again" in done.stdout


LIMITED = """
import os, resource, signal, sys
from pathlib import Path
from icehouse.errors import StoreUnwritable
from icehouse.store._local_files import LocalFiles
files = LocalFiles(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, getattr(signal, sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    files.commit("a", bytes(1_000_000))
except StoreUnwritable as error:
    print(error)
"""


def test_a_write_that_fails_midway_leaves_the_old_file_and_no_leftover(
    files: LocalFiles, python: Callable[..., Any]
) -> None:
    files.commit("a", b"ice")
    done = python(LIMITED, files.root, "SIG_IGN")
    assert done.returncode == 0, done.stderr
    assert "cannot write" in done.stdout
    assert "File too large" in done.stdout
    assert files.path("a").read_bytes() == b"ice"
    assert everything_below(files.root) == ["a"]


def test_a_writer_killed_midway_leaves_the_old_file_and_a_leftover_that_is_swept(
    files: LocalFiles, python: Callable[..., Any]
) -> None:
    files.commit("a", b"ice")
    done = python(LIMITED, files.root, "SIG_DFL")
    assert done.returncode == -signal.SIGXFSZ
    assert files.path("a").read_bytes() == b"ice"
    assert files.names("", "a") == ["/a"]
    leftover = next(path for path in files.root.iterdir() if path.name != "a")
    assert leftover.name.startswith(".tmp-")
    assert leftover.stat().st_size == 10_000

    os.utime(leftover, (0, 0))
    files.sweep("")
    assert everything_below(files.root) == ["a"]


def test_all_that_was_committed_before_a_kill_is_whole(
    files: LocalFiles, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    script = """
import itertools, sys
from pathlib import Path
from icehouse.store._local_files import LocalFiles
files = LocalFiles(Path(sys.argv[1]))
for number in itertools.count():
    files.commit(f"f/{number:06d}.bin", number.to_bytes(4, "big") * 500_000)
    print(number, flush=True)
"""
    with start_python(script, files.root) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(4)]
        writer.kill()
        said += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    acknowledged = [f"f/{int(line):06d}.bin" for line in said if line.endswith("\n")]
    found = files.names("f", ".bin")
    assert len(acknowledged) >= 4
    assert set(acknowledged) <= set(found)
    for number, name in enumerate(found):
        assert files.path(name).read_bytes() == number.to_bytes(4, "big") * 500_000


@pytest.mark.parametrize("name", ["a", "holiday 2024", "Äpfel", "v1.2_b-c", "a" * 200])
def test_usable_names_are_returned_as_they_are(name: str) -> None:
    assert check_name("dataset", name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "take letters and digits"),
        (".", "take letters and digits"),
        ("..", "take letters and digits"),
        (".tmp-a", "take letters and digits"),
        ("a\n", "take letters and digits"),
        ("a\0b", "take letters and digits"),
        ("a" * 201, "take letters and digits"),
        ("ä" * 101, "take letters and digits"),
        ("a/b", "it holds a slash"),
        ("a\\b", "it holds a slash"),
        ("/etc", "it holds a slash"),
    ],
)
def test_names_that_are_no_folder_are_refused_with_what_they_were_for(name: str, why: str) -> None:
    with pytest.raises(UsageError, match=f"cannot be the name of a dataset.*{why}"):
        check_name("dataset", name)


@settings(derandomize=True, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=210))
def test_every_name_is_refused_or_is_that_of_a_folder_directly_below(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    try:
        check_name("dataset", name)
    except UsageError:
        return
    root = tmp_path_factory.getbasetemp() / "names"
    (root / name).mkdir(parents=True, exist_ok=True)
    assert (root / name).resolve().parent == root.resolve()
    assert name in os.listdir(root)


def test_a_name_that_is_no_text_is_refused_like_any_other() -> None:
    with pytest.raises(UsageError, match="cannot be the name of a dataset"):
        check_name("dataset", "\udc80")


def test_files_are_read_and_opened_by_name(files: LocalFiles) -> None:
    files.commit("a/b.bin", b"ice")
    assert files.read("a/b.bin") == b"ice"
    for mapped in (True, False):
        assert files.open("a/b.bin", mapped=mapped).read() == b"ice"
    assert files.exists("a/b.bin")
    assert not files.exists("a")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        files.read("nowhere")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        files.open("nowhere")


def test_files_are_removed_in_order_and_those_that_are_gone_are_no_error(files: LocalFiles) -> None:
    for name in ("a/1", "a/2", "b/3"):
        files.commit(name, b"")
    files.remove("a/1", "a/1", "b/3")
    assert files.walk() == ["a/2"]
    files.remove()


def test_a_moved_file_takes_the_next_name_that_is_free(files: LocalFiles) -> None:
    for text in (b"one", b"two", b"three"):
        files.commit("a", text)
        files.move("a", "lost/a")
    assert files.walk() == ["lost/a", "lost/a.1", "lost/a.2"]
    assert [files.read(name) for name in files.walk()] == [b"one", b"two", b"three"]


def test_walk_lists_everything_and_nothing_where_there_is_nothing(files: LocalFiles) -> None:
    assert files.walk() == []
    files.commit("b/c/d", b"")
    files.commit("a", b"")
    leave_temporary(files.path("b"), ".tmp-1", hours=0)
    assert files.walk() == ["a", "b/.tmp-1", "b/c/d"]


def test_the_age_of_a_file_is_in_seconds(files: LocalFiles) -> None:
    files.commit("a", b"")
    assert files.age("a") < 3600
    leave_temporary(files.root, "old", hours=2)
    assert files.age("old") >= 7200
    assert files.age("gone") == 0


def test_a_list_that_changes_while_it_is_made_is_made_again() -> None:
    lists = iter([["old"], ["old", "new"], ["old", "new"]])
    assert read_listed(lambda: next(lists), list) == ["old", "new"]


def test_what_vanishes_while_it_is_read_is_listed_again() -> None:
    there = ["old"]

    def read(names: list[str]) -> list[str]:
        if names == ["old"]:
            there[:] = ["new"]
            raise FileNotFoundError("old")
        return names

    assert read_listed(lambda: list(there), read) == ["new"]
