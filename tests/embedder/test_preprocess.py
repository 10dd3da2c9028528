"""Resize and crop are those of torchvision, timm and open_clip."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import PreprocessSpec, _torchvision_ops  # noqa: F401
from icehouse.embedder._layout import resized
from icehouse.embedder._preprocess import preprocess

# isort: split
import open_clip
import torch
from timm.data import create_transform
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize
from torchvision.transforms.functional import center_crop, pad

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
SHAPES = [
    (1, 1), (1, 7), (7, 1), (40, 48), (48, 40), (64, 64), (65, 63), (63, 65), (33, 97), (97, 33),
    (2, 300), (300, 2), (128, 96), (131, 200), (223, 225), (224, 224), (480, 641), (641, 479),
    (31, 500), (500, 31),
]  # fmt: skip
SQUARE = PreprocessSpec(size=(64, 64), resize_to=(73, 73), fill=(1, 2, 3))
EXACT = PreprocessSpec(size=(64, 64), resize_to=(64, 64), fill=(1, 2, 3))
OBLONG = PreprocessSpec(size=(48, 80), resize_to=(54, 91), fill=(1, 2, 3))
MODES = ("shortest", "squash", "longest")


def picture(height: int, width: int) -> np.ndarray:
    """Return waves with noise upon them, uint8 (height, width, 3)."""
    random = np.random.default_rng([height, width])
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 7), np.cos(y / 11), np.sin((x + y) / 5)], axis=2)
    noise = random.integers(0, 50, size=(height, width, 3))
    return np.clip(waves * 110 + 110 + noise, 0, 255).astype(np.uint8)


def assert_near(got: np.ndarray, expected: np.ndarray) -> None:
    """Assert what the fixed-point arithmetic of Pillow's and torch's filters leaves."""
    assert got.shape == expected.shape
    difference = np.abs(got.astype(int) - expected.astype(int))
    assert difference.max() <= 2
    assert difference.mean() < 0.1


def in_two_passes(image: Image.Image, height: int, width: int, interpolation: str) -> Image.Image:
    """Resize by Pillow, first along the rows.

    Pillow up to 12 and torch do so always; Pillow 13 begins with the columns where that is
    less work, and what it then rounds in between differs.
    """
    rows = image.resize((width, image.height), FILTERS[interpolation])
    return rows.resize((width, height), FILTERS[interpolation])


def expected_of(image: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """Return what the libraries' own crop and padding make of Pillow's resize."""
    height, width = resized(image.shape, spec)
    picture = in_two_passes(Image.fromarray(image), height, width, spec.interpolation)
    if spec.resize == "longest":
        around = (max(0, spec.size[1] - width), max(0, spec.size[0] - height))
        before = [space // 2 for space in around]
        after = [(space + 1) // 2 for space in around]
        picture = pad(picture, [*before, *after], fill=spec.fill)
    return np.asarray(center_crop(picture, list(spec.size)))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("spec", [SQUARE, EXACT], ids=["crop", "no crop"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shortest_equals_resize_and_center_crop_of_torchvision(
    shape: tuple[int, int], spec: PreprocessSpec, interpolation: str
) -> None:
    spec = replace(spec, interpolation=interpolation)
    theirs = Compose(
        [Resize(spec.resize_to[0], InterpolationMode(interpolation)), CenterCrop(spec.size)]
    )
    image = picture(*shape)
    assert_near(preprocess(image, spec), np.asarray(theirs(Image.fromarray(image))))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize", MODES)
@pytest.mark.parametrize("spec", [SQUARE, EXACT, OBLONG], ids=["crop", "no crop", "oblong"])
def test_every_mode_equals_pillow_resize_and_the_crop_of_torchvision(
    spec: PreprocessSpec, resize: str, interpolation: str
) -> None:
    spec = replace(spec, resize=resize, interpolation=interpolation)
    for shape in SHAPES:
        image = picture(*shape)
        assert_near(preprocess(image, spec), expected_of(image, spec))


CROP_MODES = {"shortest": "center", "squash": "squash", "longest": "border"}


def steps_of_timm(spec: PreprocessSpec, crop_pct: float) -> Any:
    """Return timm's own evaluation transform, up to the pixels."""
    return create_transform(
        input_size=(3, *spec.size),
        interpolation=spec.interpolation,
        mean=tuple(channel / 255 for channel in spec.fill),
        std=(1.0, 1.0, 1.0),
        crop_pct=crop_pct,
        crop_mode=CROP_MODES[spec.resize],
        normalize=False,
    )


@pytest.mark.parametrize("resize", MODES)
@pytest.mark.parametrize("spec", [SQUARE, OBLONG], ids=["square", "oblong"])
def test_every_mode_shows_the_part_that_timm_shows(spec: PreprocessSpec, resize: str) -> None:
    spec = replace(spec, resize=resize, interpolation="bilinear")
    theirs = steps_of_timm(spec, crop_pct=0.875)
    for shape in [shape for shape in SHAPES if min(shape) > 1 and max(shape) < 300]:
        image = picture(*shape)
        expected = theirs(Image.fromarray(image)).permute(1, 2, 0).numpy()
        difference = np.abs(preprocess(image, spec).astype(int) - expected)
        # One level, because Pillow 13 may take the columns first; never another place.
        assert difference.max() <= 1


@pytest.mark.parametrize("resize", MODES)
def test_every_mode_shows_the_part_that_open_clip_shows(resize: str) -> None:
    spec = replace(EXACT, resize=resize, interpolation="bicubic", fill=(0, 0, 0))
    theirs = open_clip.image_transform(
        (64, 64), is_train=False, mean=(0.0,) * 3, std=(1.0,) * 3, resize_mode=resize
    )
    for shape in [(40, 48), (48, 40), (64, 64), (128, 96), (480, 641), (131, 200)]:
        image = picture(*shape)
        expected = theirs(Image.fromarray(image)).permute(1, 2, 0).numpy() * 255
        assert np.abs(preprocess(image, spec) - expected).mean() < 0.5


def test_an_image_of_the_right_size_is_left_alone() -> None:
    image = picture(64, 64)
    np.testing.assert_array_equal(preprocess(image, EXACT), image)


@pytest.mark.parametrize("resize", MODES)
def test_one_pixel_becomes_a_picture_of_its_colour(resize: str) -> None:
    image = np.array([[[7, 100, 250]]], dtype=np.uint8)
    pixels = preprocess(image, replace(SQUARE, resize=resize))
    assert pixels.shape == (64, 64, 3)
    assert (pixels == (7, 100, 250)).all()


def test_what_longest_adds_has_the_fill_colour() -> None:
    pixels = preprocess(np.full((10, 40, 3), 200, np.uint8), replace(EXACT, resize="longest"))
    assert (pixels[:24] == (1, 2, 3)).all()
    assert (pixels[24:40] == 200).all()
    assert (pixels[40:] == (1, 2, 3)).all()


@pytest.mark.parametrize("shape", [(30_000, 1), (1, 30_000)], ids=str)
def test_a_thin_image_gives_its_middle_without_exploding(shape: tuple[int, int]) -> None:
    spec = PreprocessSpec(size=(224, 224), resize_to=(256, 256))
    image = np.zeros((*shape, 3), np.uint8)
    image.reshape(-1, 3)[14_990:15_010] = 200
    assert (preprocess(image, spec) == 200).all()


def test_a_thin_image_is_cut_where_it_makes_no_difference() -> None:
    spec = PreprocessSpec(size=(64, 64), resize_to=(64, 64))
    image = np.random.default_rng(0).integers(0, 255, (10, 400, 3)).astype(np.uint8)
    middle = preprocess(image[:, 40:360], spec)
    assert np.array_equal(preprocess(image, spec), middle)


@pytest.mark.parametrize("resize", ["squash", "longest"])
def test_a_thin_image_is_harmless_where_it_is_not_enlarged(resize: str) -> None:
    spec = replace(EXACT, resize=resize)
    assert preprocess(np.zeros((30_000, 1, 3), np.uint8), spec).shape == (64, 64, 3)


@pytest.mark.parametrize("resize", MODES)
@pytest.mark.parametrize("shape", [(64, 64), (30, 20), (300, 64)], ids=str)
def test_result_is_contiguous_bytes(shape: tuple[int, int], resize: str) -> None:
    pixels = preprocess(picture(*shape), replace(SQUARE, resize=resize))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (64, 64, 3)
    assert pixels.flags.c_contiguous


def test_a_view_of_an_array_gives_what_its_copy_gives() -> None:
    image = picture(80, 90)
    view = image[::-1, ::2]
    np.testing.assert_array_equal(preprocess(view, SQUARE), preprocess(view.copy(), SQUARE))


def test_an_array_that_is_not_writable_is_taken_without_a_warning() -> None:
    torch.set_warn_always(True)  # else torch warns of it once in a process
    try:
        preprocess(np.asarray(Image.fromarray(picture(40, 30))), SQUARE)
    finally:
        torch.set_warn_always(False)
