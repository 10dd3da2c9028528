"""A push brings a collection of Milvus to where the store is, however far an earlier one came."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import icehouse
from icehouse.errors import LookupFailed, MilvusError, UsageError
from icehouse.search import drop_pushed, push_index, pushed_state
from icehouse.store import Store

from .conftest import ENCODER, Server, add, drawn, ids

WIDE = 4096  # numbers: of such vectors 244 are sent at once
KILLED = """
import os, sys
from icehouse.search import push_index
from icehouse.store import Store

def progress(done, total):
    print(done, flush=True)
    if done:
        os._exit(9)

push_index(Store.open(sys.argv[1]), sys.argv[2], sys.argv[3], progress=progress)
"""


def test_the_second_push_finds_nothing_to_do(store, where):
    add(store, np.arange(200))
    told = []
    first = push_index(store, ENCODER, where, progress=lambda *said: told.append(said))
    assert (first.rows, first.added, first.removed) == (200, 200, 0)
    assert told == [(0, 200), (200, 200)]
    assert first.collection == "icehouse_some_0123456789ab"
    again = push_index(store, ENCODER, where, progress=lambda *said: told.append(said))
    assert (again.rows, again.added, again.removed) == (200, 0, 0)
    assert len(told) == 2


def test_a_push_that_is_killed_is_gone_on_with(store, where):
    add(store, np.arange(300), dim=WIDE)
    command = [sys.executable, "-c", KILLED, str(store.path), ENCODER, where]
    environment = os.environ | {"PYTHONPATH": str(Path(icehouse.__file__).parents[1])}
    killed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (killed.returncode, killed.stdout.split()) == (9, ["0", "244"])
    assert killed.stderr == ""
    assert pushed_state(store, ENCODER, where).lacks == 56
    assert push_index(store, ENCODER, where).added == 56
    state = pushed_state(store, ENCODER, where)
    assert (state.vectors, state.lacks, state.gone) == (300, 0, 0)


def test_a_milvus_that_goes_amid_a_push_is_an_error_and_what_was_pushed_stays(store, tmp_path):
    add(store, np.arange(300), dim=WIDE)
    server = Server(tmp_path / "served")

    def progress(done: int, total: int) -> None:
        if done:
            server.stop()

    with pytest.raises(MilvusError, match=r"^Milvus at http.*What was pushed until then stays"):
        push_index(store, ENCODER, server.where, progress=progress, patience=10)
    server = Server(tmp_path / "served")
    assert push_index(store, ENCODER, server.where).added == 56
    server.stop()


def test_a_milvus_that_cannot_be_reached_is_an_error(store, tmp_path):
    add(store, np.arange(30))
    server = Server(tmp_path / "served")
    server.stop()
    with pytest.raises(MilvusError, match=r"Milvus at http://127\.0\.0\.1"):
        push_index(store, ENCODER, server.where, patience=1)


def test_a_file_that_cannot_be_is_an_error(store, tmp_path):
    add(store, np.arange(30))
    (tmp_path / "photos.db").write_text("no folder")
    with pytest.raises(MilvusError, match="Milvus Lite cannot open"):
        push_index(store, ENCODER, f"milvus:{tmp_path}/photos.db")


@pytest.mark.parametrize(("name", "dim"), [(ENCODER.replace("-", "."), 8), (ENCODER, 12)])
def test_a_collection_of_another_encoder_or_dimension_is_refused(store, where, name, dim, tmp_path):
    other = Store.create(tmp_path / "other.icehouse")
    other.features(name).append(ids(np.arange(9)), drawn(9, dim), "float16")
    push_index(other, name, where)
    add(store, np.arange(9))
    said = rf"was made for encoder {name} of dimension {dim}, not for {ENCODER} of dimension 8"
    for verb in (push_index, drop_pushed, pushed_state):
        with pytest.raises(UsageError, match=said):
            verb(store, ENCODER, where)
    assert pushed_state(other, name, where).lacks == 0


def test_a_collection_of_another_store_is_refused_until_it_is_dropped(store, where, tmp_path):
    other = Store.create(tmp_path / "other.icehouse")
    add(other, np.arange(50))
    push_index(other, ENCODER, where)
    add(store, np.arange(50, 90))
    with pytest.raises(UsageError, match=f"another one's.*index drop --index {where}$"):
        push_index(store, ENCODER, where)
    assert pushed_state(other, ENCODER, where).lacks == 0
    assert drop_pushed(store, ENCODER, where) == ["icehouse_some_0123456789ab"]
    assert drop_pushed(store, ENCODER, where) == []
    assert push_index(store, ENCODER, where).added == 40


def test_several_encoders_share_a_file(store, where):
    add(store, np.arange(50))
    store.features("tiny-ffffffffffff").append(ids(np.arange(60)), drawn(60, 12), "float16")
    assert push_index(store, ENCODER, where).added == 50
    assert push_index(store, "tiny-ffffffffffff", where).added == 60
    assert push_index(store, ENCODER, where).added == 0


def test_more_rows_than_one_answer_holds_are_all_known(store, where):
    add(store, np.arange(17_000), dim=2)
    push_index(store, ENCODER, where)
    assert push_index(store, ENCODER, where).added == 0


def test_what_cannot_be_pushed_is_said(store, where):
    with pytest.raises(LookupFailed, match="no features of encoder"):
        push_index(store, ENCODER, where)
    with pytest.raises(UsageError, match="an index is of one encoder"):
        push_index(store, f"{ENCODER}+{ENCODER}", where)
    add(store, np.arange(9))
    with pytest.raises(LookupFailed, match=r"there is no .*photos.db. Make it with"):
        pushed_state(store, ENCODER, where)
