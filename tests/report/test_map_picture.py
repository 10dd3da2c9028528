"""Maps as pictures and tables: what is seen of each group, and where a point lies."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from icehouse.errors import UsageError
from icehouse.maps import Map
from icehouse.report import (
    check_map_files,
    colours_of,
    draw_map,
    map_table,
    write_map,
    write_points,
)
from icehouse.report._canvas import Canvas
from icehouse.report._map_picture import NONE, OTHER, PALETTE, SIDE, _legend
from icehouse.review import Groups
from icehouse.store import CatalogRow, ids_from_bytes, image_id

UNIT = 2  # pixels
GREY, RED = "#c3cad1", "#cf222e"


def a_map(xy, **others):
    ids = ids_from_bytes(image_id(str(n).encode()) for n in range(len(xy)))
    xy = np.asarray(xy, np.float32)
    said = {"method": "umap", "placed": np.zeros(len(xy), np.bool_), "kept": 0.27, **others}
    return Map("some-0123456789ab", ids=ids, xy=xy, **said)


def groups_of(of, names=None, by="label"):
    names = tuple(names or (f"class {n:02d}" for n in range(max(of) + 1)))
    return Groups(by, names, np.array(of, np.int32), "no label")


def spread(images):
    return np.random.default_rng(0).normal(size=(images, 2))


def pixels(drawn, groups, title="shapes"):
    with Image.open(io.BytesIO(draw_map(drawn, groups, title))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def at(picture, colour):
    """Return where a colour is, as (rows, columns)."""
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.nonzero((picture == wanted).all(axis=2))


def on_map(picture, colour):
    """Count the pixels of a colour left of the legend."""
    return int((at(picture, colour)[1] < UNIT * (SIDE + 40)).sum())


def test_the_picture_is_as_high_whatever_is_on_it_and_as_wide_as_its_legend_takes():
    few = pixels(a_map(spread(3)), groups_of([0, 0, 0]))
    names = ["a very long name of a class" * 9, *map(str, range(40))]
    title = ", ".join(["dataset"] * 90)
    many = pixels(a_map(spread(410)), groups_of([n % 41 for n in range(410)], names), title)
    assert few.shape[0] == many.shape[0] == UNIT * (70 + SIDE + 20)
    assert few.shape[1] < many.shape[1] < few.shape[1] + 500  # names and title are squeezed


def test_each_group_has_its_colour_on_the_map_and_in_the_legend():
    picture = pixels(a_map(spread(60)), groups_of([n % 3 for n in range(60)]))
    for colour in PALETTE[:3]:
        assert on_map(picture, colour) > 20 * 20
        assert len(at(picture, colour)[0]) > on_map(picture, colour)
    assert not len(at(picture, PALETTE[3])[0])


def test_groups_beyond_the_colours_share_one_and_a_row():
    count = len(PALETTE)
    groups = groups_of([*range(count + 3), -1])
    colours = colours_of(groups)
    assert colours == [*PALETTE, OTHER, OTHER, OTHER]
    rows = _legend(groups, colours)
    assert rows[0] == ("class 00", 1, PALETTE[0])
    assert rows[-2:] == [("3 others", 3, OTHER), ("no label", 1, NONE)]
    assert len(rows) == count + 2
    alone = groups_of(range(count + 1))
    assert _legend(alone, colours_of(alone))[-1] == (f"class {count}", 1, OTHER)


def test_many_groups_have_no_names_on_the_map():
    named, nameless = (
        pixels(a_map(spread(60)), groups_of([n % groups for n in range(60)])) for groups in (20, 21)
    )
    ink = [on_map(picture[UNIT * 70 :], "#1b1f24") for picture in (named, nameless)]
    assert ink[0] > 500
    assert ink[1] == 0


def test_images_in_no_group_are_pale_and_below_all_others():
    picture = pixels(a_map(np.zeros((9, 2))), groups_of([0, *[-1] * 8]))
    assert on_map(picture, PALETTE[0]) > 20
    assert on_map(picture, NONE) == 0
    nothing = pixels(a_map(spread(9)), groups_of([-1] * 9, []))
    assert on_map(nothing, NONE) > 20


@pytest.mark.parametrize("images", [1, 40])
def test_what_lies_at_one_place_is_in_the_middle(images):
    picture = pixels(a_map([[3.3, -7.1]] * images), groups_of([0] * images, by="flag"))
    rows, columns = at(picture, PALETTE[0])
    left = columns < UNIT * (SIDE + 40)
    assert rows[left].mean() == pytest.approx(UNIT * (70 + SIDE / 2), abs=1)
    assert columns[left].mean() == pytest.approx(UNIT * (20 + SIDE / 2), abs=1)
    assert 0 < np.ptp(rows[left]) < 20


def test_up_on_the_map_is_up_in_the_picture_and_both_axes_have_one_scale():
    xy = [[0, 0], [4, 0], [0, 2]]
    picture = pixels(a_map(xy), groups_of([0, 1, 2], by="flag"))
    corner, right, top = (
        np.array([rows[left].mean(), columns[left].mean()])
        for rows, columns in (at(picture, colour) for colour in PALETTE[:3])
        for left in [columns < UNIT * (SIDE + 40)]
    )
    assert right - corner == pytest.approx([0, UNIT * SIDE / 1.06], abs=6)
    assert top - corner == pytest.approx([-UNIT * SIDE / 1.06 / 2, 0], abs=6)


def test_one_image_far_out_does_not_squeeze_the_others():
    xy = np.concatenate([spread(5000), [[1e4, 0]]])
    picture = pixels(a_map(xy), groups_of([0] * 5000 + [1], by="flag"))
    assert np.ptp(at(picture, PALETTE[0])[0]) > UNIT * SIDE * 0.7
    far = at(picture, PALETTE[1])[1]
    assert UNIT * SIDE < far[far < UNIT * (SIDE + 40)].max() < UNIT * (20 + SIDE + 4)


def test_wrong_answers_lie_on_top_of_right_ones():
    both = a_map(np.zeros((200, 2)))
    picture = pixels(both, groups_of([0] * 199 + [1], ["right", "wrong"], by="error"))
    assert on_map(picture, RED) > 20
    assert on_map(picture, GREY) == 0
    crowd = a_map(spread(3000))
    picture = pixels(crowd, groups_of([0, 1] * 1500, ["right", "wrong"], by="error"))
    alone = pixels(crowd, groups_of([-1, 0] * 1500, ["wrong"], by="error"))
    assert on_map(picture, RED) == on_map(alone, RED)  # not one of them is hidden


def test_only_errors_have_the_colours_of_errors():
    assert colours_of(groups_of([0, 1], ["wrong", "right"], by="error")) == [RED, GREY]
    turns = groups_of([0, 1, 2], ["left", "right", "wrong"])
    assert colours_of(turns) == list(PALETTE[:3])


def test_of_discs_that_overlap_the_last_is_whole():
    canvas = Canvas(20, 20)
    colours = np.array([[200, 0, 0], [0, 0, 200], [0, 200, 0]], np.uint8)
    canvas.dots(np.array([[8.0, 10.0], [10.0, 10.0], [-1.0, 0.0]]), colours, 3)
    with Image.open(io.BytesIO(canvas.png())) as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    blue = np.argwhere((picture == [0, 0, 200]).all(axis=2))
    assert np.ptp(blue, axis=0).min() >= 2 * 3 * UNIT - 3  # as wide as it is high
    assert abs(np.ptp(blue, axis=0)[0] - np.ptp(blue, axis=0)[1]) <= 1
    assert tuple(picture[0, 0]) == (0, 200, 0)  # cut by the edge, and not on the other side
    assert tuple(picture[0, -1]) == (255, 255, 255)


def test_the_same_map_is_the_same_picture():
    drawn, groups = a_map(spread(300)), groups_of([n % 5 for n in range(300)])
    assert draw_map(drawn, groups, "x") == draw_map(drawn, groups, "x")


def test_how_a_map_was_made_is_written_on_it():
    groups = groups_of([0] * 5)
    said = [
        np.ptp(np.nonzero((pixels(drawn, groups)[UNIT * 40 : UNIT * 60] < 250).any(axis=2))[1])
        for drawn in (a_map(spread(5)), a_map(spread(5), kept=None))
    ]
    assert said[0] > 1.5 * said[1] > 100


def test_the_table_counts_each_group():
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(map_table(groups_of([0, 0, 0, 1, -1, 0], ["a", "b"])))
    text = console.export_text()
    assert "6 images by label" in text
    words = [line.split() for line in text.splitlines()]
    for row in (["a", "4", "66.7%"], ["b", "1", "16.7%"], ["no", "label", "1", "16.7%"]):
        assert any([word for word in line if word != "│"] == row for line in words)


def test_points_are_a_table(store, tmp_path):
    keys = ("a.png", 'odd, "name".png')
    rows = [CatalogRow(key, image_id(str(n).encode())) for n, key in enumerate(keys)]
    store.catalog.append("some", rows)
    drawn = a_map([[1.5, -2], [1e-9, 123456.7], [0, 0]], placed=np.array([False, True, False]))
    groups = groups_of([0, -1, 1], ["b", "a"])
    path = write_points(store, drawn, groups, str(tmp_path / "new" / "points.csv"))
    assert path == str(tmp_path / "new" / "points.csv")
    with open(path) as file:
        first, second, third = csv.DictReader(file)
    assert first == {
        "image_id": image_id(b"0").hex(), "dataset": "some", "key": "a.png", "x": "1.5", "y": "-2",
        "group": "b", "placed": "",
    }  # fmt: skip
    assert (second["key"], second["group"], second["placed"]) == (keys[1], "", "yes")
    assert [float(second["x"]), float(second["y"])] == pytest.approx([1e-9, 123456.7], rel=1e-4)
    assert (third["dataset"], third["key"], third["group"]) == ("", "", "a")


def test_where_a_file_cannot_be_is_said_before_and_after(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn, groups = a_map(spread(2)), groups_of([0, 0])
    assert Path(write_map(drawn, groups, "map.png", "x")).name == "map.png"
    with pytest.raises(UsageError, match="is a folder; give the name of a PNG in it"):
        write_map(drawn, groups, str(tmp_path), "x")
    for path in (str(tmp_path), f"{tmp_path}/new/"):
        with pytest.raises(UsageError, match="is a folder; give the name of a PNG, with --out, in"):
            check_map_files(path, None)
        with pytest.raises(UsageError, match="is a folder; give the name of a CSV, with --points"):
            check_map_files("new/map.png", path)
    check_map_files("new/map.png", "points.csv")
    check_map_files("s3://nowhere/map.png", None)
    with pytest.raises(UsageError, match=r"cannot be written: .*map\.png is no folder"):
        check_map_files("map.png/other.png", None)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix) == [
        "map.png",
        "photos.icehouse",
    ]


def test_a_group_keeps_its_colour_when_it_is_no_longer_the_largest() -> None:
    of = np.array([0, 0, 1], np.int32)
    before = Groups("label", ("field", "road"), of, "no label")
    after = Groups("label", ("road", "field"), of, "no label")
    assert colours_of(before) == colours_of(after)[::-1]
