"""Maps as files: what was written is read, and what was changed since is not."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from icehouse.errors import StoreCorrupt
from icehouse.store import MapFiles, Store, StoredMap, ids_from_bytes, image_id

ENCODER = "some-0123456789ab"
FILE = f"maps/{ENCODER}/umap.parquet"


def a_map(images=20):
    random = np.random.default_rng(0)
    return StoredMap(
        said={"options": {"seed": 3, "min_dist": 0.1}, "revision": 1, "words": "ß"},
        ids=ids_from_bytes(image_id(str(n).encode()) for n in range(images)),
        xy=random.normal(size=(images, 2)).astype(np.float32),
        placed=random.uniform(size=images) < 0.3,
    )


@pytest.fixture(params=["folder", "bucket"])
def files(request, tmp_path):
    """The maps of an encoder, on disk and on object storage."""
    where = tmp_path / "store"
    if request.param == "bucket":
        where = f"{request.getfixturevalue('bucket')[0]}/{tmp_path.name}"
    return MapFiles(Store.create(where).files, ENCODER)


@pytest.fixture
def written(store):
    """A map in a store in a folder, to be damaged."""
    files = MapFiles(store.files, ENCODER)
    files.write("umap", a_map())
    return files


def same(one, other):
    return (
        one.said == other.said
        and one.ids.tobytes() == other.ids.tobytes()
        and one.xy.tobytes() == other.xy.tobytes()
        and one.placed.tolist() == other.placed.tolist()
    )


def rewritten(store, change):
    """Write the file of a map again, with another table under its footer."""
    table = pq.read_table(io.BytesIO(store.files.read(FILE)))
    sink = io.BytesIO()
    pq.write_table(change(table), sink)
    store.files.commit(FILE, sink.getvalue())


def test_what_is_written_is_read(files):
    assert (files.read("umap"), files.names()) == (None, [])
    files.write("umap", a_map())
    files.write("other", a_map(3))
    assert same(files.read("umap"), a_map())
    assert same(files.read("other"), a_map(3))
    assert files.names() == ["other", "umap"]
    files.write("umap", a_map(7))
    assert same(files.read("umap"), a_map(7))


def test_any_parquet_reader_reads_it(store, written):
    table = pq.read_table(store.path / FILE)
    assert table.column_names == ["image_id", "x", "y", "placed"]
    assert table["image_id"].to_pylist() == [i.tobytes() for i in a_map().ids]
    assert np.array_equal(table["y"].to_numpy(), a_map().xy[:, 1])


def test_a_map_without_images_is_one(files):
    files.write("umap", a_map(0))
    assert same(files.read("umap"), a_map(0))


def test_images_are_left_out_of_all_maps(files):
    files.write("umap", a_map())
    files.write("other", a_map(5))
    files.write("third", a_map(2))
    third = files.read("third")
    gone = a_map().ids[[3, 11]]
    files.leave_out(gone)
    here = np.delete(np.arange(20), [3, 11])
    every = a_map()
    left = replace(every, ids=every.ids[here], xy=every.xy[here], placed=every.placed[here])
    assert same(files.read("umap"), left)
    assert len(files.read("other").ids) == 4
    assert same(files.read("third"), third)


def test_a_map_that_has_none_of_the_images_is_not_written_again(store, written):
    before = (store.path / FILE).stat().st_ino
    written.leave_out(ids_from_bytes([image_id(b"unknown")]))
    assert (store.path / FILE).stat().st_ino == before


def test_a_damaged_map_may_show_what_is_to_be_forgotten_and_is_removed(store, written):
    written.write("other", a_map(5))
    store.files.commit(FILE, store.files.read(FILE)[:-40])
    written.leave_out(a_map().ids[:1])
    assert written.names() == ["other"]
    assert len(written.read("other").ids) == 4


@pytest.mark.parametrize("size", [0, 4, 200])
def test_a_file_that_is_cut_is_damaged(store, written, size):
    store.files.commit(FILE, store.files.read(FILE)[:size])
    with pytest.raises(StoreCorrupt, match=r"umap\.parquet cannot be used.*icehouse map --anew"):
        written.read("umap")


def test_no_bit_of_its_rows_or_footer_can_change_unseen(store, written):
    whole = store.files.read(FILE)
    for at in range(0, len(whole), 37):
        spoilt = bytearray(whole)
        spoilt[at] ^= 4
        store.files.commit(FILE, bytes(spoilt))
        try:
            read = written.read("umap")
        except StoreCorrupt:
            continue
        assert same(read, a_map()), at  # what nothing is read from, as the name of the writer


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda t: t.replace_schema_metadata(None), "cannot be used"),
        (
            lambda t: t.replace_schema_metadata(
                {**t.schema.metadata, b"icehouse.map": b'{"options": {}, "revision": 1}'}
            ),
            "its checksum is another",
        ),
        (lambda t: t.slice(1), "its checksum is another"),
        (lambda t: t.take(list(range(19, -1, -1))), "its checksum is another"),
        (lambda t: t.drop_columns(["placed"]), "cannot be used"),
    ],
    ids=["bare", "other-words", "fewer", "turned", "column"],
)
def test_a_file_that_somebody_has_rewritten_is_damaged(store, written, change, why):
    rewritten(store, change)
    with pytest.raises(StoreCorrupt, match=why):
        written.read("umap")


@pytest.mark.parametrize("what", ["twice", "nowhere"])
def test_a_map_with_two_places_or_none_is_refused(store, what):
    stored = a_map()
    if what == "twice":
        stored = replace(stored, ids=stored.ids[[0, *range(19)]])
    else:
        stored.xy[4, 1] = np.nan
    files = MapFiles(store.files, ENCODER)
    files.write("umap", stored)
    with pytest.raises(StoreCorrupt, match="an image has two places, or none"):
        files.read("umap")


def test_maps_of_encoders_lie_apart(store, written):
    other = MapFiles(store.files, "other-0123456789ab")
    assert (other.read("umap"), other.names()) == (None, [])
    other.write("umap", a_map(3))
    assert len(written.read("umap").ids) == 20
