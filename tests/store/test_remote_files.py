"""Files at a URL keep the promises of files on a disk, and say what is wrong on the way there."""

from __future__ import annotations

import contextlib
import http.server
import os
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs

from icehouse.errors import NotAStore, StoreUnreadable, StoreUnwritable, UsageError
from icehouse.store import FeatureShards, Files, Store, files_at, ids_from_bytes, image_id
from icehouse.store._files_at import is_remote
from icehouse.store._local_files import LocalFiles
from icehouse.store._remote_files import SMALL, RemoteFiles

Bucket = tuple[str, Any]
ODD = ("a b", "50%", "50%25", "x#1", "y?z", "[1]", "st*r", "naïve", "氷", "a+b", "a&b=c", "~", "'")


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place of each kind at which nothing is yet."""
    if request.param == "folder":
        return str(tmp_path / "root")
    if request.param == "memory":
        return f"memory://{tmp_path.name}/root"
    return f"{request.getfixturevalue('bucket')[0]}/{tmp_path.name}/root"


@pytest.fixture
def files(place: str) -> Files:
    return files_at(place)


@pytest.fixture
def remote(bucket: Bucket, tmp_path: Path) -> str:
    """A URL on S3 at which nothing is yet."""
    return f"{bucket[0]}/{tmp_path.name}/root"


def test_the_text_of_a_place_says_which_files_there_are(tmp_path: Path) -> None:
    assert isinstance(files_at(tmp_path), LocalFiles)
    assert isinstance(files_at("photos.icehouse"), LocalFiles)
    assert files_at("~/photos").where("x") == str(Path.home() / "photos/x")
    assert files_at(f"file://{tmp_path}/a%20b").where("x") == f"{tmp_path}/a b/x"
    assert isinstance(files_at("memory://photos"), RemoteFiles)
    assert [is_remote(text) for text in ("s3://b/x", "s3:/b/x", "a:b")] == [True, False, False]


def test_what_is_committed_is_read_by_name(files: Files, place: str) -> None:
    assert files.commit("a/b/c.bin", b"ice") == files.where("a/b/c.bin") == f"{place}/a/b/c.bin"
    files.commit("empty", b"")
    assert files.read("a/b/c.bin") == files.open("a/b/c.bin").read() == b"ice"
    assert files.open("a/b/c.bin", mapped=True, part=True).read() == b"ice"
    assert files.read("empty") == b""
    for part in (True, False):
        with pytest.raises(FileNotFoundError, match="nowhere"):
            files.open("a/nowhere", part=part)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        files.read("nowhere/at/all")


def test_files_can_be_sent_to_another_process(files: Files) -> None:
    files.commit("a", b"ice")
    assert pickle.loads(pickle.dumps(files)).read("a") == b"ice"


def test_a_commit_replaces_what_was_there(files: Files) -> None:
    files.commit("a", b"a long first text")
    files.commit("a", memoryview(b"second"))
    assert files.read("a") == b"second"
    assert files.walk() == ["a"]


def test_only_a_file_exists_and_only_something_occupies_a_place(files: Files) -> None:
    assert not files.occupied()
    files.commit("a/b", b"")
    assert files.occupied()
    assert files.exists("a/b")
    assert not files.exists("a")
    assert not files.exists("a/")
    assert not files.exists("b")


def test_lists_show_one_folder_and_nothing_that_only_begins_like_it(files: Files) -> None:
    for name in ("f/b.x", "f/a.x", "f/a.y", "f/deep/c.x", "fg/d.x", "f.x", "f/deep2/e.x"):
        files.commit(name, b"ice")
    assert files.names("f", ".x") == ["f/a.x", "f/b.x"]
    assert files.names("f", "") == ["f/a.x", "f/a.y", "f/b.x"]
    assert files.folders("f") == ["deep", "deep2"]
    assert files.folders("f/deep") == []
    assert files.names("f/dee", "") == files.folders("f/dee") == []
    assert files.names("f.x", "") == files.folders("f.x") == []
    assert len(files.walk()) == 7


def test_nothing_is_listed_where_nothing_is(files: Files) -> None:
    assert files.walk() == files.names("f", "") == files.folders("f") == []
    files.sweep("f")


def test_new_files_are_seen_at_once_whoever_wrote_them(files: Files, place: str) -> None:
    other = files_at(place)
    for number in range(3):
        name = f"f/{number}/x"
        assert (len(files.walk()), len(files.folders("f"))) == (number, number)
        assert not files.exists(name)
        assert files.names(f"f/{number}", "") == []
        other.commit(name, b"ice")
        assert files.exists(name)
        assert files.names(f"f/{number}", "") == [name]
    other.remove("f/1/x")
    assert files.walk() == ["f/0/x", "f/2/x"]
    assert not files.exists("f/1/x")


def test_any_name_that_a_dataset_may_have_can_be_stored(files: Files) -> None:
    for name in ODD:
        files.commit(f"catalog/{name}/{name}.bin", name.encode())
    assert files.folders("catalog") == sorted(ODD)
    for name in ODD:
        path = f"catalog/{name}/{name}.bin"
        assert files.names(f"catalog/{name}", ".bin") == [path]
        assert files.exists(path)
        assert files.read(path) == name.encode()
        moved = files.move(path, f"lost/{name}")
        assert files.read(moved) == name.encode()
        files.remove(moved)
    assert files.walk() == []


def test_files_are_removed_for_good_and_those_that_are_gone_are_no_error(files: Files) -> None:
    for name in ("a/1", "a/2", "b/3"):
        files.commit(name, b"")
    files.remove("a/1", "a/1", "b/3")
    assert files.walk() == ["a/2"]
    files.remove()


def test_a_moved_file_takes_the_next_name_that_is_free(files: Files) -> None:
    for text in (b"one", b"two", b"three"):
        files.commit("a", text)
        files.move("a", "lost/a")
    assert files.walk() == ["lost/a", "lost/a.1", "lost/a.2"]
    assert [files.read(name) for name in files.walk()] == [b"one", b"two", b"three"]
    with pytest.raises(StoreUnwritable, match=r"cannot write .*lost/b"):
        files.move("nowhere", "lost/b")


def test_the_age_of_a_file_is_in_seconds(files: Files) -> None:
    files.commit("a", b"")
    assert -60 < files.age("a") < 3600
    assert files.age("gone") == 0


def test_each_gives_answers_in_order_and_raises_what_was_raised(files: Files) -> None:
    for number in range(20):
        files.commit(f"f/{number:02d}", bytes([number]))
    names = files.names("f", "")
    assert list(files.each(names, files.read)) == [bytes([number]) for number in range(20)]
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(files.each([*names, "f/nowhere"], files.read))


def test_a_part_of_a_large_table_is_the_same_as_all_of_it(files: Files) -> None:
    table = pa.table({"a": np.arange(400_000), "b": np.arange(400_000) % 7})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="none", row_group_size=100_000)
    assert sink.tell() > SMALL
    files.commit("t.parquet", memoryview(sink.getvalue()))
    for part in (True, False):
        shard = pq.ParquetFile(files.open("t.parquet", part=part), pre_buffer=part)
        assert shard.read(["b"]).equals(table.select(["b"]))


class Counting(RemoteFiles):
    """Files that write down what they ask for."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[tuple[str, int]] = []

    def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        answer = super()._ask(method, *arguments, **options)
        self.asked.append((method, len(answer) if method == "cat_file" else 0))
        return answer


def test_a_shard_is_loaded_by_one_request_and_its_ids_without_its_vectors(remote: str) -> None:
    files = Counting(remote)
    features = FeatureShards(files, "e")
    for shard in range(3):
        ids = ids_from_bytes(image_id(b"%d %d" % (shard, number)) for number in range(2000))
        vectors = np.random.default_rng(shard).random((2000, 512))
        features.append(ids, vectors, "float16")
    files.asked.clear()
    assert len(features.load()) == 6000
    assert [method for method, _ in files.asked].count("cat_file") == 3
    assert len(files.asked) <= 3 + 4  # and lists of shards and tombstones, made twice
    files.asked.clear()
    assert len(features.ids()) == 6000
    fetched = [size for method, size in files.asked if method == "cat_file"]
    assert len(fetched) == 3 * 2
    assert sum(fetched) < 3 * 2000 * 100 < 3 * 2000 * 1024


# What goes wrong on the way.


@contextlib.contextmanager
def environment(**values: str | None) -> Iterator[None]:
    """Change the environment of S3 for a while; fsspec keeps connections for as long as it may."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            if value is None:
                patch.delenv(name)
            else:
                patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield
    s3fs.S3FileSystem.clear_instance_cache()


def endpoint(url: str) -> contextlib.AbstractContextManager[None]:
    return environment(AWS_ENDPOINT_URL=url)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Relay(threading.Thread):
    """A server that hands on what it gets, up to some bytes, and then cuts the line or is silent.

    Parameters
    ----------
    to : (str, int)
        The server behind it.
    limit : int
        Bytes of one connection.
    silent : bool
    """

    def __init__(self, to: tuple[str, int], limit: int, *, silent: bool) -> None:
        super().__init__(daemon=True)
        self._to, self._limit, self._silent = to, limit, silent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._held: list[socket.socket] = []

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._held.append(client)
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), socket.create_connection(self._to) as server:
            left = self._limit
            while left and (data := client.recv(min(left, 2**16))):
                server.sendall(data)
                left -= len(data)
        if not self._silent:
            client.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for each in (self._listener, *self._held):
            each.close()


@pytest.fixture
def relay(bucket: Bucket) -> Iterator[Callable[..., str]]:
    """Start a relay to the bucket's server, and return its URL."""
    host, _, port = os.environ["AWS_ENDPOINT_URL"].rpartition("/")[2].partition(":")
    started: list[Relay] = []

    def start(limit: int, *, silent: bool) -> str:
        started.append(Relay((host, int(port)), limit, silent=silent))
        started[-1].start()
        return started[-1].url

    yield start
    for each in started:
        each.close()


@pytest.mark.parametrize("silent", [False, True])
def test_a_put_that_breaks_off_leaves_what_was_there_before(
    remote: str, relay: Callable[..., str], silent: bool
) -> None:
    files = files_at(remote)
    files.commit("head.json", b"before")
    with endpoint(relay(50_000, silent=silent)):
        broken = RemoteFiles(remote, seconds=1.0)
        for name in ("head.json", "new.bin"):
            with pytest.raises(StoreUnwritable, match=rf"cannot write {remote}/{name}: .*again"):
                broken.commit(name, bytes(2**17))
    assert files.walk() == ["head.json"]
    assert files.read("head.json") == b"before"


def test_a_server_that_does_not_answer_is_given_up(remote: str, relay: Callable[..., str]) -> None:
    with endpoint(relay(0, silent=True)):
        files = RemoteFiles(remote, seconds=1.0)
        with pytest.raises(StoreUnreadable, match=f"cannot read {remote}/x: .*Check the network"):
            files.read("x")


def test_a_closed_port_is_reported(remote: str, closed_port: int) -> None:
    with endpoint(f"http://127.0.0.1:{closed_port}"):
        with pytest.raises(StoreUnreadable, match=r"Could not connect.*AWS_ENDPOINT_URL"):
            Store.open(remote)
        with pytest.raises(StoreUnwritable, match=r"Could not connect.*AWS_ENDPOINT_URL"):
            files_at(remote).commit("x", b"")


def test_a_bucket_that_is_not_there_is_reported(bucket: Bucket) -> None:
    for opened in (Store.open, Store.open_or_create):
        with pytest.raises(StoreUnreadable, match=r"elsewhere/x.*there is no such bucket\. Check"):
            opened("s3://elsewhere/x")
    with pytest.raises(StoreUnwritable, match="there is no such bucket"):
        files_at("s3://elsewhere/x").commit("a", b"")


def test_nothing_in_a_bucket_is_no_store(remote: str) -> None:
    with pytest.raises(NotAStore, match=f"there is no store at {remote}. Make one with"):
        Store.open(remote)
    files_at(remote).commit("holiday.jpg", b"picture")
    for opened in (Store.open, Store.open_or_plan):
        with pytest.raises(NotAStore, match=r"is not a store: it has no store\.json"):
            opened(remote)
    with pytest.raises(UsageError, match="exists and is not a store"):
        Store.create(remote)


class Refusing(http.server.BaseHTTPRequestHandler):
    """S3 for somebody whom it does not know."""

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = (
            b"<Error><Code>InvalidAccessKeyId</Code><Message>The AWS Access Key Id you provided "
            b"does not exist in our records.</Message></Error>"
        )
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = _refuse  # noqa: N815

    def log_message(self, *words: object) -> None:
        pass


def test_wrong_credentials_are_reported(remote: str) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with endpoint(f"http://127.0.0.1:{server.server_port}"):
            files = files_at(remote)
            for read in (lambda: files.read("x"), lambda: files.exists("x"), files.walk):
                with pytest.raises(StoreUnreadable, match="Check the credentials"):
                    read()
            with pytest.raises(StoreUnwritable, match=r"in our records\. Check the cred"):
                files.commit("x", b"")
        server.shutdown()


def test_absent_credentials_are_reported(remote: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    with (
        environment(
            AWS_ACCESS_KEY_ID=None,
            AWS_SECRET_ACCESS_KEY=None,
            AWS_CONFIG_FILE=nowhere,
            AWS_SHARED_CREDENTIALS_FILE=nowhere,
            AWS_EC2_METADATA_DISABLED="true",
        ),
        pytest.raises(StoreUnreadable, match=r"redentials.*AWS_ACCESS_KEY_ID"),
    ):
        Store.open(remote)


def test_a_missing_backend_names_its_install_line(python: Callable[..., Any]) -> None:
    program = """
import sys
sys.modules["s3fs"] = None
from icehouse.errors import MissingExtra
from icehouse.store import Store
try:
    Store.open("s3://bucket/photos.icehouse")
except MissingExtra as error:
    print(error)
"""
    assert "pip install 'icehouse[s3]'" in python(program).stdout


def test_a_place_that_nobody_can_open_says_why_and_keeps_its_password() -> None:
    with pytest.raises(UsageError, match=r"nonsense://ada:\*{3}@host/x cannot be a store: Pro"):
        Store.open("nonsense://ada:secret@host/x")
    with pytest.raises(UsageError, match=r"gs://bucket/x cannot be used as a store yet: .*gcsfs"):
        Store.open("gs://bucket/x")
