"""Another encoder for what a store holds, from where its images came."""

from __future__ import annotations

import shutil
import tarfile

import fsspec
import numpy as np
import pytest

from icehouse.embedder import EmbedOptions, ViewOptions, embed, embed_stored, list_source
from icehouse.errors import LookupFailed, UsageError


@pytest.fixture
def folder(pictures, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(pictures, folder)
    return folder


def test_vectors_are_those_of_embedding_the_source(store, folder, tmp_path):
    embed(store, list_source(folder), "descriptor")
    made = embed_stored(store, "thumbnail")
    assert (made.images, made.encoded, made.lost) == (40, 40, ())
    other = type(store).create(tmp_path / "other")
    embed(other, list_source(folder), "thumbnail")
    one, two = (each.features(made.encoder_id).load() for each in (store, other))
    assert (one.vectors[np.argsort(one.ids)] == two.vectors[np.argsort(two.ids)]).all()
    assert embed_stored(store, "thumbnail").encoded == 0


def test_catalog_and_labels_stay_and_new_files_are_not_looked_for(store, folder):
    embed(store, list_source(folder), "descriptor")
    shards, events = store.catalog.shards("photos"), store.labels.events("photos")
    shutil.copy(folder / "disc" / "00.png", folder / "disc" / "copy.png")
    (folder / "disc" / "01.png").rename(folder / "stripes" / "01b.png")
    made = embed_stored(store, "thumbnail")
    assert (made.encoded, [failure.key for failure in made.lost]) == (39, ["disc/01.png"])
    assert store.catalog.shards("photos") == shards
    assert store.labels.events("photos") == events


def test_an_image_whose_file_has_changed_is_lost_unless_another_place_has_it(store, folder):
    shutil.copy(folder / "disc" / "01.png", folder / "disc" / "again.png")
    embed(store, list_source(folder), "descriptor")
    for name in ("00", "01"):
        shutil.copy(folder / "disc" / "05.png", folder / "disc" / f"{name}.png")
    image = store.find_image("disc/again.png").image_id
    made = embed_stored(store, "thumbnail")
    [lost] = made.lost
    assert (lost.key, lost.kind) == ("disc/00.png", "unreadable")
    assert "changed since it was embedded" in lost.detail
    held = store.features(made.encoder_id).ids()
    assert image in {i.tobytes() for i in held}
    assert len(held) == 39


def test_what_lies_in_a_tar_and_what_is_a_part_of_a_picture_is_read_again(store, folder, tmp_path):
    with tarfile.open(tmp_path / "disc.tar", "w") as tar:
        for file in sorted((folder / "disc").iterdir()):
            tar.add(file, f"disc/{file.name}")
    boxes = 'path,box,label\nstripes/00.png,"0,0,20,20",a\nstripes/00.png,"10,10,20,20",b\n'
    (folder / "boxes.csv").write_text(boxes)
    embed(store, list_source(tmp_path / "disc.tar"), "descriptor", dataset="tar")
    embed(store, list_source(folder / "boxes.csv"), "descriptor", dataset="boxes")
    made = embed_stored(store, "thumbnail")
    assert (made.encoded, made.lost) == (22, ())


def test_one_dataset_and_a_network(store, folder, timm_folder):
    embed(store, list_source(folder / "disc"), "descriptor", dataset="disc")
    embed(store, list_source(folder / "stripes"), "descriptor", dataset="stripes")
    made = embed_stored(store, f"timm:local-dir:{timm_folder}", dataset="disc")
    assert (made.images, made.encoded) == (20, 20)
    vectors = store.features(made.encoder_id).load().vectors
    assert np.isfinite(vectors).all()
    assert embed_stored(store, f"timm:local-dir:{timm_folder}").encoded == 20
    with pytest.raises(LookupFailed, match="no dataset 'other'"):
        embed_stored(store, "thumbnail", dataset="other")


def test_a_store_without_images_and_what_is_not_done_here(store):
    made = embed_stored(store, "thumbnail")
    assert (made.encoder_id, made.images, made.lost) == (None, 0, ())
    with pytest.raises(UsageError, match="from its source"):
        embed_stored(store, "thumbnail", options=EmbedOptions(views=ViewOptions(2)))


def test_images_at_a_url_are_asked_for_again(store, folder):
    memory = fsspec.filesystem("memory")
    for file in sorted((folder / "disc").iterdir()):
        memory.pipe(f"/stored/disc/{file.name}", file.read_bytes())
    embed(store, list_source("memory://stored"), "descriptor")
    memory.rm("/stored/disc/03.png")
    made = embed_stored(store, "thumbnail")
    assert (made.encoded, [failure.key for failure in made.lost]) == (19, ["disc/03.png"])
