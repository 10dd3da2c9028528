"""Whatever a network does, every image ends as a vector or a typed error, and soon."""

from __future__ import annotations

import io
import socket
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import ClientConnectorDNSError
from aiohttp.client_reqrep import ConnectionKey
from PIL import Image

from icehouse.embedder import (
    EmbedOptions,
    Listing,
    Network,
    embed,
    list_lines,
    list_source,
    read_again,
)
from icehouse.embedder.sources import _remote as remote
from icehouse.embedder.sources._recent import Recent
from icehouse.errors import ImageError, SourceError, UsageError
from icehouse.store import Store

SOON = Network(seconds=0.5, tries=3, pause=0.01)


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


A, B, C = png(1), png(2), png(3)


class Site(ThreadingHTTPServer):
    """A site of files in memory, that serves some of them badly.

    Attributes
    ----------
    files : dict
        By path.
    faults : dict
        By path: ``stall``, ``drop`` or the status of an error, and how many requests it lasts.
    ranges : bool
        Whether parts of files are given.
    asked : list of (str, str, str or None)
        Method, path and range of the requests for whole files and parts.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, tuple[str | int, int]] = {}
        self.ranges = True
        self.ended = threading.Event()
        self.asked: list[tuple[str, str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the client went away, which is what many of these tests are about


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        site, path = self.server, self.path
        asked = self.headers.get("Range")
        site.asked.append((self.command, path, asked))
        fault, left = site.faults.get(path, ("", 0))
        if left and body:
            site.faults[path] = (fault, left - 1)
            if fault == "stall":
                site.ended.wait(20)
                return
            if isinstance(fault, int):
                self.send_error(fault)
                return
        if path.endswith("/"):
            names = [name.removeprefix(path) for name in site.files if name.startswith(path)]
            links = "".join(f'<a href="{name}">{name}</a>' for name in names)
            self.reply(f'<a href="?C=N">Name</a><a href="../">up</a>{links}'.encode(), "text/html")
            return
        if path not in site.files:
            self.send_error(404)
            return
        data, status = site.files[path], 200
        if asked and site.ranges:
            first, last = asked.removeprefix("bytes=").split("-")
            data, status = data[int(first) : int(last) + 1], 206
        self.reply(data, "image/png", status, dropped=left > 0 and fault == "drop" and body)

    def reply(self, data: bytes, kind: str, status: int = 200, *, dropped: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", formatdate(1_600_000_000, usegmt=True))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data[: len(data) // 2] if dropped else data)
            self.close_connection = dropped


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()


def freeze(store: Store, listing: Listing) -> Any:
    return embed(store, listing, "descriptor", dataset="d")


def data(listing: Listing) -> dict[str, bytes]:
    return {entry.key: entry.origin.read().data for entry in listing.entries}


def tar_of(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{name}.png")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


# HTTP.


def test_a_listing_of_a_web_server_is_a_folder(site: Site, store: Store) -> None:
    site.files = {"/p/cat/1.png": A, "/p/dog/a%20b.png": B, "/p/.hidden.png": C, "/q/3.png": C}
    listing = list_source(f"{site.url}/p/", network=SOON)
    found = [(entry.key, entry.labels, entry.bytes, entry.mtime_ns) for entry in listing.entries]
    assert found == [
        ("cat/1.png", ("cat",), len(A), 1_600_000_000 * 10**9),
        ("dog/a b.png", ("dog",), len(B), 1_600_000_000 * 10**9),
    ]
    assert freeze(store, listing).encoded == 2
    site.asked.clear()
    again = freeze(store, list_source(f"{site.url}/p/", network=SOON))
    assert (again.encoded, again.reused) == (0, 2)
    assert {path for method, path, _ in site.asked if method == "GET"} == {"/p/"}


def test_one_image_is_a_source(site: Site) -> None:
    site.files = {"/a/1.png": A}
    listing = list_source(f"{site.url}/a/1.png", network=SOON)
    assert (data(listing), listing.name) == ({"1.png": A}, "1")
    assert read_again(listing.source, "1.png") == A


@pytest.mark.parametrize("fault", ["stall", "drop", 500, 503])
def test_what_fails_twice_is_read_at_the_third_try(site: Site, fault: str | int) -> None:
    site.files = {"/1.png": A}
    listing = list_source(f"{site.url}/1.png", network=SOON)
    site.faults = {"/1.png": (fault, 2)}
    assert data(listing) == {"1.png": A}
    assert site.faults["/1.png"] == (fault, 0)


@pytest.mark.parametrize("fault", ["stall", "drop", 500])
def test_what_keeps_failing_is_unreadable_and_read_by_the_next_run(
    site: Site, store: Store, fault: str | int
) -> None:
    site.files = {"/p/1.png": A, "/p/2.png": B}
    site.faults = {"/p/2.png": (fault, 3)}
    report = freeze(store, list_source(f"{site.url}/p/", network=SOON))
    assert (report.encoded, report.errors) == (1, {"unreadable": 1})
    report = freeze(store, list_source(f"{site.url}/p/", network=SOON))
    assert (report.encoded, report.reused, report.errors) == (1, 1, {})


def test_a_listing_that_fails_is_a_source_error(site: Site) -> None:
    with pytest.raises(SourceError, match="there is nothing at http"):
        list_source(f"{site.url}/nowhere.png", network=SOON)
    site.files = {"/x.csv": b"path\n1.png\n"}
    site.faults = {"/x.csv": ("stall", 3)}
    with pytest.raises(SourceError, match=r"cannot be read as a table: no answer within 0\.5 s"):
        list_source(f"{site.url}/x.csv", network=SOON)


@pytest.mark.parametrize(
    "name", ["p/", "1.png", "x.csv", "x.tar", "x-{0..1}.tar", "x.parquet", "x.zip"]
)
def test_a_server_that_refuses_the_connection_is_told_from_nothing_there(name: str) -> None:
    with pytest.raises(
        SourceError, match=r"the connection to 127\.0\.0\.1:1 was refused; check the address, and"
    ):
        list_source(f"http://127.0.0.1:1/{name}", network=SOON)


class Nameless(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """A file system whose host has no name that is known, as the one for HTTP says it."""

    protocol = "nameless"

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        key = ConnectionKey("nowhere", 80, False, True, None, None, None)
        unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        raise FileNotFoundError(path) from ClientConnectorDNSError(key, unknown)


def test_a_host_that_nobody_knows_is_told_from_nothing_there() -> None:
    fsspec.register_implementation("nameless", Nameless, clobber=True)
    with pytest.raises(
        SourceError, match=r"the host nowhere was not found \(Name or .*\); check the address, and"
    ):
        list_source("nameless://x/1.png", network=SOON)


def test_a_server_that_forbids_is_told_from_nothing_there(site: Site) -> None:
    site.faults = {"/1.png": (403, 9)}
    with pytest.raises(SourceError, match=r"1\.png cannot be listed: 403"):
        list_source(f"{site.url}/1.png", network=SOON)
    assert site.faults == {"/1.png": (403, 8)}


def test_a_server_that_refuses_the_connection_is_an_error_of_its_images(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\nhttp://127.0.0.1:1/1.png\n")
    [entry] = list_source(tmp_path / "list.csv", network=SOON).entries
    assert entry.error == "unreadable"
    assert "the connection to 127.0.0.1:1 was refused" in (entry.detail or "")


def test_a_manifest_names_files_beside_it_and_elsewhere(site: Site, tmp_path: Path) -> None:
    rows = ["path,label", "p/1.png,cat", f"{site.url}/q/2.png,dog", "nowhere.png,cat"]
    site.files = {"/m/list.csv": "\n".join(rows).encode(), "/m/p/1.png": A, "/q/2.png": B}
    listing = list_source(f"{site.url}/m/list.csv", network=SOON)
    assert [(e.key, e.labels, e.error) for e in listing.entries] == [
        (f"{site.url}/q/2.png", ("dog",), None),
        ("nowhere.png", ("cat",), "unreadable"),
        ("p/1.png", ("cat",), None),
    ]
    assert listing.entries[2].origin.read().data == A
    (tmp_path / "list.csv").write_text("\n".join(rows[:3]))
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "1.png").write_bytes(C)
    assert sorted(data(list_source(tmp_path / "list.csv")).values()) == sorted([C, B])


def test_a_list_may_hold_urls_that_fail(site: Site, store: Store) -> None:
    site.files = {"/1.png": A}
    lines = [f"{site.url}/1.png".encode(), f"{site.url}/2.png".encode()]
    report = freeze(store, list_lines(lines, SOON))
    assert (report.encoded, report.errors) == (1, {"unreadable": 1})


# Files that are read in parts.


BLOCK = 4096
IN_BLOCKS = replace(SOON, block=BLOCK)


def test_a_tar_is_read_by_blocks_in_order(site: Site) -> None:
    members = {f"{number:03d}": png(number) for number in range(60)}
    tar = tar_of(**members)
    site.files = {"/x.tar": tar}
    listing = list_source(f"{site.url}/x.tar", network=IN_BLOCKS)
    listed = [asked for method, _, asked in site.asked if method == "GET"]
    blocks = -(-len(tar) // BLOCK)
    assert blocks > 10
    assert len(listed) <= blocks  # one request a block, not one a member
    assert data(listing) == {f"{name}.png": content for name, content in members.items()}
    read = Counter(asked for method, _, asked in site.asked if method == "GET")
    assert max(read.values()) <= 2  # once for the listing, once for the images


def test_a_tar_of_few_blocks_is_fetched_once(site: Site) -> None:
    tar = tar_of(**{f"{number:02d}": png(number) for number in range(20)})
    assert 2 < len(tar) / BLOCK < remote.BLOCKS_KEPT
    site.files = {"/x.tar": tar}
    assert len(data(list_source(f"{site.url}/x.tar", network=IN_BLOCKS))) == 20
    asked = Counter(asked for method, _, asked in site.asked if method == "GET")
    assert set(asked.values()) == {1}


def test_a_tar_that_stalls_now_and_then_is_read(site: Site) -> None:
    site.files = {"/x.tar": tar_of(a=A, b=B, c=C)}
    site.faults = {"/x.tar": ("stall", 2)}
    listing = list_source(f"{site.url}/x.tar", network=IN_BLOCKS)
    site.faults = {"/x.tar": (500, 2)}
    assert data(listing) == {"a.png": A, "b.png": B, "c.png": C}


def test_a_tar_that_keeps_failing_is_a_source_error(site: Site) -> None:
    site.files = {"/x.tar": tar_of(a=A)}
    site.faults = {"/x.tar": (500, 99)}
    with pytest.raises(SourceError, match=r"x\.tar cannot be read: 500"):
        list_source(f"{site.url}/x.tar", network=IN_BLOCKS)


def test_a_server_that_gives_no_parts_is_refused_for_tars(site: Site) -> None:
    site.files = {"/x.tar": tar_of(**{str(n): png(n) for n in range(20)})}
    site.ranges = False
    with pytest.raises(SourceError, match="gives no parts of files; copy it first"):
        list_source(f"{site.url}/x.tar", network=IN_BLOCKS)


def test_parquet_is_read_by_parts(site: Site) -> None:
    sink = io.BytesIO()
    pictures = [png(number) for number in range(40)]
    table = pa.table({"image": pictures, "label": ["x"] * 40})
    pq.write_table(table, sink, row_group_size=8, use_dictionary=False, write_statistics=False)
    site.files = {"/x.parquet": sink.getvalue()}
    listing = list_source(f"{site.url}/x.parquet", network=IN_BLOCKS)
    before = sum(method == "GET" for method, _, _ in site.asked)
    assert before <= 2 + -(-len(sink.getvalue()) // BLOCK)
    assert list(data(listing).values()) == pictures


def test_parquet_over_a_network_that_fails_is_typed(site: Site) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"image": [png(n) for n in range(200)]}), sink, row_group_size=8)
    site.files = {"/x.parquet": sink.getvalue()}
    listing = list_source(f"{site.url}/x.parquet", network=IN_BLOCKS)
    site.faults = {"/x.parquet": (500, 99)}
    with pytest.raises(ImageError, match=r"unreadable: 500"):
        listing.entries[0].origin.read()


def test_only_few_blocks_are_in_memory() -> None:
    recent: Recent[bytes] = Recent(3)
    fs = fsspec.filesystem("memory")
    fs.pipe("/large", bytes(range(256)) * 4096)
    blob = remote.RemoteBlob(fs, "/large", "memory://large", 2**20, 1, SOON, recent)
    assert blob.read(0, 300) == (bytes(range(256)) * 2)[:300]
    assert blob.read(2**20 - 6, 50) == bytes(range(250, 256))
    assert blob.read(2**20, 5) == b""


# Backends.


class Hanging(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """A file system that lists files and never gives one."""

    protocol = "hanging"
    asked = 0

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"name": path, "size": 5, "type": "file", "ETag": "abc"}

    def cat_file(self, path: str, start: Any = None, end: Any = None, **_: Any) -> bytes:
        Hanging.asked += 1
        time.sleep(3)
        raise AssertionError("nobody waits so long")


def test_a_backend_that_hangs_is_left_behind(store: Store) -> None:
    fsspec.register_implementation("hanging", Hanging, clobber=True)
    listing = list_source("hanging://x/1.png", network=Network(0.05, 3, 0.01))
    [entry] = listing.entries
    assert entry.mtime_ns == remote.stamp_of({"ETag": "abc"})
    Hanging.asked = 0
    with pytest.raises(ImageError, match=r"unreadable: no answer within 0\.05 s"):
        entry.origin.read()
    assert Hanging.asked == 3


class Crowd(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """A file system that gives no file until eight are asked for."""

    protocol = "crowd"
    together = threading.Barrier(8)

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"name": path, "size": None, "type": "file", "ETag": "abc"}

    def cat_file(self, path: str, start: Any = None, end: Any = None, **_: Any) -> bytes:
        Crowd.together.wait(20)
        return png(int(path.rpartition("/")[2].partition(".")[0]))


def test_images_are_on_their_way_before_a_worker_asks_for_them(store: Store) -> None:
    fsspec.register_implementation("crowd", Crowd, clobber=True)
    listing = list_lines([f"crowd://x/{number}.png".encode() for number in range(32)])
    options = EmbedOptions(workers=1, batch_size=4)
    report = embed(store, listing, "descriptor", dataset="d", options=options)
    assert report.encoded == 32


@pytest.mark.parametrize(
    ("info", "stamp"),
    [
        ({"mtime": 1.5}, 1_500_000_000),
        ({"LastModified": "1970-01-01T00:00:02+00:00"}, 2 * 10**9),
        ({"Last-Modified": "Thu, 01 Jan 1970 00:00:03 GMT"}, 3 * 10**9),
        ({"updated": "1970-01-01T00:00:00.000004Z", "ETag": "x"}, 4000),
        ({"size": 3}, None),
        ({"Last-Modified": "yesterday"}, None),
    ],
)
def test_a_stamp_is_the_time_of_change(info: dict[str, Any], stamp: int | None) -> None:
    assert remote.stamp_of(info) == stamp


def test_a_stamp_without_a_time_is_made_of_the_checksum() -> None:
    one, two = remote.stamp_of({"ETag": "one"}), remote.stamp_of({"ETag": "two", "name": "x"})
    assert one is not None
    assert two is not None
    assert one != two
    assert 0 <= one < 2**63
    assert remote.stamp_of({"ETag": "one", "size": 3}) == one


def test_what_changed_at_a_url_is_read_again(store: Store) -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe({"/changing/1.png": A, "/changing/2.png": B})
    assert freeze(store, list_source("memory://changing")).encoded == 2
    fs.pipe("/changing/2.png", C)
    fs.pipe("/changing/3.png", A)
    fs.rm("/changing/1.png")
    report = freeze(store, list_source("memory://changing"))
    assert (report.encoded, report.reused, report.gone) == (1, 1, 1)


def test_a_folder_of_tars_and_one_of_tables_are_known_at_a_url() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe({"/tars/a.tar": tar_of(x=A), "/tars/b.tar": tar_of(x=B), "/tars/x.json": b"{}"})
    assert data(list_source("memory://tars")) == {"a/x.png": A, "b/x.png": B}
    for name, picture in (("train-0", A), ("test-0", B)):
        sink = io.BytesIO()
        pq.write_table(pa.table({"image": [picture]}), sink)
        fs.pipe(f"/tables/{name}.parquet", sink.getvalue())
    listing = list_source("memory://tables")
    assert {e.key: (e.split, e.origin.read().data) for e in listing.entries} == {
        "test-0/00000000": ("test", B),
        "train-0/00000000": ("train", A),
    }
    assert listing.source == "memory://tables#image"
    assert list_source(listing.source).entries[0].key == "test-0/00000000"


def test_a_pattern_of_tars_at_a_url() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe({"/part/p-00.tar": tar_of(x=A), "/part/p-01.tar": tar_of(x=B)})
    listing = list_source("memory://part/p-{00..01}.tar")
    assert (data(listing), listing.name) == ({"p-00/x.png": A, "p-01/x.png": B}, "p")
    with pytest.raises(SourceError, match=r"there is nothing at memory://part/p-02\.tar"):
        list_source("memory://part/p-{00..02}.tar")


def test_a_url_that_nobody_can_open_says_why() -> None:
    with pytest.raises(SourceError, match="nonsense://x cannot be opened: Protocol not known"):
        list_source("nonsense://x")
    with pytest.raises(UsageError, match=r"gs://bucket/x cannot be opened yet: .*gcsfs"):
        list_source("gs://bucket/x")
    with pytest.raises(SourceError, match="there is nothing at memory://void"):
        list_source("memory://void")


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [("s3://bucket/x", "s3fs", "s3"), ("http://127.0.0.1:1/x", "aiohttp", "http")],
)
def test_a_missing_backend_names_its_install_line(
    run_child: Any, url: str, package: str, extra: str
) -> None:
    program = """
import sys
sys.modules[sys.argv[2]] = None
from icehouse.embedder import list_source
from icehouse.errors import MissingExtra
try:
    list_source(sys.argv[1])
except MissingExtra as error:
    print(error)
"""
    assert f"pip install 'icehouse[{extra}]'" in run_child(program, url, package)


def test_compressed_tars_and_bad_tables_are_refused_at_urls(site: Site) -> None:
    site.files = {"/x.tar.gz": A, "/x.parquet": b"nothing" * 30}
    with pytest.raises(SourceError, match="is compressed"):
        list_source(f"{site.url}/x.tar.gz", network=SOON)
    with pytest.raises(SourceError, match=r"x\.parquet cannot be read as a table"):
        list_source(f"{site.url}/x.parquet", network=SOON)


def test_a_bucket_that_is_not_there_is_a_source_error(bucket: tuple[str, Any]) -> None:
    with pytest.raises(SourceError, match="there is nothing at s3://elsewhere/x"):
        list_source("s3://elsewhere/x", network=SOON)


def test_reading_again_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"unreadable: .*x\.tar cannot be read"):
        read_again(str(tmp_path / "x.tar"), "1.png")
    (tmp_path / "y.tar").write_bytes(tar_of(a=A))
    assert read_again(str(tmp_path / "y.tar"), "a.png") == A
    with pytest.raises(ImageError, match=r"y\.tar no longer has it"):
        read_again(str(tmp_path / "y.tar"), "b.png")
    with pytest.raises(ImageError, match="unreadable"):
        read_again("memory://void", "memory://void/1.png")
