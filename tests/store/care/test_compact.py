"""Compaction: nothing is lost or doubled, whoever dies, reads or writes meanwhile."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from icehouse.errors import StoreCorrupt
from icehouse.store import (
    CatalogRow,
    FeatureMatrix,
    IdArray,
    Store,
    forget,
    fsck,
    ids_from_bytes,
    image_id,
    plan_forget,
)
from icehouse.store._catalog import is_compacted
from icehouse.store._local_files import LocalFiles
from icehouse.store.care._compact import SHARD_BYTES, SHARD_ROWS, rows_of_a_shard

Dump = Callable[[Store], dict[str, Any]]
SMALL = (16, 2**20)  # rows and bytes of a shard in these tests
SPEC = {"dim": 8, "stored_as": "float16"}
ENCODER = f"tiny-{hashlib.sha256(json.dumps(SPEC, sort_keys=True).encode()).hexdigest()[:12]}"


def some_ids(start: int, stop: int) -> IdArray:
    return ids_from_bytes([image_id(str(number).encode()) for number in range(start, stop)])


def vectors_of(ids: IdArray, dim: int = 8) -> Any:
    """Return vectors that can be told from their ids."""
    return np.frombuffer(ids.tobytes(), np.uint8).reshape(-1, 32)[:, :dim].astype(np.float16)


def is_right(matrix: FeatureMatrix) -> bool:
    return np.array_equal(matrix.vectors, vectors_of(matrix.ids))


def filled(path: Path, shards: int, rows: int) -> Store:
    """Return a store of one encoder, with as many rows as images."""
    store = Store.create(path)
    card = {"encoder_id": ENCODER, "spec": SPEC, "request": {"name": "tiny"}}
    store.features(ENCODER).describe(card)
    for number in range(shards):
        ids = some_ids(number * rows, (number + 1) * rows)
        commit(store, ids)
    return store


def commit(store: Store, ids: IdArray) -> None:
    """Write as embed does: vectors first, then the rows that point to them."""
    store.features(ENCODER).append(ids, vectors_of(ids), "float16")
    rows = [CatalogRow(one.tobytes().hex(), image_id=one.tobytes()) for one in ids]
    store.catalog.append("photos", rows)


@pytest.fixture
def messy(damaged: Store, logical: Dump) -> Store:
    """A store with images of two writers, superseded and retired rows, and forgotten images."""
    features = damaged.features(damaged.encoder_ids()[0])
    matrix = features.load()
    for start in range(0, 30, 5):
        part = slice(start, start + 7)
        features.append(matrix.ids[part], matrix.vectors[part] + np.float16(start), "float16")
    for number in (2, 3):
        damaged.catalog.append("shapes", [CatalogRow(f"disc/{number:02d}.png", gone=True)])
    rows = damaged.catalog.rows("shapes").slice(0, 12)
    damaged.catalog.append("shapes", CatalogRow.from_table(rows))
    forget(damaged, plan_forget(damaged, ["stripes/05.png", "disc/09.png"]))
    assert len(features.shards()) > 8
    return damaged


DIES = """
import os, shutil, sys
from pathlib import Path
from icehouse.store import fsck
from icehouse.store._local_files import LocalFiles

class DyingFiles(LocalFiles):
    "Files whose process dies before a certain change."

    def __init__(self, root, step):
        super().__init__(root)
        self.left = step

    def count(self):
        if self.left == 0:
            os._exit(9)
        self.left -= 1

    def commit(self, name, data):
        self.count()
        return super().commit(name, data)

    def remove(self, *names):
        for name in names:
            self.count()
            super().remove(name)

    def move(self, name, to):
        self.count()
        return super().move(name, to)

original, copies = map(Path, sys.argv[1:])
for step in range(200):
    copy = copies / str(step)
    shutil.copytree(original, copy)
    child = os.fork()
    if not child:
        fsck(copy, repair=True, files=DyingFiles(copy, step), limit=(16, 2**20))
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(step)
"""


def test_a_repair_that_dies_before_any_of_its_steps_has_changed_nothing_but_files(
    messy: Store, tmp_path: Path, logical: Dump, python: Callable[..., Any]
) -> None:
    before = logical(messy)
    done = python(DIES, messy.path, tmp_path / "copies")
    assert done.returncode == 0, done.stderr
    steps = int(done.stdout)
    assert steps >= 15
    for step in range(steps + 1):
        copy = Store(tmp_path / "copies" / str(step))
        assert logical(copy) == before, f"died before step {step}"
        if step % 5 == 0:
            assert fsck(copy.path, repair=True, limit=SMALL).sound
            assert logical(copy) == before
            # Shards of a repair that died may be cut so that another one could merge a few.
            left = {f.kind for f in fsck(copy.path, limit=SMALL).findings} - {"small-shards"}
            assert left == {"labels-of-unknown-images", "vectors-without-row"}


KILLED = """
import os, random, shutil, signal, sys, time
from pathlib import Path
from icehouse.store import fsck

path, moment = Path(sys.argv[1]), random.Random(7)
kills = 0
while kills < 12:
    child = os.fork()
    if not child:
        fsck(path, repair=True, limit=(64, 2**20))
        os._exit(0)
    time.sleep(moment.uniform(0.0, 0.08))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kills += 1
"""


def test_a_repair_that_is_killed_at_random_again_and_again_loses_nothing(
    tmp_path: Path, python: Callable[..., Any]
) -> None:
    store = filled(tmp_path / "store", shards=40, rows=5)
    done = python(KILLED, store.path)
    assert done.returncode == 0, done.stderr
    matrix = store.features(ENCODER).load()
    assert np.array_equal(np.sort(matrix.ids), np.sort(some_ids(0, 200)))
    assert is_right(matrix)
    assert len(store.catalog.rows("photos")) == 200
    fsck(store.path, repair=True)
    assert len(store.features(ENCODER).shards()) == 1
    assert is_right(store.features(ENCODER).load())


def test_shards_are_as_large_as_they_may_be_and_large_ones_are_left_alone(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", shards=10, rows=6)
    fsck(store.path, repair=True, limit=SMALL)
    sizes = [pq.read_metadata(store.path / n).num_rows for n in store.features(ENCODER).shards()]
    assert sorted(sizes) == [12] * 5
    stamps = {name: store.files.path(name).stat() for name in store.features(ENCODER).shards()}
    commit(store, some_ids(60, 63))
    commit(store, some_ids(63, 66))
    fsck(store.path, repair=True, limit=SMALL)
    after = {name: store.files.path(name).stat() for name in store.features(ENCODER).shards()}
    assert stamps.items() <= after.items()
    assert len(after) == 6
    assert is_right(store.features(ENCODER).load())


def test_a_shard_beyond_the_limit_is_cut_when_it_has_to_be_written_anew(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", shards=1, rows=50)
    [row] = store.catalog.rows("photos", ["key"]).slice(7, 1).to_pylist()
    forget(store, plan_forget(store, [row["key"]]))
    fsck(store.path, repair=True, limit=SMALL)
    sizes = [pq.read_metadata(store.path / n).num_rows for n in store.features(ENCODER).shards()]
    assert sorted(sizes) == [10, 13, 13, 13]
    assert is_right(store.features(ENCODER).load())


def test_bytes_limit_a_shard_too() -> None:
    class Wide:
        """As much of a shard as is asked about."""

        kind = (2048, "float32")

    limit = (SHARD_ROWS, SHARD_BYTES)
    assert rows_of_a_shard(Wide, limit) == SHARD_BYTES // 8192  # type: ignore[arg-type]


def test_a_compacted_catalog_keeps_types_order_and_rows_written_after_it(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", shards=3, rows=4)
    before = store.catalog.rows("photos")
    fsck(store.path, repair=True)
    [name] = store.catalog.shards("photos")
    assert is_compacted(name)
    assert store.catalog.rows("photos").equals(before)
    key = before["key"][5].as_py()
    store.catalog.append("photos", [CatalogRow(key, gone=True), CatalogRow("new", error="empty")])
    keys = store.catalog.rows("photos", ["key"])["key"].to_pylist()
    assert keys[-1] == "new"
    assert key not in keys
    fsck(store.path, repair=True)
    assert len(store.catalog.shards("photos")) == 1
    assert store.catalog.rows("photos", ["key"])["key"].to_pylist() == keys


def test_a_row_written_beside_a_compaction_with_an_old_number_comes_after_it(
    tmp_path: Path,
) -> None:
    store = filled(tmp_path / "store", shards=2, rows=2)
    twin = Store(tmp_path / "twin")
    shutil.copytree(store.path, twin.path)
    key = store.catalog.rows("photos", ["key"])["key"][0].as_py()
    # A writer that had listed the shards before the last one came: it takes its number.
    twin.files.remove(twin.catalog.shards("photos")[-1])
    twin.catalog.append("photos", [CatalogRow(key, error="empty")])
    fsck(store.path, repair=True)
    late = twin.catalog.shards("photos")[-1]
    store.files.commit(late, twin.files.read(late))
    rows = {r["key"]: r["error"] for r in store.catalog.rows("photos").to_pylist()}
    assert rows[key] == "empty"
    assert len(rows) == 4


def test_a_dataset_of_which_no_row_is_in_force_leaves_no_shard(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", shards=2, rows=2)
    keys = store.catalog.rows("photos", ["key"])["key"].to_pylist()
    empty = store.catalog.rows("photos").slice(0, 0)
    store.catalog.append("photos", [CatalogRow(key, gone=True) for key in keys])
    assert fsck(store.path, repair=True).sound
    assert store.catalog.datasets() == []
    store.catalog.replace(["catalog/photos/00000003-0123456789ab.parquet"], empty)  # died before
    assert store.catalog.datasets() == ["photos"]
    fsck(store.path, repair=True)
    assert store.catalog.datasets() == []
    assert len(store.features(ENCODER).load()) == 4


class Meddling(LocalFiles):
    """Files beside which something happens, once, before or after a certain call."""

    def __init__(self, root: Path, call: str, when: str, happens: Callable[[], object]) -> None:
        super().__init__(root)
        self._call, self._when, self._happens = call, when, happens
        self._done = False

    def _meddle(self, call: str, when: str, name: str) -> None:
        known = name.startswith(("features/", "catalog/")) and "_forgotten" not in name
        if not self._done and known and (call, when) == (self._call, self._when):
            self._done = True
            self._happens()

    def open(self, name: str, *, mapped: bool = False, part: bool = False) -> pa.NativeFile:
        self._meddle("open", "before", name)
        return super().open(name, mapped=mapped, part=part)

    def commit(self, name: str, data: bytes | memoryview) -> str:
        self._meddle("commit", "before", name)
        path = super().commit(name, data)
        self._meddle("commit", "after", name)
        return path


def test_a_reader_whose_shards_vanish_lists_again(tmp_path: Path) -> None:
    for read in ("load", "ids", "rows"):
        store = filled(tmp_path / read, shards=5, rows=3)

        def compact(store: Store = store) -> None:
            fsck(store.path, repair=True)

        reader = Store(store.path, Meddling(store.path, "open", "before", compact))
        if read == "rows":
            assert len(reader.catalog.rows("photos")) == 15
        else:
            assert len(getattr(reader.features(ENCODER), read)()) == 15
        assert len(store.features(ENCODER).shards()) == 1


def test_a_name_that_leads_nowhere_is_an_error_and_no_endless_loop(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", shards=1, rows=3)
    (store.path / f"features/{ENCODER}/away.parquet").symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreCorrupt, match="a file is listed but cannot be found"):
        store.features(ENCODER).load()


def test_two_repairs_at_once_lose_nothing(tmp_path: Path) -> None:
    for when in ("before", "after"):
        store = filled(tmp_path / when, shards=8, rows=5)

        def other(store: Store = store) -> None:
            fsck(store.path, repair=True, limit=(20, 2**20))

        files = Meddling(store.path, "commit", when, other)
        fsck(store.path, repair=True, files=files, limit=SMALL)
        matrix = store.features(ENCODER).load()
        assert np.array_equal(np.sort(matrix.ids), np.sort(some_ids(0, 40)))
        assert len(store.catalog.rows("photos")) == 40
        assert fsck(store.path, repair=True).sound


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_forgotten_while_it_is_compacted_stays_forgotten(tmp_path: Path, when: str) -> None:
    store = filled(tmp_path / "store", shards=6, rows=5)
    chosen = image_id(b"7")

    def meanwhile() -> None:
        forget(store, plan_forget(store, [chosen.hex()]))

    # Its rows are gone already, so that the first thing committed is of vectors.
    store.catalog.append("photos", [CatalogRow(chosen.hex(), gone=True)])
    fsck(store.path, repair=True)
    commit(store, some_ids(40, 44))
    files = Meddling(store.path, "commit", when, meanwhile)
    fsck(store.path, repair=True, files=files, limit=(100, 2**20))
    ids = {one.tobytes() for one in store.features(ENCODER).load().ids}
    assert chosen not in ids
    assert len(ids) == 33
    fsck(store.path, repair=True)
    data = b"".join(p.read_bytes() for p in store.path.rglob("*") if p.is_file())
    assert chosen not in data


class AtWork:
    """A store that is written, read and checked at the same time, until all is written."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.done = threading.Event()
        self.wrong: list[object] = []
        self._threads = [threading.Thread(target=w) for w in (self.write, self.read, self.check)]

    def write(self) -> None:
        for number in range(40):
            commit(self.store, some_ids(100 + number * 3, 103 + number * 3))
        self.done.set()

    def read(self) -> None:
        least = 0
        while not self.done.is_set():
            rows = len(self.store.catalog.rows("photos"))
            matrix = self.store.features(ENCODER).load()
            if not (least <= rows <= len(matrix) and is_right(matrix)):
                self.wrong.append((least, rows, len(matrix)))
            least = rows

    def check(self) -> None:
        while not self.done.is_set():
            self.wrong += [f for f in fsck(self.store.path).findings if f.severity != "information"]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def test_writers_and_readers_at_work_while_it_is_compacted(tmp_path: Path) -> None:
    store = filled(tmp_path / "store", shards=2, rows=3)
    work = AtWork(store)
    work.start()
    while not work.done.is_set():
        fsck(store.path, repair=True, limit=SMALL)
    work.join()
    assert work.wrong == []
    assert len(store.features(ENCODER).load()) == 6 + 120
    assert len(store.catalog.rows("photos")) == 6 + 120


@pytest.mark.parametrize("seed", range(4))
def test_one_repair_is_enough_whatever_the_sizes(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    store = filled(tmp_path / "store", shards=0, rows=0)
    start = 0
    for size in random.integers(1, 30, 12).tolist():
        commit(store, some_ids(start, start + size))
        start += size
    keys = store.catalog.rows("photos", ["key"])["key"].to_pylist()
    forget(store, plan_forget(store, keys[::9]))
    fsck(store.path, repair=True, limit=SMALL)
    assert {f.kind for f in fsck(store.path, limit=SMALL).findings} == {"canary-missing"}
    matrix = store.features(ENCODER).load()
    assert len(matrix) == start - len(keys[::9])
    assert is_right(matrix)
