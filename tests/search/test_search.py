"""Looking for images: by images, words and vectors, among all or some of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source, reopen_text_encoder
from icehouse.errors import ImageError, LookupFailed, UsageError
from icehouse.search import (
    Engine,
    Filters,
    Query,
    build_index,
    choose_searched,
    list_indexes,
    read_vectors,
    search,
)
from icehouse.store import unit

from ..conftest import draw


def vectors(store):
    held = store.features(store.encoder_ids()[0]).load()
    return {i.tobytes(): v for i, v in zip(held.ids, unit(held.vectors), strict=True)}


def image(store, key):
    return store.find_image(key).image_id


def ranked(store, direction, leave=()):
    """Return image_ids by their cosine with a direction, as brute force finds them."""
    held = vectors(store)
    direction = direction / np.linalg.norm(direction)
    order = sorted(held, key=lambda i: -float(held[i] @ direction))
    return [i.hex() for i in order if i not in leave]


def test_one_image_finds_those_nearest_to_it(embedded):
    encoder = embedded.encoder_ids()[0]
    found = search(embedded, encoder, Query(like=("disc/03.png",)), 6, task="shapes")
    asked = image(embedded, "disc/03.png")
    right = ranked(embedded, vectors(embedded)[asked], [asked])
    assert [hit.image_id for hit in found.hits] == right[:6]
    assert [hit.rank for hit in found.hits] == [1, 2, 3, 4, 5, 6]
    assert found.among == 39
    first = found.hits[0]
    assert (first.dataset, first.labels) == ("shapes", (first.key.partition("/")[0],))
    assert first.similarity == pytest.approx(
        float(vectors(embedded)[bytes.fromhex(first.image_id)] @ vectors(embedded)[asked]), abs=1e-5
    )


def test_fewer_images_than_asked_for_are_said(embedded):
    found = search(embedded, embedded.encoder_ids()[0], Query(like=("disc/03.png",)), 50)
    assert len(found.hits) == 39
    assert found.notes == ("39 images instead of 50: there are no more to choose from",)


def test_several_images_and_some_that_are_not_wanted(embedded):
    held = vectors(embedded)
    likes, unlikes = ["disc/01.png", "disc/02.png"], ["stripes/01.png", "stripes/05.png"]
    p = np.mean([held[image(embedded, key)] for key in likes], axis=0)
    n = np.mean([held[image(embedded, key)] for key in unlikes], axis=0)
    query = Query(like=tuple(likes), unlike=tuple(unlikes))
    found = search(embedded, embedded.encoder_ids()[0], query, 10)
    named = [image(embedded, key) for key in (*likes, *unlikes)]
    assert [hit.image_id for hit in found.hits] == ranked(embedded, p - n / 2, named)[:10]


def test_a_file_a_key_an_id_and_a_vector_find_the_same(embedded, pictures):
    encoder = embedded.encoder_ids()[0]
    asked = image(embedded, "stripes/04.png")
    ways = [
        Query(like=("stripes/04.png",)),
        Query(like=(asked.hex()[:10],)),
        Query(like=(str(pictures / "stripes/04.png"),)),
    ]
    first, *others = [search(embedded, encoder, query, 5).hits for query in ways]
    assert all(each == first for each in others)
    by_vector = search(embedded, encoder, Query(vectors=vectors(embedded)[asked][None] * 3), 6).hits
    assert by_vector[0].image_id == asked.hex()
    assert [hit.image_id for hit in by_vector[1:]] == [hit.image_id for hit in first]


def test_a_new_file_may_stand_beside_images_of_the_store(embedded, pictures, tmp_path):
    new = tmp_path / "new.png"
    draw("disc", 77).save(new)
    query = Query(like=(str(new), "disc/00.png"), unlike=(str(pictures / "stripes/00.png"),))
    found = search(embedded, embedded.encoder_ids()[0], query, 38)
    assert {"disc/00.png", "stripes/00.png"}.isdisjoint(hit.key for hit in found.hits)
    assert len(found.hits) == found.among == 38


def test_filters_come_before_ranking(embedded):
    encoder = embedded.encoder_ids()[0]
    query = Query(like=("disc/03.png",))
    for filters, right in (
        (Filters(labels=("stripes",)), {("stripes",)}),
        (Filters(labelled=True), {("stripes",), ("disc",)}),
        (Filters(datasets=("shapes",), labels=("disc", "stripes")), {("stripes",), ("disc",)}),
    ):
        found = search(embedded, encoder, query, 7, filters=filters, task="shapes")
        assert len(found.hits) == 7
        assert {hit.labels for hit in found.hits} <= right
    found = search(
        embedded, encoder, query, 99, filters=Filters(labels=("stripes",)), task="shapes"
    )
    assert len(found.hits) == found.among == 20


def test_datasets_and_splits(store, pictures, tmp_path):
    lines = ["path,label,split"]
    lines += [f"{pictures}/disc/{n:02d}.png,disc,{'test' if n < 6 else 'train'}" for n in range(12)]
    (tmp_path / "discs.csv").write_text("\n".join(lines))
    encoder = embed(store, list_source(pictures), "descriptor", dataset="all").encoder_id
    embed(store, list_source(tmp_path / "discs.csv"), "descriptor", dataset="discs")
    query = Query(like=("stripes/00.png",))
    found = search(store, encoder, query, 50, filters=Filters(datasets=("discs",)))
    assert len(found.hits) == 12
    assert {hit.dataset for hit in found.hits} == {"discs"}
    found = search(store, encoder, query, 50, filters=Filters(splits=("test",)))
    assert len(found.hits) == 6
    with pytest.raises(LookupFailed, match=r"passes \(filters: datasets: all, splits: val\)"):
        search(store, encoder, query, filters=Filters(("all",), ("val",)))
    with pytest.raises(LookupFailed, match="no dataset 'more'; it has: all, discs"):
        search(store, encoder, query, filters=Filters(("more",)))


def test_near_duplicates_of_what_is_asked_for_can_be_left_out(store, pictures, tmp_path):
    (tmp_path / "twins").mkdir()
    for number in range(12):
        with Image.open(pictures / "disc" / f"{number:02d}.png") as picture:
            picture.save(tmp_path / "twins" / f"{number:02d}.png")
            if number < 8:
                picture.convert("RGB").save(tmp_path / "twins" / f"{number:02d}.bmp")
    encoder = embed(store, list_source(tmp_path / "twins"), "descriptor").encoder_id
    query = Query(like=("03.png",))
    assert search(store, encoder, query, 1).hits[0].key == "03.bmp"
    apart = search(store, encoder, query, 3, distinct=True).hits
    assert len(apart) == 3
    assert [hit.rank for hit in apart] == [1, 2, 3]
    assert "03.bmp" not in {hit.key for hit in apart}


def test_words_find_what_their_vectors_find(store, pictures, clip_folder):
    encoder = embed(store, list_source(pictures), f"clip:local-dir:{clip_folder}").encoder_id
    query = Query(texts=("a disc", "a circle"), not_texts=("stripes",))
    assert choose_searched(store, query) == encoder
    words = reopen_text_encoder(store, encoder).encode_text(["a disc", "a circle", "stripes"])
    direction = words[:2].mean(axis=0) - words[2] / 2
    found = search(store, encoder, query, 5)
    assert [hit.image_id for hit in found.hits] == ranked(store, direction)[:5]
    mixed = search(store, encoder, replace(query, like=("disc/00.png",)), 3)
    assert "disc/00.png" not in {hit.key for hit in mixed.hits}
    with pytest.raises(UsageError, match="is empty"):
        search(store, encoder, Query(texts=(" ",)))


def test_words_need_a_text_tower(embedded):
    query = Query(texts=("a disc",))
    with pytest.raises(UsageError, match="no encoder of the store takes words"):
        choose_searched(embedded, query)
    with pytest.raises(UsageError, match="has no text tower"):
        search(embedded, embedded.encoder_ids()[0], query)


@pytest.mark.parametrize(
    ("query", "error", "said"),
    [
        (Query(), UsageError, "say what is looked for"),
        (Query(unlike=("disc/00.png",)), UsageError, "say what is looked for"),
        (Query(like=("disc/99.png",)), LookupFailed, "no image in the store has the key"),
        (Query(vectors=np.ones((1, 7))), UsageError, "a query takes 556 numbers"),
        (Query(vectors=np.full((1, 556), np.nan)), UsageError, "NaN or infinity"),
        (Query(vectors=np.zeros((1, 556))), UsageError, "nothing is left to look for"),
        (Query(vectors=np.ones((1, 556)) * [[1], [-1]]), UsageError, "cancel out"),
    ],
)
def test_queries_that_mean_nothing_are_refused(embedded, query, error, said):
    with pytest.raises(error, match=said):
        search(embedded, embedded.encoder_ids()[0], query)


def test_filters_that_mean_nothing_are_refused(embedded, tmp_path):
    encoder, query = embedded.encoder_ids()[0], Query(like=("disc/00.png",))
    with pytest.raises(UsageError, match="--task"):
        search(embedded, encoder, query, filters=Filters(labels=("disc",)))
    with pytest.raises(UsageError, match="not among the classes of task 'shapes': disc, stripes"):
        search(embedded, encoder, query, filters=Filters(labels=("ring",)), task="shapes")
    with pytest.raises(UsageError, match="without a label"):
        search(
            embedded,
            encoder,
            query,
            filters=Filters(labels=("disc",), labelled=False),
            task="shapes",
        )
    with pytest.raises(LookupFailed, match="labelled: no"):
        search(embedded, encoder, query, filters=Filters(labelled=False), task="shapes")
    with pytest.raises(UsageError, match="got k = 0"):
        search(embedded, encoder, query, 0)
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    with pytest.raises(ImageError, match="not-an-image"):
        search(embedded, encoder, Query(like=(str(broken),)))


def test_files_of_vectors(tmp_path):
    np.save(tmp_path / "one.npy", np.arange(5))
    assert read_vectors(tmp_path / "one.npy").shape == (1, 5)
    np.save(tmp_path / "two.npy", np.ones((2, 5), np.float16))
    assert read_vectors(tmp_path / "two.npy").dtype == np.float32
    (tmp_path / "text.npy").write_text("1 2 3")
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.save(tmp_path / "cube.npy", np.ones((2, 2, 2)))
    for name in ("text.npy", "words.npy", "cube.npy", "none.npy"):
        with pytest.raises(UsageError, match="vector"):
            read_vectors(tmp_path / name)


def test_all_verbs_of_an_index_agree_with_exact_search(embedded):
    encoder, query = embedded.encoder_ids()[0], Query(like=("disc/03.png",))
    card = build_index(embedded, encoder)
    assert card.kind == "flat"  # of forty
    [state] = list_indexes(embedded)
    assert (state.vectors, state.lacks, state.gone) == (40, 0, 0)
    assert Engine.open(embedded, encoder).index is None
    assert search(embedded, encoder, query).notes == ()
