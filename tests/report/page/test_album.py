"""Pictures of a page: small, as they are, and not asked for without end."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from icehouse.report.page import _album
from icehouse.report.page._album import SIDE, Album
from icehouse.store import Place, image_id


def placed(path, folder):
    """The place of a file, by its image_id."""
    found = image_id(path.read_bytes())
    return {found: Place("photos", path.name, str(folder), found)}, found


@pytest.mark.parametrize(
    ("size", "shown", "kind", "coarse"),
    [
        ((8, 8), (SIDE, SIDE), "png", True),
        ((64, 32), (SIDE, SIDE // 2), "jpeg", False),
        ((900, 300), (SIDE, 37), "jpeg", False),
        ((3000, 1), (SIDE, 1), "jpeg", False),
    ],
)
def test_small_pictures_stay_and_large_ones_are_reduced(tmp_path, size, shown, kind, coarse):
    Image.new("RGB", size, (10, 200, 30)).save(tmp_path / "a.png")
    places, found = placed(tmp_path / "a.png", tmp_path)
    album = Album(places)
    picture = album.picture(found, ("said", "quiet"))
    assert (picture.width, picture.height) == shown
    assert picture.src.startswith(f"data:image/{kind};base64,")
    assert (picture.coarse, picture.name) == (coarse, "a.png")
    assert picture.image_id == found.hex()
    assert album.colour(found) == (10, 200, 30)


def test_an_image_is_read_once(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    places, found = placed(tmp_path / "a.png", tmp_path)
    album = Album(places)
    first = album.picture(found)
    (tmp_path / "a.png").unlink()
    assert album.picture(found) == first
    assert (album.read, album.missing) == ({found}, set())


def test_what_stands_there_now_has_to_be_the_same_picture(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    places, found = placed(tmp_path / "a.png", tmp_path)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    album = Album(places)
    assert album.picture(found).src is None
    assert album.colour(found) is None
    assert album.missing == {found}


def test_an_image_without_a_place_is_a_gap():
    picture = Album({}).picture(bytes(32))
    assert (picture.src, picture.name) == (None, "0" * 12)


def test_a_source_that_is_away_is_not_asked_again_and_again(tmp_path):
    """Files of a folder are: each may be gone by itself, and asking costs nothing."""
    Image.new("RGB", (40, 40)).save(tmp_path / "here.png")
    here, found = placed(tmp_path / "here.png", tmp_path)
    away = [bytes([number]) * 32 for number in range(_album.PATIENCE + 1)]
    tar = str(tmp_path / "gone.tar")
    in_tar = {i: Place("photos", f"{i.hex()}.png", tar, i) for i in away}
    gone = {i: Place("photos", f"{i.hex()}.png", str(tmp_path), i) for i in away}
    for places in (in_tar, gone):
        album = Album({**places, **here})
        for image in away:
            assert album.picture(image).src is None
        assert album.picture(found).src is not None
        assert len(album.missing) == len(away)


def test_a_page_of_noise_leaves_room():
    random = np.random.default_rng(0)
    sizes = [
        len(_album._data_uri(_album._reduced(random.integers(0, 256, (s, s, 3), np.uint8))))
        for s in (112, 300)
    ]
    shown = 20 * 8 + 6 * 7 + 2 * 21  # samples, confused pairs, mistakes and flags
    assert shown * max(sizes) < 4.5e6
