import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont

from icehouse.embedder import embed, list_source
from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.report import contact_sheet
from icehouse.report._names import without_codes
from icehouse.report._sheet import GIVEN, LINE, OTHER, PICTURE, WIDTH, _lines
from icehouse.review import FlagSettings, flag
from icehouse.store import Store


def read(path):
    with Image.open(path) as image:
        return image.convert("RGB")


def colours(path):
    return {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in read(path).getcolors(2**24)}


def test_a_sheet_shows_image_probabilities_and_neighbours(embedded_flags, tmp_path):
    path = contact_sheet(embedded_flags[:3], tmp_path / "sheet.png", "three")
    assert {GIVEN, OTHER} <= colours(path)
    sheet = np.asarray(read(path)).astype(int)
    shown = read(embedded_flags[0].path)
    height = round(PICTURE * shown.height / shown.width)
    thumbnail = shown.resize((PICTURE, height), Image.Resampling.LANCZOS)
    top = 56 + 10 + (PICTURE - height) // 2
    found = sheet[top : top + height, 16 : 16 + PICTURE]
    assert np.abs(found - np.asarray(thumbnail).astype(int)).mean() < 1


def test_a_sheet_grows_by_rows_of_two(embedded_flags, tmp_path):
    sizes = [
        read(contact_sheet(embedded_flags[:n], tmp_path / f"{n}.png", "n")).size for n in (1, 2, 3)
    ]
    assert sizes[0] == sizes[1]
    assert sizes[2][0] == sizes[0][0]
    assert sizes[2][1] > sizes[0][1]


def test_a_moved_image_leaves_a_gap_and_not_an_error(embedded_flags, tmp_path):
    moved = replace(embedded_flags[0], path=str(tmp_path / "nowhere.png"))
    nameless = replace(embedded_flags[1], path=None, key="x" * 300)
    assert Path(contact_sheet([moved, nameless], tmp_path / "sheet.png", "moved")).exists()


def test_what_is_said_of_an_image_takes_a_second_line_where_it_is_long():
    names = without_codes(["n01-chow", "n02-cocker_spaniel"])
    font = ImageFont.load_default(12)
    short = "wrong 1.00   suggested: n01-chow"
    assert _lines(short, names, font) == ["wrong 1.00   suggested: chow"]
    around = "around: 20 of 26 n01-chow, 0 n02-cocker_spaniel"
    first, second = _lines(f"{short}   {'head: n01-chow 0.98' * 6}   {around}", names, font)
    assert first.startswith("wrong 1.00   suggested: chow   head: chow 0.98")
    assert second == "around: 20 of 26 chow, 0 cocker_spaniel"
    _, second = _lines(f"{short}   {'x' * 500}", names, font)
    assert second.startswith("xxx")
    assert "…" in second
    assert font.getlength(second) <= WIDTH


def test_rows_are_higher_where_a_second_line_is_needed(embedded_flags, tmp_path):
    long = replace(embedded_flags[0], reasons={f"a reason with number {i}": 1 for i in range(20)})
    sizes = [
        read(contact_sheet([flag], tmp_path / f"{n}.png", "title")).height
        for n, flag in enumerate((embedded_flags[0], long))
    ]
    assert sizes[1] == sizes[0] + LINE


def test_images_that_are_no_files_are_drawn_from_their_source(pictures, tmp_path):
    with tarfile.open(tmp_path / "shapes.tar", "w") as tar:
        tar.add(pictures, "")
    store = Store.create(tmp_path / "store")
    embed(store, list_source(tmp_path / "shapes.tar"), "descriptor")
    card = fit_head(store, "logistic", options=FitOptions(folds=2))
    flags = flag(store, load_head(store, card.task, card.name), FlagSettings(band=1.0)).flags[:2]
    assert [each.path for each in flags] == [None, None]
    drawn = read(contact_sheet(flags, tmp_path / "tar.png", "title"))
    files = [
        replace(each, path=str(pictures / each.key), neighbours=tuple(
            replace(near, path=str(pictures / near.key)) for near in each.neighbours
        ))
        for each in flags
    ]  # fmt: skip
    assert drawn.tobytes() == read(contact_sheet(files, tmp_path / "f.png", "title")).tobytes()
    (tmp_path / "shapes.tar").unlink()
    assert Path(contact_sheet(flags, tmp_path / "gone.png", "title")).exists()
