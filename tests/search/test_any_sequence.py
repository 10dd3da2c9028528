"""Whatever happens to a store and its index, and in whatever order: search finds what is there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import icehouse
from icehouse.errors import LookupFailed, StoreCorrupt
from icehouse.search import BuildOptions, Engine, build_index, extend_index
from icehouse.store import IndexFiles, Store
from icehouse.store._local_files import LocalFiles
from icehouse.store.care._check_features import check_encoder
from icehouse.store.care._compact import compact_features

from .conftest import ENCODER, add, brute, drawn, ids, thorough

IMAGES = 60


class Killed(BaseException):
    """The end of a process."""


class DyingFiles(LocalFiles):
    """Files of a writer that dies at its n-th change of the store."""

    def __init__(self, root: Path, changes: int) -> None:
        super().__init__(root)
        self.left = changes

    def _live(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def commit(self, name: str, data: bytes | memoryview) -> str:
        self._live()
        return super().commit(name, data)

    def remove(self, *names: str) -> None:
        for name in names:
            self._live()
            super().remove(name)


def act(store: Store, what: str, seed: int) -> None:
    """Do one thing, unless there is nothing to do it to."""
    random = np.random.default_rng(seed)
    features = store.features(ENCODER)
    with suppress(LookupFailed, StoreCorrupt):
        if what == "add":
            add(store, random.choice(IMAGES, int(random.integers(1, 40)), replace=False), seed)
        elif what == "forget" and features.shards():
            gone = random.choice(IMAGES, int(random.integers(1, 15)), replace=False)
            features.tombstones.commit(ids(np.sort(gone)), features.shards())
        elif what.startswith("build"):
            kind = what.partition(" ")[2]
            build_index(store, ENCODER, BuildOptions(target_recall=0.01, kinds=(kind,)))
            thorough(store)
        elif what == "extend":
            extend_index(store, ENCODER)
        elif what == "compact":
            facts = check_encoder(store.files, features)
            compact_features(store.files, features, facts.shards, (25, 10**9))
        elif what == "drop":
            IndexFiles(store.files, ENCODER).drop()
        elif what == "spoil":
            some = sorted(Path(store.path).glob(f"indexes/{ENCODER}/*"))
            for path in some[seed % 3 :][:1]:
                data = path.read_bytes()
                path.write_bytes([data[:-9], bytes(len(data)), data + b"x", b""][seed % 4])


def compare(store: Store) -> None:
    """Compare search with brute force over what is really there."""
    queries = drawn(6, seed=5)
    if not len(store.features(ENCODER).ids()):
        with pytest.raises(LookupFailed, match="no features"):
            Engine.open(store, ENCODER)
        return
    engine = Engine.open(store, ENCODER)
    similarity, index = engine.nearest(queries, 7)
    wanted, images = brute(store, queries, 7)
    np.testing.assert_allclose(similarity, wanted, atol=1e-6)
    for row, right, scores in zip(index, images, wanted, strict=True):
        found = [engine.rows.ids[i].tobytes() for i in row]
        if (np.diff(scores) < -1e-5).all():  # no two as near as each other
            assert found == right


ACTIONS = st.sampled_from(
    [
        *["add"] * 3,
        *["forget"] * 2,
        "build hnsw",
        "build ivf-sq",
        *["extend"] * 2,
        "compact",
        "drop",
        "spoil",
    ]
)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(
    steps=st.lists(
        st.tuples(ACTIONS, st.integers(0, 99), st.none() | st.integers(0, 5)),
        min_size=3,
        max_size=9,
    )
)
def test_any_sequence_of_changes_and_deaths_leaves_a_store_that_answers_rightly(
    steps: list[tuple[str, int, int | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "any.icehouse"
        store = Store.create(root)
        add(store, np.arange(30))
        for what, seed, dies in steps:
            if dies is None:
                act(store, what, seed)
            else:
                with suppress(Killed):
                    act(Store(root, DyingFiles(root, dies)), what, seed)
            compare(store)


@pytest.mark.parametrize("changes", range(6))
@pytest.mark.parametrize("verb", ["build", "extend", "drop"])
def test_a_writer_that_dies_at_any_moment_leaves_the_old_index_or_the_new(
    store: Store, build: Callable[..., None], verb: str, changes: int
) -> None:
    add(store, np.arange(50))
    build(store, "hnsw")
    add(store, np.arange(50, 70), seed=1)
    root = Path(store.path)
    dying = Store(root, DyingFiles(root, changes))
    with suppress(Killed):
        if verb == "build":
            build_index(dying, ENCODER, BuildOptions(target_recall=0.01, kinds=("ivf-sq",)))
            thorough(store)
        elif verb == "extend":
            extend_index(dying, ENCODER)
        else:
            IndexFiles(dying.files, ENCODER).drop()
    compare(store)
    card = IndexFiles(store.files, ENCODER).card()
    assert Engine.open(store, ENCODER).index is not None or (verb == "drop" and card is None)
    build(store, "hnsw")  # what was left behind is in nobody's way
    compare(store)


WRITER = """
import sys
import numpy as np
from icehouse.search import BuildOptions, build_index
from icehouse.store import Store

store = Store.open(sys.argv[1])
print("ready", flush=True)
for kind in ("ivf-sq", "hnsw") * 1000:
    build_index(store, sys.argv[2], BuildOptions(target_recall=0.01, kinds=(kind,)))
"""


def test_a_writer_that_is_killed_without_a_word_changes_no_answer(store: Store) -> None:
    add(store, np.arange(50))
    environment = os.environ | {"PYTHONPATH": str(Path(icehouse.__file__).parents[1])}
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store.path), ENCODER],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert writer.stdout is not None
    with writer.stdout:
        writer.stdout.readline()
        deadline = time.monotonic() + 60
        while IndexFiles(store.files, ENCODER).card() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        add(store, np.arange(50, 80), seed=2)
        for _ in range(20):  # the index is replaced under the reader all the time
            compare(store)
        writer.kill()
        writer.wait()
    compare(store)
    act(store, "extend", 0)
    compare(store)
    assert Engine.open(store, ENCODER).index is not None
