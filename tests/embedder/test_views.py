"""Augmented views: the same on every run, kept beside the plain image, never mixed with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from icehouse.embedder import (
    EmbedOptions,
    EmbedReport,
    Entry,
    LocalFile,
    ViewOptions,
    embed,
    list_source,
    open_encoder,
)
from icehouse.embedder._augment import AUGMENTATIONS, LEAST_AREA, augment
from icehouse.embedder._views import Coverage, Wanted
from icehouse.errors import UsageError
from icehouse.store import Store, fsck, ids_from_bytes, image_id

IDS = [image_id(str(number).encode()) for number in range(40)]


def picture(height: int = 60, width: int = 80) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 255 // (width - 1), y * 255 // (height - 1), (x + y) % 200 + 20]
    return np.stack(planes, axis=2).astype(np.uint8)


def freeze(store: Store, folder: Path, views: ViewOptions, **options: object) -> EmbedReport:
    settings = EmbedOptions(views=views, **options)
    return embed(store, list_source(folder), "descriptor", dataset="d", options=settings)


# One view.


def test_view_0_is_the_plain_picture() -> None:
    assert augment(picture(), AUGMENTATIONS, IDS[0], 0) is not None
    np.testing.assert_array_equal(augment(picture(), AUGMENTATIONS, IDS[0], 0), picture())


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_view_is_drawn_by_image_and_number_alone(name: str) -> None:
    first = augment(picture(), [name], IDS[0], 1)
    np.testing.assert_array_equal(augment(picture(), [name], IDS[0], 1), first)
    others = [augment(picture(), [name], image, view) for image in IDS for view in (1, 2)]
    assert sum(o.shape != first.shape or (o != first).any() for o in others) > 30


def test_a_view_is_the_same_in_every_release() -> None:
    # Stores keep views for years: if this changes, raise the revision of the recipe.
    flat = np.full((50, 50, 3), 100, np.uint8)
    shapes = [augment(flat, AUGMENTATIONS, IDS[0], view).shape[:2] for view in (1, 2, 3)]
    values = [augment(flat, ["colour"], IDS[0], view)[0, 0].tolist() for view in (1, 2, 3)]
    assert (shapes, values) == (SHAPES, VALUES)


SHAPES = [(44, 44), (33, 33), (36, 36)]
VALUES = [[70, 70, 70], [76, 76, 76], [114, 114, 114]]


def test_flip_turns_about_half_of_them() -> None:
    flipped = [
        (augment(picture(), ["flip"], image, 1)[:, ::-1] == picture()).all() for image in IDS
    ]
    assert 10 < sum(flipped) < 30


def test_a_crop_keeps_the_shape_and_most_of_the_area() -> None:
    for image in IDS:
        part = augment(picture(300, 400), ["crop"], image, 1)
        assert LEAST_AREA * 0.99 <= part.shape[0] * part.shape[1] / (300 * 400) <= 1
        assert part.shape[1] / part.shape[0] == pytest.approx(4 / 3, rel=0.01)


@pytest.mark.parametrize(("height", "width"), [(60, 80), (200, 50), (64, 64), (1, 1), (1, 90)])
def test_a_rotation_has_no_empty_corners(height: int, width: int) -> None:
    white = np.full((height, width, 3), 255, np.uint8)
    for image in IDS:
        turned = augment(white, ["rotate"], image, 1)
        assert min(turned.shape) >= 1
        if min(height, width) > 20:
            assert (turned > 250).all()


def test_colour_changes_values_and_no_places() -> None:
    changed = augment(picture(), ["colour"], IDS[0], 1)
    assert changed.shape == picture().shape
    assert (changed != picture()).any()


# How many.


def entries(**counts: int) -> list[Entry]:
    return [
        Entry(f"{label}/{n}", LocalFile("x"), labels=(label,), split="train")
        for label, count in counts.items()
        for n in range(count)
    ]


def test_all_images_get_views_but_those_of_val_and_test() -> None:
    count = Wanted.by(ViewOptions(views=3), []).of
    [entry] = entries(cat=1)
    assert [count(replace(entry, split=s)) for s in ("train", None, "val", "test")] == [4, 4, 1, 1]


def test_minorities_are_brought_up_to_the_largest_class() -> None:
    some = entries(cat=12, dog=6, owl=5, yak=1)
    count = Wanted.by(ViewOptions(views=4, views_for="minority"), some).of
    assert {e.labels[0]: count(e) for e in some if e.labels} == {
        "cat": 1, "dog": 2, "owl": 2, "yak": 5,
    }  # fmt: skip
    assert count(replace(some[0], labels=None)) == 1
    assert count(replace(some[-1], split="test")) == 1
    assert count(replace(some[0], labels=("cat", "dog"))) == 2


def test_coverage_names_the_views_that_are_missing() -> None:
    [entry] = entries(cat=1)
    coverage = Coverage({IDS[0]: 2, IDS[1]: 9}, Wanted(3))
    assert list(coverage.missing(IDS[0], entry)) == [2, 3]
    assert list(coverage.missing(IDS[1], entry)) == []
    assert list(coverage.missing(IDS[2], entry)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": -1}, "views are 0 to 1000 of an image, got -1"),
        ({"views_for": "few"}, "one of: all, minority; not few"),
        ({"augment": ("blur",)}, "no augmentation blur; there are: flip, rotate, crop, colour"),
        ({"augment": ()}, "one augmentation or more"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ViewOptions(**options)


# In a store.


def test_another_spelling_is_the_same_recipe(store: Store, pictures: Path) -> None:
    freeze(store, pictures, ViewOptions(1, ("color", "flip")))
    report = freeze(store, pictures, ViewOptions(1, ("flip", "colour")))
    assert report.views == 0
    recipe = store.files.read(f"features/{report.encoder_id}/views.json")
    assert b"colour" in recipe


def test_views_are_stored_beside_the_plain_image(store: Store, pictures: Path) -> None:
    report = freeze(store, pictures, ViewOptions(views=2))
    assert (report.encoded, report.views) == (40, 80)
    features = store.features(report.encoder_id)
    ids, counts = features.held()
    assert (len(ids), set(counts.tolist())) == (40, {3})
    assert len(features.load()) == 40
    assert fsck(store.path).sound


def test_plain_vectors_are_what_they_are_without_views(
    store: Store, pictures: Path, tmp_path: Path
) -> None:
    with_views = freeze(store, pictures, ViewOptions(views=2))
    other = Store.create(tmp_path / "other")
    freeze(other, pictures, ViewOptions())
    one, two = (s.features(with_views.encoder_id).load() for s in (store, other))
    order, same = np.argsort(one.ids), np.argsort(two.ids)
    np.testing.assert_array_equal(one.vectors[order], two.vectors[same])


def test_a_view_is_what_the_encoder_makes_of_the_augmented_picture(
    store: Store, pictures: Path, augmented: Callable[..., np.ndarray]
) -> None:
    report = freeze(store, pictures, ViewOptions(views=1, augment=("flip", "crop")))
    encoder = open_encoder("descriptor")
    path = pictures / "disc" / "03.png"
    data = path.read_bytes()
    from icehouse.embedder import decode

    view = augment(decode(data), ("flip", "crop"), image_id(data), 1)
    expected = encoder.encode(encoder.preprocess(view)[None])[0].astype(np.float16)
    np.testing.assert_array_equal(augmented(store, report.encoder_id, image_id(data), 1), expected)


@pytest.fixture
def augmented() -> Callable[..., np.ndarray]:
    """Read one vector of one view straight from the shards."""
    import pyarrow.parquet as pq

    def read(store: Store, encoder_id: str, image: bytes, view: int) -> np.ndarray:
        for name in store.features(encoder_id).shards():
            table = pq.read_table(store.path / name)
            for row in table.to_pylist():
                if (row["image_id"], row["view"]) == (image, view):
                    return np.array(row["vector"], np.float16)
        raise AssertionError("no such view")

    return read


def test_more_views_are_added_and_fewer_change_nothing(store: Store, pictures: Path) -> None:
    plain = freeze(store, pictures, ViewOptions())
    assert (plain.encoded, plain.views) == (40, 0)
    some = freeze(store, pictures, ViewOptions(views=1))
    assert (some.encoded, some.views) == (40, 40)
    more = freeze(store, pictures, ViewOptions(views=3))
    assert (more.encoded, more.views) == (40, 80)
    fewer = freeze(store, pictures, ViewOptions(views=2))
    assert (fewer.encoded, fewer.reused, fewer.views) == (0, 40, 0)
    ids, counts = store.features(plain.encoder_id).held()
    assert (len(ids), set(counts.tolist())) == (40, {4})
    features = store.features(plain.encoder_id)
    assert len(features.load()) == 40


def test_two_recipes_are_not_mixed(store: Store, pictures: Path) -> None:
    freeze(store, pictures, ViewOptions(views=1, augment=("flip",)))
    with pytest.raises(UsageError, match="were made with flip "):
        freeze(store, pictures, ViewOptions(views=2, augment=("crop", "flip")))
    assert freeze(store, pictures, ViewOptions(augment=("crop",))).reused == 40


def test_minorities_in_a_store(store: Store, pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "uneven"
    shutil.copytree(pictures, folder)
    for path in sorted((folder / "disc").iterdir())[5:]:
        path.unlink()
    report = freeze(store, folder, ViewOptions(views=9, views_for="minority"))
    assert (report.encoded, report.views) == (25, 5 * 3)


def test_compaction_keeps_views_apart(store: Store, pictures: Path) -> None:
    for views in (0, 1, 2, 3):
        report = freeze(store, pictures, ViewOptions(views=views))
    features = store.features(report.encoder_id)
    before = features.load()
    assert len(features.shards()) == 4
    assert fsck(store.path, repair=True).sound
    assert len(features.shards()) == 2
    after = features.load()
    order, same = np.argsort(before.ids), np.argsort(after.ids)
    np.testing.assert_array_equal(before.vectors[order], after.vectors[same])
    assert set(features.held()[1].tolist()) == {4}


def test_a_gap_in_the_views_is_filled(store: Store) -> None:
    features = store.features("x-1")
    vectors = np.ones((4, 3), np.float32)
    images = ids_from_bytes([IDS[0], IDS[0], IDS[1], IDS[2]])
    features.append(images, vectors, "float16", np.array([0, 2, 1, 0], np.int16))
    ids, counts = features.held()
    held = dict(zip((i.tobytes() for i in ids), counts.tolist(), strict=True))
    assert held == {IDS[0]: 1, IDS[2]: 1}
