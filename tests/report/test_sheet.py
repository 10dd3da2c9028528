from dataclasses import replace

import numpy as np
from PIL import Image

from icehouse.report import contact_sheet
from icehouse.report._sheet import GIVEN, OTHER, PICTURE


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
    assert contact_sheet([moved, nameless], tmp_path / "sheet.png", "moved").exists()
