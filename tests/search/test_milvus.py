"""An index in Milvus makes search reach past one machine, and never changes what is found."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icehouse.embedder import embed, list_source
from icehouse.errors import MissingExtra, UsageError
from icehouse.search import Engine, Filters, Query, push_index, search
from icehouse.search.milvus import Address
from icehouse.store import Store, fsck

from ..conftest import draw
from .conftest import ENCODER, Server, add, brute, drawn, ids

KINDS = ("disc", "stripes", "ramp")


def check(store: Store, where: str, k: int = 5, among: np.ndarray | None = None) -> Engine:
    """Compare all searches with brute force."""
    engine = Engine.open(store, ENCODER, index=where)
    compare(engine, store, k, among)
    return engine


def compare(engine: Engine, store: Store, k: int = 5, among: np.ndarray | None = None) -> None:
    queries = np.concatenate([drawn(20, seed=99), store.features(ENCODER).load().vectors[:20]])
    similarity, index = engine.nearest(queries, k, among)
    wanted, images = brute(store, queries, k, among)
    np.testing.assert_allclose(similarity, wanted, atol=1e-6)
    found = [[engine.rows.ids[i].tobytes() for i in row] for row in index]
    assert found == images


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, str]:
    """A store of two datasets with labels and splits, and where its vectors were pushed."""
    folder = tmp_path_factory.mktemp("shapes")
    rows = ["path,label,split"]
    for number in range(240):
        kind = KINDS[number % 3]
        draw(kind, number, (24, 20)).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{kind},{'val' if number % 4 == 0 else 'train'}")
    (folder / "shapes.csv").write_text("\n".join(rows))
    (folder / "more").mkdir()
    for number in range(60):
        draw("disc", 1000 + number, (24, 20)).save(folder / "more" / f"m{number}.png")
    store = Store.create(folder / "photos.icehouse")
    embed(store, list_source(folder / "shapes.csv"), "descriptor", dataset="shapes", task="kind")
    embed(store, list_source(folder / "more"), "descriptor", dataset="more")
    where = f"milvus:{folder}/photos.db"
    push_index(store, store.encoder_ids()[0], where)
    return store, where


@pytest.mark.parametrize(
    ("filters", "distinct"),
    [
        (Filters(), False),
        (Filters(), True),
        (Filters(datasets=("shapes",)), False),
        (Filters(datasets=("more",)), True),
        (Filters(splits=("val",)), False),
        (Filters(labels=("disc", "ramp")), False),
        (Filters(datasets=("shapes",), splits=("train",), labels=("ramp",)), True),
        (Filters(labelled=True), False),
        (Filters(labelled=False), False),
    ],
    ids=str,
)
def test_the_same_images_and_cosines_are_found_with_every_filter(shapes, filters, distinct):
    store, where = shapes
    [encoder_id] = store.encoder_ids()
    ways = [
        Engine.open(store, encoder_id, index=where),
        Engine.open(store, encoder_id, exact=True),
    ]
    assert ways[0].index.covered.all()
    for liked in ("1.png", "2.png", "0.png"):
        query = Query(like=(liked,), unlike=("77.png",))
        options: dict[str, Any] = {"filters": filters, "task": "kind", "distinct": distinct}
        one, other = (search(store, encoder_id, query, 7, **options, engine=e) for e in ways)
        assert one == other  # to the last bit, and without a note
        assert len(one.hits) == 7


def test_milvus_itself_names_the_nearest(store, where):
    add(store, np.arange(300))
    push_index(store, ENCODER, where)
    index = Engine.open(store, ENCODER, index=where).index
    queries = drawn(10, seed=3).astype(np.float32)
    held = store.features(ENCODER).load()
    _, images = brute(store, queries, 4)
    for among in (None, np.arange(300) % 3 == 0):
        named = index.candidates(queries, 4, among)
        if among is not None:
            assert among[named[named >= 0]].all()
            _, images = brute(store, queries, 4, among)
        for row, right in zip(named, images, strict=True):
            assert set(right) <= {held.ids[i].tobytes() for i in row[row >= 0]}


def test_the_graph_is_made_as_it_was_asked_for(store, where):
    from pymilvus import MilvusClient

    add(store, np.arange(100))
    name = push_index(store, ENCODER, where).collection
    client = MilvusClient(where.removeprefix("milvus:"), dedicated=True)
    said = client.describe_index(name, "vector")
    client.close()
    assert (said["index_type"], said["metric_type"]) == ("HNSW", "IP")
    assert said["params"] == {"M": 32, "efConstruction": 200}


def test_filters_that_leave_some_few_and_none(store, where):
    add(store, np.arange(300))
    push_index(store, ENCODER, where)
    for share in (0.5, 0.15, 0.02):
        check(store, where, 3, np.arange(300) < 300 * share)
    engine = Engine.open(store, ENCODER, index=where)
    assert engine.nearest(drawn(4), 3, np.zeros(300, bool))[1].shape == (4, 0)
    assert engine.nearest(drawn(2), 1000)[1].shape == (2, 300)


def test_new_vectors_are_found_before_they_are_pushed_and_after(store, where):
    add(store, np.arange(200))
    push_index(store, ENCODER, where)
    add(store, np.arange(200, 290), seed=1)
    engine = check(store, where)
    assert int(engine.index.covered.sum()) == 200
    assert "lacks 90 of 290" in engine.notes[0]
    assert engine.notes[0].endswith(f"icehouse index push --index {where}")
    del engine
    assert push_index(store, ENCODER, where).added == 90
    engine = check(store, where)
    assert engine.index.covered.all()
    assert engine.notes == ()


def test_what_is_forgotten_is_never_found_and_goes_with_the_next_push(store, where):
    add(store, np.arange(200))
    push_index(store, ENCODER, where)
    features = store.features(ENCODER)
    features.tombstones.commit(ids(np.arange(0, 200, 3)), features.shards())
    check(store, where, k=6)
    check(store, where, k=5, among=np.arange(133) % 2 == 0)
    pushed = push_index(store, ENCODER, where)
    assert (pushed.added, pushed.removed, pushed.rows) == (0, 67, 133)
    check(store, where)


def test_another_vector_of_the_same_image_takes_the_place_of_the_first(store, where):
    first = add(store, np.arange(100))
    push_index(store, ENCODER, where)
    features = store.features(ENCODER)
    features.tombstones.commit(ids([5, 6, 7]), [first])
    add(store, [5, 6, 7], seed=7)
    assert int((~check(store, where).index.covered).sum()) == 3
    assert push_index(store, ENCODER, where).added == 3
    assert check(store, where).index.covered.all()


def test_shards_that_were_compacted_are_known_again_by_the_next_push(store, where):
    for part in range(4):
        add(store, np.arange(60) + 60 * part, seed=part)
    push_index(store, ENCODER, where)
    fsck(store.path, repair=True)
    engine = check(store, where)
    assert not engine.index.covered.any()
    assert "lacks 240 of 240" in engine.notes[0]
    del engine
    pushed = push_index(store, ENCODER, where)
    assert (pushed.added, pushed.removed) == (0, 0)
    assert check(store, where).index.covered.all()


def test_a_collection_that_has_lost_rows_is_not_used_until_the_next_push(store, where):
    from pymilvus import MilvusClient

    add(store, np.arange(120))
    push_index(store, ENCODER, where)
    name = "icehouse_some_0123456789ab"
    client = MilvusClient(where.removeprefix("milvus:"), dedicated=True)
    client.delete(name, ids=[store.features(ENCODER).rows().ids[7].tobytes().hex()])
    client.close()
    engine = check(store, where)
    assert engine.index is None
    assert f"{name} has 120 rows, and not 121 as were pushed" in engine.notes[0]
    assert push_index(store, ENCODER, where).added == 1
    assert check(store, where).notes == ()


def test_without_the_file_or_the_collection_search_is_exact_and_makes_none(store, where, tmp_path):
    add(store, np.arange(100))
    engine = check(store, where)
    assert engine.index is None
    assert "exact and slower: there is no" in engine.notes[0]
    assert not (tmp_path / "photos.db").exists()
    other = "other-0123456789ab"
    store.features(other).append(ids(np.arange(9)), drawn(9), "float16")
    push_index(store, other, where)
    [note] = check(store, where).notes
    assert "has no collection icehouse_some_0123456789ab. Make it with" in note


def test_a_collection_of_another_encoder_is_not_searched(store, where):
    add(store, np.arange(100))
    other = ENCODER.replace("-", ".")  # whose collection has the same name
    store.features(other).append(ids(np.arange(9)), drawn(9), "float16")
    push_index(store, other, where)
    [note] = check(store, where).notes
    assert f"was made for encoder {other} of dimension 8, not for {ENCODER}" in note


def test_a_file_that_another_process_has_open_is_not_searched(store, where, tmp_path):
    from milvus_lite.db import MilvusLite

    add(store, np.arange(100))
    push_index(store, ENCODER, where)
    held = MilvusLite(str(tmp_path / "photos.db"))
    [note] = check(store, where).notes
    held.close()
    assert "Milvus Lite cannot open" in note
    assert "another process holds the lock" in note
    assert check(store, where).notes == ()


def test_a_milvus_that_cannot_be_reached_is_a_note(store):
    add(store, np.arange(100))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    [note] = check(store, f"milvus:http://127.0.0.1:{port}").notes
    assert note.startswith("the index is not used, and search is exact and slower: Milvus at http")


def test_a_milvus_that_never_answers_is_a_note(store):
    add(store, np.arange(100))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        [note] = check(store, f"milvus:http://127.0.0.1:{silent.getsockname()[1]}").notes
    assert "exact and slower: Milvus at http" in note


def test_a_milvus_that_goes_amid_searches_is_a_note_and_not_asked_again(store, tmp_path):
    add(store, np.arange(200))
    server = Server(tmp_path / "served")
    push_index(store, ENCODER, server.where)
    engine = check(store, server.where)
    assert engine.notes == ()
    server.stop()
    compare(engine, store)
    [note] = engine.notes
    assert "exact and slower: Milvus at http" in note
    compare(engine, store, among=np.arange(200) % 2 == 0)
    assert engine.notes == (note,)


@pytest.mark.parametrize(
    "text",
    [
        "photos.db",
        "milvus:photos",
        "milvus:",
        "faiss:photos.db",
        "milvus:ftp://h/x.db",
        "http://h",
        "milvus:http://",
        "milvus:http://host:port",
        "milvus:http://host:19530?token=x",
    ],
)
def test_what_is_no_address_is_refused(store, text):
    add(store, np.arange(9))
    with pytest.raises(UsageError, match=r"--index takes milvus:photos.db .* or milvus:http"):
        Engine.open(store, ENCODER, index=text)


def test_secrets_come_from_the_environment_and_are_not_shown(monkeypatch):
    monkeypatch.setenv("ICEHOUSE_MILVUS_TOKEN", "root:Sabre")
    address = Address.of("milvus:https://host:19530/photos")
    assert address.token == "root:Sabre"
    assert "Sabre" not in f"{address} {address!r}"
    with pytest.raises(UsageError, match="as ICEHOUSE_MILVUS_TOKEN") as refused:
        Address.of("milvus:http://root:Sabre@host:19530")
    assert "Sabre" not in str(refused.value)
    assert Address.of("milvus:photos.db").token == ""
    assert str(Address.of("milvus:photos.db")) == "photos.db"


def test_an_exact_search_uses_no_index(store, where):
    add(store, np.arange(9))
    with pytest.raises(UsageError, match="one or the other"):
        Engine.open(store, ENCODER, exact=True, index=where)


@pytest.mark.parametrize("package", ["pymilvus", "milvus_lite"])
def test_without_the_extra_its_install_line_is_named(store, where, package, monkeypatch):
    add(store, np.arange(9))
    push_index(store, ENCODER, where)
    for name in ("pymilvus", "milvus_lite", "milvus_lite.server_manager"):
        if name.startswith(package):
            monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(MissingExtra, match=r"pip install 'icehouse\[milvus\]'"):
        Engine.open(store, ENCODER, index=where)


def test_files_are_closed_with_their_last_user(store, where, tmp_path):
    from milvus_lite.db import MilvusLite

    add(store, np.arange(100))
    push_index(store, ENCODER, where)
    engines = [Engine.open(store, ENCODER, index=where) for _ in range(2)]
    engines.pop()
    compare(engines[0], store)
    assert engines.pop().notes == ()
    MilvusLite(str(tmp_path / "photos.db")).close()  # its lock is free


def test_the_file_is_a_folder_beside_the_store_that_may_lie_anywhere(store, where, tmp_path):
    add(store, np.arange(50))
    push_index(store, ENCODER, where)
    Path(tmp_path / "photos.db").rename(tmp_path / "moved.db")
    assert check(store, f"milvus:{tmp_path}/moved.db", k=2).index.covered.all()
