"""Explanations as pictures: the map lies there where the encoder has looked."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from icehouse.explain import Explained, Explanation
from icehouse.report import explained_png

SIDE, TOP, LEFT, GAP = 384, 44, 16, 16
EMPTY = (0xEE, 0xF1, 0xF4)
Pixels = npt.NDArray[np.int64]
# As encoders see: the middle, all of it squashed, or with something around it.
BOXES = {
    "middle": (0.0, 0.25, 1.0, 0.75),
    "all": (0.0, 0.0, 1.0, 1.0),
    "padded": (-0.5, 0.0, 1.5, 1.0),
}


def drawn(box: tuple[float, float, float, float], grey: bool = False) -> list[Pixels]:
    """Draw a picture twice as wide as high, a map of one spot over it; return the squares."""
    original = np.full((60, 120, 3), 90, np.uint8)
    spot = np.zeros((64, 64))
    spot[20:30, 20:30] = 1.0
    said = Explanation("a.png", "00" * 32, "t", "h", "e", "occlusion", ("x",), {"x": 1.0}, "x", 1.0)
    without = np.full((64, 64, 3), 200, np.uint8) if grey else None
    png = explained_png(Explained(said, original, box, spot, without))
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(np.int64)
    starts = [LEFT + number * (SIDE + GAP) for number in range(3 if grey else 2)]
    return [pixels[TOP : TOP + SIDE, start : start + SIDE] for start in starts]


@pytest.mark.parametrize("name", BOXES)
@pytest.mark.parametrize("grey", [False, True])
def test_all_pictures_have_the_shape_of_the_original(name: str, grey: bool) -> None:
    original, *others = drawn(BOXES[name], grey)
    empty = (original == EMPTY).all(axis=2)
    assert 0.4 < empty.mean() < 0.6
    for other in others:
        np.testing.assert_array_equal((other == EMPTY).all(axis=2), empty)


@pytest.mark.parametrize("name", BOXES)
def test_the_map_lies_over_what_it_is_about(name: str) -> None:
    top, left, bottom, right = BOXES[name]
    _, overlay = drawn(BOXES[name])
    colour = overlay[..., 0] - overlay[..., 2] > 60
    rows, columns = np.flatnonzero(colour.any(axis=1)), np.flatnonzero(colour.any(axis=0))
    # The picture takes the half of the square in the middle.
    middle = top + 25 / 64 * (bottom - top), left + 25 / 64 * (right - left)
    assert abs(rows.mean() - SIDE * (0.25 + middle[0] / 2)) < 3
    assert abs(columns.mean() - SIDE * middle[1]) < 3


def test_what_the_encoder_does_not_see_is_paler() -> None:
    _, overlay = drawn(BOXES["middle"])
    row = overlay[SIDE // 2, :, 0]
    assert row[10] > row[SIDE - 40] - 1
    assert row[10] > row[SIDE // 2 + 80] + 20
    assert row[SIDE - 10] == row[10]


def test_without_colour_is_what_is_seen_and_no_more() -> None:
    _, grey, _ = drawn(BOXES["middle"], grey=True)
    row = grey[SIDE // 2]
    assert (row[SIDE // 4 + 4 : 3 * SIDE // 4 - 4] == 200).all()
    assert (row[: SIDE // 4 - 4] != 200).all()
