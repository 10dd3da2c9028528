"""Maps: the same each time, true to their neighbours, kept, and completed by what is new."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from icehouse.errors import LookupFailed, UsageError
from icehouse.maps import MapOptions, make_map, of_datasets, options_of, read_map
from icehouse.store import CatalogRow, MapFiles, forget, image_id, plan_forget

from .conftest import CLUSTERS, ENCODER, add, clustered, ids

FILE = f"maps/{ENCODER}/umap.parquet"


def places(drawn):
    """Return where each image is, bit by bit."""
    return {i.tobytes(): xy.tobytes() for i, xy in zip(drawn.ids, drawn.xy, strict=True)}


def cluster_of(drawn, among=1000):
    number = {i.tobytes(): n % CLUSTERS for n, i in enumerate(ids(np.arange(among)))}
    return np.array([number[i.tobytes()] for i in drawn.ids])


def catalogued(store, numbers, dataset="some", gone=False):
    """Let images stand in a dataset, or stand there no more."""
    rows = [
        CatalogRow(f"{n}.png", gone=True) if gone else CatalogRow(f"{n}.png", image.tobytes())
        for n, image in zip(numbers, ids(numbers), strict=True)
    ]
    store.catalog.append(dataset, rows)


def spoil(store):
    """Change one bit of the map that is kept."""
    data = bytearray(store.files.read(FILE))
    data[len(data) // 3] ^= 1
    store.files.commit(FILE, bytes(data))


def test_the_same_vectors_and_options_give_the_same_map(mapped, filled):
    drawn = read_map(mapped, ENCODER)
    assert places(make_map(mapped, ENCODER, anew=True)) == places(drawn)
    mapped.files.remove(FILE)
    assert places(make_map(mapped, ENCODER)) == places(drawn)
    assert places(make_map(mapped, ENCODER, MapOptions(seed=1))) != places(drawn)


def test_what_is_alike_is_near(mapped):
    drawn = read_map(mapped, ENCODER)
    assert len(drawn) == 120
    assert (drawn.method, drawn.encoder_id, drawn.notes) == ("umap", ENCODER, ())
    assert drawn.xy.dtype == np.float32
    assert np.array_equal(drawn.ids, mapped.features(ENCODER).rows().ids)
    cluster = cluster_of(drawn)
    nearest = cKDTree(drawn.xy).query(drawn.xy, 2)[1][:, 1]
    assert (cluster[nearest] == cluster).mean() >= 0.95
    assert not drawn.placed.any()


def test_the_share_of_neighbours_that_are_kept_is_counted(mapped):
    drawn = read_map(mapped, ENCODER)
    vectors = mapped.features(ENCODER).load().vectors.astype(float)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = vectors @ vectors.T
    away = np.linalg.norm(drawn.xy[:, None].astype(float) - drawn.xy[None], axis=2)
    np.fill_diagonal(cosine, -np.inf)
    np.fill_diagonal(away, np.inf)
    k = MapOptions().neighbours
    near, on_map = np.argsort(-cosine, axis=1)[:, :k], np.argsort(away, axis=1)[:, :k]
    both = [len(set(a) & set(b)) / k for a, b in zip(near.tolist(), on_map.tolist(), strict=True)]
    assert drawn.kept == pytest.approx(np.mean(both), abs=1e-3)


def test_what_is_kept_is_taken_as_it_is(mapped):
    told = []
    before, seen = mapped.files.read(FILE), os.stat(mapped.files.where(FILE))
    first = make_map(mapped, ENCODER, step=lambda *said: told.append(said))
    assert places(first) == places(read_map(mapped, ENCODER))
    assert (first.notes, told) == ((), [])
    assert mapped.files.read(FILE) == before
    assert os.stat(mapped.files.where(FILE)).st_ino == seen.st_ino  # it is not even written again


def test_each_step_is_told_from_its_beginning_to_its_end(filled):
    told = []
    store = filled(40)
    make_map(store, ENCODER, step=lambda *said: told.append(said))
    add(store, np.arange(40, 45))
    make_map(store, ENCODER, step=lambda *said: told.append(said))
    layout = [("neighbours", 40, 40), ("layout", 0, 40), ("layout", 40, 40)]
    assert told == [*layout, ("placing", 5, 5)]


def test_new_images_are_placed_near_those_that_they_are_like(mapped):
    before = places(read_map(mapped, ENCODER))
    add(mapped, np.arange(120, 150))
    assert places(read_map(mapped, ENCODER)) == before  # they have no place yet
    drawn = make_map(mapped, ENCODER)
    after = places(drawn)
    assert {image: after[image] for image in before} == before
    assert {i.tobytes() for i in drawn.ids[drawn.placed]} == {
        i.tobytes() for i in ids(np.arange(120, 150))
    }
    cluster = cluster_of(drawn)
    old = np.flatnonzero(~drawn.placed)
    nearest = old[cKDTree(drawn.xy[old]).query(drawn.xy[drawn.placed])[1]]
    assert (cluster[nearest] == cluster[drawn.placed]).mean() >= 0.95
    assert drawn.notes == ()
    assert places(make_map(mapped, ENCODER)) == places(read_map(mapped, ENCODER)) == after


def test_more_that_is_new_is_placed_among_what_the_map_was_made_of(mapped):
    add(mapped, [200])
    first = places(make_map(mapped, ENCODER))
    add(mapped, [203], clustered([200]))  # the same vector: the same place, and not beside it
    second = make_map(mapped, ENCODER)
    assert places(second)[image_id(b"203")] == first[image_id(b"200")]
    assert second.placed.sum() == 2


def test_where_most_images_are_newer_that_is_said(mapped):
    add(mapped, np.arange(120, 240))
    assert make_map(mapped, ENCODER).notes == ()  # half of them
    add(mapped, [240])
    [note] = make_map(mapped, ENCODER).notes
    assert "121 of 241 images are newer than this map" in note
    assert "icehouse map --anew" in note
    assert read_map(mapped, ENCODER).notes == (note,)
    drawn = make_map(mapped, ENCODER, anew=True)
    assert (drawn.notes, drawn.placed.sum()) == ((), 0)


def test_forgotten_images_vanish_from_the_map_and_its_file(mapped):
    before = places(read_map(mapped, ENCODER))
    gone = [image_id(str(n).encode()) for n in (3, 77)]
    forget(mapped, plan_forget(mapped, [i.hex() for i in gone]))
    assert not any(i in mapped.files.read(FILE) for i in gone)
    left = {image: at for image, at in before.items() if image not in gone}
    assert places(read_map(mapped, ENCODER)) == left
    assert places(make_map(mapped, ENCODER)) == left


def test_a_map_of_forgotten_images_only_is_none(mapped):
    add(mapped, np.arange(120, 150))
    make_map(mapped, ENCODER)
    old = [image_id(str(n).encode()).hex() for n in range(120)]
    forget(mapped, plan_forget(mapped, old))
    assert read_map(mapped, ENCODER) is None  # all that it was made of has gone
    drawn = make_map(mapped, ENCODER)
    assert (len(drawn), drawn.placed.sum()) == (30, 0)


def test_images_that_stand_in_no_dataset_are_not_drawn_and_keep_their_place(mapped):
    before = places(read_map(mapped, ENCODER))
    catalogued(mapped, range(120))
    assert places(read_map(mapped, ENCODER)) == before
    catalogued(mapped, range(60), gone=True)
    left = {i.tobytes(): before[i.tobytes()] for i in ids(np.arange(60, 120))}
    assert places(read_map(mapped, ENCODER)) == left
    assert places(make_map(mapped, ENCODER)) == left
    catalogued(mapped, range(60))
    assert places(make_map(mapped, ENCODER)) == before


def test_a_new_map_is_made_of_images_in_a_dataset_only(filled):
    store = filled(60)
    add(store, np.arange(60, 90), np.ones((30, 12)))
    catalogued(store, range(60))
    drawn = make_map(store, ENCODER)
    assert {i.tobytes() for i in drawn.ids} == {i.tobytes() for i in ids(np.arange(60))}
    assert places(drawn) == places(make_map(filled(60, "without"), ENCODER))
    assert len(MapFiles(store.files, ENCODER).read("umap").ids) == 60


def test_a_store_whose_images_have_all_gone_has_no_map(filled):
    store = filled(20)
    catalogued(store, range(20))
    catalogued(store, range(20), gone=True)
    with pytest.raises(LookupFailed, match="no image that encoder some-0123456789ab has seen"):
        make_map(store, ENCODER)


def test_of_more_images_than_it_is_made_of_the_others_are_placed(filled):
    store = filled(90)
    drawn = make_map(store, ENCODER, MapOptions(most=40))
    assert len(drawn) == 90
    assert drawn.placed.sum() == 50
    assert drawn.notes == ()  # they were too many, but are not newer
    cluster = cluster_of(drawn)
    nearest = cKDTree(drawn.xy).query(drawn.xy, 2)[1][:, 1]
    assert (cluster[nearest] == cluster).mean() >= 0.95
    add(store, np.arange(90, 190))
    [note] = make_map(store, ENCODER).notes
    assert "100 of 190 images are newer" in note


@pytest.mark.parametrize(("images", "method"), [(15, "pca"), (16, "umap")])
def test_of_few_images_principal_components_are_drawn(filled, images, method):
    store = filled(images)
    drawn = make_map(store, ENCODER)
    assert (len(drawn), drawn.method) == (images, method)
    assert store.files.exists(FILE) == (method == "umap")
    if method == "pca":
        [note] = drawn.notes
        assert "15 images are too few for umap" in note
        assert make_map(store, ENCODER, MapOptions("pca")).notes == ()  # as it was asked for


def test_one_image_lies_in_the_middle(filled):
    drawn = make_map(filled(1), ENCODER)
    assert drawn.xy.tolist() == [[0, 0]]
    assert drawn.notes[0].startswith("1 image is too few")


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_images_whose_vectors_are_all_the_same_have_places_of_their_own(filled, value):
    drawn = make_map(filled(np.full((30, 12), value)), ENCODER)
    assert np.isfinite(drawn.xy).all()
    assert len(set(places(drawn).values())) == 30


def test_images_without_any_features_are_beside_those_with_some(filled):
    vectors = clustered(np.arange(60))
    vectors[:5] = 0
    drawn = make_map(filled(vectors), ENCODER)
    assert np.isfinite(drawn.xy).all()
    assert len(drawn) == 60


def test_pca_is_quick_and_not_kept(mapped):
    before = mapped.files.read(FILE)
    drawn = make_map(mapped, ENCODER, MapOptions("pca"))
    assert (drawn.method, drawn.kept, drawn.notes) == ("pca", None, ())
    assert mapped.files.read(FILE) == before
    assert mapped.files.names(f"maps/{ENCODER}", "") == [FILE]


def test_a_damaged_map_is_made_anew(mapped):
    drawn = read_map(mapped, ENCODER)
    spoil(mapped)
    assert read_map(mapped, ENCODER) is None
    assert options_of(mapped, ENCODER) == MapOptions()
    again = make_map(mapped, ENCODER)
    [note] = again.notes
    assert FILE in note
    assert note.endswith("It has been made anew")
    assert places(again) == places(drawn) == places(read_map(mapped, ENCODER))
    spoil(mapped)
    assert make_map(mapped, ENCODER, anew=True).notes[0].endswith("It has been made anew")


def test_a_map_by_other_arithmetic_is_made_anew(mapped):
    files = MapFiles(mapped.files, ENCODER)
    stored = files.read("umap")
    other = {"options": {"perplexity": 30}, "revision": -1}  # of a version to come
    files.write("umap", replace(stored, said=other))
    assert read_map(mapped, ENCODER) is None
    drawn = make_map(mapped, ENCODER)
    assert drawn.notes == ()
    assert files.read("umap").said == stored.said


def test_other_options_make_another_map_and_none_take_those_of_what_is_kept(mapped):
    before = places(read_map(mapped, ENCODER))
    asked = MapOptions(neighbours=5, min_dist=0.5, seed=3)
    drawn = make_map(mapped, ENCODER, asked)
    [note] = drawn.notes
    assert "takes the place of the map that was kept" in note
    assert "neighbours 15, min_dist 0.1, seed 0" in note
    assert places(drawn) != before
    assert options_of(mapped, ENCODER) == asked
    again = make_map(mapped, ENCODER)
    assert (places(again), again.notes) == (places(drawn), ())


def test_a_map_that_cannot_be_kept_is_drawn_all_the_same(filled):
    store = filled(20)
    Path(store.files.where("maps")).symlink_to("nowhere")  # even root makes no folder there
    drawn = make_map(store, ENCODER)
    [note] = drawn.notes
    assert note.startswith("this map could not be kept")
    assert len(drawn) == 20
    assert read_map(store, ENCODER) is None


def test_a_map_is_of_one_encoder(mapped):
    with pytest.raises(LookupFailed, match="no features of encoder other"):
        make_map(mapped, "other-0123456789ab")
    assert read_map(mapped, "other-0123456789ab") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "tsne"}, "made by umap or pca, got 'tsne'"),
        ({"neighbours": 1}, "2 to 200 neighbours, got 1"),
        ({"neighbours": 201}, "2 to 200 neighbours, got 201"),
        ({"min_dist": -0.1}, "from 0 to below 1, got -0.1"),
        ({"min_dist": 1.0}, "from 0 to below 1, got 1.0"),
        ({"min_dist": float("nan")}, "from 0 to below 1, got nan"),
        ({"seed": -1}, "from 0 to 4294967295, got -1"),
        ({"seed": 2**32}, "from 0 to 4294967295, got 4294967296"),
        ({"most": 15}, "16 images or more, got 15"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        MapOptions(**options)


def test_the_outermost_options_work(filled):
    store = filled(20)
    drawn = make_map(store, ENCODER, MapOptions(neighbours=200, min_dist=0.0, seed=2**32 - 1))
    assert len(drawn) == 20
    drawn = make_map(store, ENCODER, MapOptions(neighbours=2, min_dist=0.99, most=16))
    assert drawn.placed.sum() == 4


def test_the_part_of_a_map_that_stands_in_some_datasets(mapped):
    catalogued(mapped, range(60), "a")
    catalogued(mapped, range(50, 90), "b")
    catalogued(mapped, range(90, 120), "c")
    mapped.catalog.append("empty", [CatalogRow("broken.png", error="truncated")])
    drawn = read_map(mapped, ENCODER)
    part = of_datasets(mapped, drawn, ["b", "a"])
    wanted = {i.tobytes() for i in ids(np.arange(90))}
    assert places(part) == {i: at for i, at in places(drawn).items() if i in wanted}
    assert len(part.placed) == 90
    assert len(of_datasets(mapped, drawn, ["c"])) == 30
    with pytest.raises(LookupFailed, match="no dataset 'd'; it has: a, b, c, empty"):
        of_datasets(mapped, drawn, ["d"])
    with pytest.raises(LookupFailed, match="no image of empty is on the map"):
        of_datasets(mapped, drawn, ["empty"])
