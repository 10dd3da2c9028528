import shutil

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source
from icehouse.errors import ImageError, LookupFailed
from icehouse.review import neighbours
from icehouse.search import vectors_of


def test_a_key_an_id_and_the_file_have_the_same_neighbours(embedded, pictures):
    encoder = embedded.encoder_ids()[0]
    by_key = neighbours(embedded, encoder, "disc/03.png", 4, task="shapes")
    image = embedded.find_image("disc/03.png").image_id.hex()
    assert neighbours(embedded, encoder, image[:10], 4, task="shapes") == by_key
    assert neighbours(embedded, encoder, str(pictures / "disc/03.png"), 4, task="shapes") == by_key
    assert len(by_key) == 4
    assert "disc/03.png" not in {n.key for n in by_key}


def test_neighbours_are_those_of_brute_force(embedded):
    encoder = embedded.encoder_ids()[0]
    features = embedded.features(encoder).load()
    vectors = features.vectors.astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    image = embedded.find_image("stripes/11.png").image_id
    row = [i.tobytes() for i in features.ids].index(image)
    cosine = vectors @ vectors[row]
    cosine[row] = -2
    best = np.argsort(-cosine)[:5]
    found = neighbours(embedded, encoder, "stripes/11.png", 5)
    assert [n.image_id for n in found] == [features.ids[i].tobytes().hex() for i in best]
    assert [n.similarity for n in found] == pytest.approx(cosine[best], abs=1e-4)


def test_a_new_file_is_encoded_but_not_stored(embedded, pictures, tmp_path):
    new = tmp_path / "new.png"
    Image.open(pictures / "stripes/02.png").rotate(180).save(new)
    encoder = embedded.encoder_ids()[0]
    before = len(embedded.features(encoder).ids())
    found = neighbours(embedded, encoder, str(new), 5, task="shapes")
    assert [n.labels for n in found] == [("stripes",)] * 5
    assert len(embedded.features(encoder).ids()) == before


def test_an_image_whose_last_file_is_gone_is_nobodys_neighbour(store, pictures, tmp_path):
    images = tmp_path / "shapes"
    shutil.copytree(pictures, images)
    encoder = embed(store, list_source(images), "descriptor").encoder_id
    nearest = neighbours(store, encoder, "disc/03.png", 1)[0].key
    (images / nearest).unlink()
    embed(store, list_source(images), "descriptor")
    assert nearest not in {n.key for n in neighbours(store, encoder, "disc/03.png", 40)}


def test_what_is_not_there_is_said(embedded, tmp_path):
    encoder = embedded.encoder_ids()[0]
    with pytest.raises(LookupFailed, match="no image in the store has the key"):
        neighbours(embedded, encoder, "disc/99.png")
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with pytest.raises(ImageError, match="not-an-image"):
        neighbours(embedded, encoder, str(text))


def test_an_image_without_a_vector_of_the_encoder_is_said(embedded, timm_folder, tmp_path):
    single = tmp_path / "single"
    single.mkdir()
    Image.new("RGB", (20, 20), "red").save(single / "red.png")
    embed(embedded, list_source(single), f"timm:local-dir:{timm_folder}")
    other = next(e for e in embedded.encoder_ids() if e.startswith("timm"))
    with pytest.raises(LookupFailed, match="has no vector of encoder timm"):
        neighbours(embedded, other, "disc/03.png")


def test_files_keep_their_order_and_broken_ones_their_error(embedded, pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes((pictures / "disc/00.png").read_bytes()[:200])
    empty = tmp_path / "empty.png"
    empty.touch()
    new = tmp_path / "new.png"
    Image.new("RGB", (30, 20), "blue").save(new)
    known = pictures / "disc/00.png"
    encoder = embedded.encoder_ids()[0]
    found = vectors_of(embedded, encoder, [new, broken, known, empty, known])
    assert found.paths == [new, known, known]
    assert {path.name for path in found.errors} == {"broken.png", "empty.png"}
    assert np.array_equal(found.features.vectors[1], found.features.vectors[2])
    features = embedded.features(encoder).load()
    row = [i.tobytes() for i in features.ids].index(found.features.ids[1].tobytes())
    assert np.array_equal(found.features.vectors[1], features.vectors[row])
