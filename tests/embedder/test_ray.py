"""The pipeline on a Ray cluster: as on one machine, whatever dies, and nothing left behind."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from icehouse.embedder import (
    EmbedOptions,
    EncoderRequest,
    Entry,
    embed,
    list_source,
    open_encoder,
    rehearse,
)
from icehouse.embedder._ray import DEATHS, RayPipeline, Settings
from icehouse.embedder._views import Coverage
from icehouse.errors import EncoderError, MissingExtra, UsageError
from icehouse.store import Store

HERE = Path(__file__).parent
TWO = EmbedOptions(engine="ray", workers=1)  # a worker for each of two processors
ONE = EmbedOptions(engine="ray", workers=2)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster with two processors, for all tests that need one."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{HERE}:{HERE.parent.parent}")  # of the workers
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
        patch.syspath_prepend(HERE)
        context = ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield context.address_info["gcs_address"]
        ray.shutdown()


def logical(store: Store) -> dict[str, Any]:
    """Return what a store says, whatever files it says it in."""
    [encoder_id] = store.encoder_ids()
    features = store.features(encoder_id)
    matrix = features.load()
    stored = sum(pq.read_metadata(store.files.path(name)).num_rows for name in features.shards())
    assert stored == len(matrix), "an image has two vectors"
    pairs = zip(matrix.ids, matrix.vectors, strict=True)
    rows = store.catalog.everything(
        ["dataset", "key", "image_id", "error", "error_detail", "width", "labels", "split", "bytes"]
    )
    return {
        "vectors": {i.tobytes(): vector.tobytes() for i, vector in pairs},
        "rows": sorted(rows.to_pylist(), key=lambda row: (row["dataset"], row["key"])),
        "events": {
            task.name: Counter((e.image_id, e.labels) for e in store.labels.events(task.name))
            for task in store.labels.tasks()
        },
    }


@pytest.fixture
def mixed(pictures: Path, tmp_path: Path) -> Path:
    """Forty pictures in two class folders, copies near and far from them, and broken files."""
    root = tmp_path / "mixed"
    shutil.copytree(pictures, root)
    for number in (0, 7, 19):
        shutil.copy(root / "disc" / f"{number:02d}.png", root / "disc" / f"{number:02d}-copy.png")
        shutil.copy(root / "disc" / f"{number:02d}.png", root / "stripes" / f"zz-{number}.png")
    (root / "disc" / "05-words.png").write_text("hello")
    (root / "stripes" / "zz-words.png").write_text("hello")
    (root / "disc" / "empty.png").touch()
    return root


def tar_of(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        for file in sorted(folder.rglob("*.png")):
            tar.add(file, file.relative_to(folder))
    return path


def test_a_cluster_does_what_one_machine_does(cluster: str, mixed: Path, tmp_path: Path) -> None:
    here, there = Store.create(tmp_path / "here"), Store.create(tmp_path / "there")
    listing = list_source(tar_of(mixed, tmp_path / "mixed.tar"))
    local = embed(here, listing, "descriptor")
    seen: list[tuple[int, int, int]] = []
    report = embed(
        there, listing, "descriptor", options=TWO, progress=lambda *done: seen.append(done)
    )
    assert logical(there) == logical(here)
    assert (report.encoded, report.reused, report.errors) == (40, 6, local.errors)
    assert report.inputs == report.encoded + report.reused + sum(report.errors.values()) == 49
    assert seen[-1] == (49, 49, 3)
    assert report.speed is not None
    assert report.speed.engine == "torch in 2 workers of Ray"
    assert report.failures == local.failures


def test_a_worker_that_dies_costs_its_chunk_and_an_image_that_kills_all_is_found(
    cluster: str, pictures: Path, tmp_path: Path
) -> None:
    from deadly import Deadly, Noted

    here, there = Store.create(tmp_path / "here"), Store.create(tmp_path / "there")
    listing = list_source(pictures)
    some, log = listing.entries[:24], tmp_path / "log"
    log.touch()
    origins = [Noted(entry.origin.path, str(log)) for entry in some]  # type: ignore[attr-defined]
    origins[17] = Deadly(origins[17].path, str(log), times=1)
    origins[23] = Deadly(origins[23].path, str(log), times=1000)
    noted = [replace(e, origin=origin) for e, origin in zip(some, origins, strict=True)]
    report = embed(there, replace(listing, entries=noted), "descriptor", options=ONE)
    assert (report.encoded, report.reused, report.errors) == (23, 0, {"unreadable": 1})
    [failure] = report.failures
    assert failure.key == some[23].key
    assert failure.detail == f"each of {DEATHS} workers that were given this image alone died"

    reads = Counter(log.read_text().split())
    counts = [reads[origin.path] for origin in origins]
    assert counts[:16] == [1] * 16  # another chunk
    assert max(counts[16:23]) == 2
    assert DEATHS <= counts[23] <= DEATHS + 1

    again = embed(there, replace(listing, entries=some), "descriptor")
    assert (again.encoded, again.reused) == (1, 23)
    embed(here, replace(listing, entries=some), "descriptor")
    assert logical(there) == logical(here)


def pipeline_of(entries: list[Entry], request: EncoderRequest, **settings: Any) -> RayPipeline:
    said = Settings(**{"address": None, "batch_size": None, "workers": 2, "max_pixels": 2**20,
                       **settings})  # fmt: skip
    encoder = open_encoder("descriptor")
    return RayPipeline(encoder, request, entries, "/source", Coverage(), said)


def test_an_encoder_that_is_another_one_there_is_one_clear_error(
    cluster: str, pictures: Path
) -> None:
    pipeline = pipeline_of(list_source(pictures).entries, EncoderRequest("tiny"))
    words = r"a worker on \S+ cannot go on: tiny is tiny-.* here, and descriptor-"
    with pytest.raises(EncoderError, match=words):
        list(pipeline.outcomes())
    pipeline.close()


def test_where_all_workers_die_whatever_they_get_it_is_not_for_the_images(pictures: Path) -> None:
    entries = list_source(pictures).entries
    pipeline = pipeline_of(entries, EncoderRequest("descriptor"))
    parts, failed = pipeline._try_again(entries, barren=1)
    assert [entry for part in parts for entry in part] == entries
    assert ({len(part) for part in parts}, failed) == ({5}, [])
    with pytest.raises(EncoderError, match=r"40 images from 'disc/00\.png' to 'stripes/19\.png'"):
        pipeline._try_again(entries, barren=2)


# Processes of their own.

EMBED = """
import json, os, sys, threading
from dataclasses import replace
from pathlib import Path
from icehouse.embedder import EmbedOptions, embed, list_source
from icehouse.errors import Interrupted
from icehouse.store import Store

def main():
    source, store, address, wait = sys.argv[1:]
    listing = list_source(source)
    if wait:
        from deadly import Noted
        slow = [replace(e, origin=Noted(e.origin.path, store + ".log", 3600))
                for e in listing.entries[16:]]
        listing = replace(listing, entries=[*listing.entries[:16], *slow])
    begun = []
    def progress(done, total, errors):
        if wait and done and not begun:
            begun.append(threading.Timer(0.5, os.kill, (os.getpid(), 2)))
            begun[0].start()
    options = EmbedOptions(engine="ray", workers=2, address=address or None)
    try:
        report = embed(Store.open_or_create(store), listing, "descriptor",
                       options=options, progress=progress)
        print("said", json.dumps([report.encoded, report.speed.engine]))
    except Interrupted as error:
        print("said", json.dumps(str(error)))

main()
"""


def said(printed: str) -> Any:
    [line] = [line for line in printed.splitlines() if line.startswith("said ")]
    return json.loads(line.removeprefix("said "))


def carriers(mark: str) -> list[str]:
    """Return the processes in whose environment a text stands."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # another's, or gone
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_ctrl_c_keeps_what_is_done_and_leaves_no_process(
    pictures: Path, tmp_path: Path, run_child: Callable[..., str]
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    mark = str(tmp_path / "cache-of-this-test")
    path = f"{HERE}:{HERE.parent.parent}"
    printed = run_child(
        EMBED, pictures, tmp_path / "store", "", "wait", ICEHOUSE_CACHE=mark, PYTHONPATH=path
    )
    assert said(printed).startswith("stopped after 16 of 40 inputs. All of them are kept")
    store = Store.open(tmp_path / "store")
    assert len(logical(store)["vectors"]) == len(logical(store)["rows"]) == 16
    assert carriers(mark) == []


def test_a_cluster_that_is_joined_ends_what_one_machine_began_and_goes_on(
    cluster: str, mixed: Path, tmp_path: Path, run_child: Callable[..., str]
) -> None:
    import ray

    parts, whole = Store.create(tmp_path / "parts"), Store.create(tmp_path / "whole")
    listing = list_source(mixed)
    embed(whole, listing, "descriptor")
    before = embed(parts, replace(listing, entries=listing.entries[:25]), "descriptor")
    path = f"{HERE}:{HERE.parent.parent}"
    printed = run_child(EMBED, mixed, tmp_path / "parts", cluster, "", PYTHONPATH=path)
    assert said(printed) == [40 - before.encoded, "torch in 1 worker of Ray"]
    for what in ("vectors", "rows"):
        assert logical(parts)[what] == logical(whole)[what]
    assert [node["Alive"] for node in ray.nodes()] == [True]


# What goes to a worker.


def entries_of(kind: str, pictures: Path, folder: Path) -> list[Entry]:
    path = folder / f"source.{kind}"
    files = sorted(pictures.rglob("*.png"))
    if kind == "tar":
        tar_of(pictures, path)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(pictures))
    else:
        table = pa.table({"image": [file.read_bytes() for file in files]})
        if kind == "parquet":
            pq.write_table(table, path, row_group_size=7)
        else:
            with pa.ipc.new_file(path, table.schema) as writer:
                writer.write_table(table, max_chunksize=7)
    return list_source(path).entries


@pytest.mark.parametrize("kind", ["tar", "zip", "parquet", "arrow"])
def test_what_is_sent_says_where_images_lie_and_holds_none(
    pictures: Path, tmp_path: Path, kind: str
) -> None:
    entries = entries_of(kind, pictures, tmp_path)
    before = [entry.origin.read() for entry in entries]
    sent = pickle.dumps(entries)
    assert len(sent) < len(b"".join(read.data for read in before)) / 4
    assert [entry.origin.read() for entry in pickle.loads(sent)] == before


@pytest.mark.parametrize("kind", ["tar", "parquet", "folder"])
def test_what_lies_on_object_storage_can_be_sent(
    pictures: Path, tmp_path: Path, bucket: tuple[str, Any], kind: str
) -> None:
    url, client = bucket
    if kind == "folder":
        for file in pictures.rglob("0*.png"):
            client.put_object(Bucket="ice", Key=f"sent/{file.name}", Body=file.read_bytes())
        entries = list_source(f"{url}/sent").entries
    else:
        entries_of(kind, pictures, tmp_path)
        data = (tmp_path / f"source.{kind}").read_bytes()
        client.upload_fileobj(io.BytesIO(data), "ice", f"sent.{kind}")
        entries = list_source(f"{url}/sent.{kind}").entries
    before = [entry.origin.read() for entry in entries]
    again = pickle.loads(pickle.dumps(entries))
    assert [entry.origin.read() for entry in again] == before


# What is refused.


def test_an_address_is_only_that_of_a_ray_cluster() -> None:
    with pytest.raises(UsageError, match="give --engine ray with it"):
        EmbedOptions(address="auto")
    with pytest.raises(UsageError, match="'spark'; give one of: auto, torch, openvino, ray"):
        EmbedOptions(engine="spark")


def test_a_dry_run_is_one_of_this_machine(pictures: Path) -> None:
    with pytest.raises(UsageError, match="leave --engine ray out"):
        rehearse(list_source(pictures), "descriptor", 4, options=TWO)


REFUSED = """
import sys
from icehouse.embedder import EmbedOptions, embed, list_source
from icehouse.errors import UsageError
from icehouse.store import Store
listing, store = list_source(sys.argv[1]), Store.create(sys.argv[2])
for address in sys.argv[3:]:
    try:
        embed(store, listing, "descriptor", options=EmbedOptions(engine="ray", address=address))
    except UsageError as error:
        print(error)
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "ray" else found(name)
try:
    embed(store, listing, "descriptor", options=EmbedOptions(engine="ray"))
except UsageError as error:
    print(error)
"""


def test_what_cannot_be_joined_is_said_at_once(
    pictures: Path, tmp_path: Path, run_child: Callable[..., str]
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    addresses = ("ray://127.0.0.1:10001", "127.0.0.1:9")
    path = str(HERE.parent.parent)
    printed = run_child(REFUSED, pictures, tmp_path / "store", *addresses, PYTHONPATH=path)
    client, closed, missing = printed.splitlines()
    assert client.endswith("Run icehouse on a machine of the cluster, with --address auto")
    assert closed == "no Ray cluster answers at 127.0.0.1:9; see ray start --head"
    assert missing == str(MissingExtra("ray", "ray"))
