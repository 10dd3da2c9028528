"""The recipe that ``tiny`` was made by: its views, its lessons, and that training can go on."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source, open_encoder
from icehouse.errors import LookupFailed
from icehouse.store import Store

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools" / "tiny"))

import export as exporting  # noqa: E402
import train as training  # noqa: E402
from lessons import Lesson, digests, make_lesson, whitened  # noqa: E402
from views import SIZE, view, write_views  # noqa: E402

SETTINGS = training.Settings(
    architecture="test_resnet",
    model_args={},
    dim=8,
    power=0.5,
    views=2,
    cycles=(training.Cycle(64, 2, 0.01), training.Cycle(72, 2, 0.001)),
    batch=8,
    weight_decay=0.01,
    warmup=0.5,
    shift=2,
    seed=3,
    workers=1,
)


@pytest.fixture(scope="module")
def views(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two views of each picture."""
    work = tmp_path_factory.mktemp("views")
    folders = [work / f"shapes-{number}" for number in range(2)]
    for number, folder in enumerate(folders):
        write_views(sorted(pictures.rglob("*.png")), pictures, folder, number, turns=True)
    return folders


@pytest.fixture(scope="module")
def store(views: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store.create(tmp_path_factory.mktemp("teacher") / "store")
    for folder in views:
        embed(made, list_source(folder, labels=False), "descriptor")
    return made


@pytest.fixture(scope="module")
def lesson(store: Store, views: list[Path]) -> Lesson:
    return make_lesson(store, dict.fromkeys(views, True), SETTINGS.dim, SETTINGS.power)


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 80, 3), np.uint8))


def test_view_0_is_the_image_and_the_others_are_not() -> None:
    first, second = (view(picture(), "a.jpg", number, turns=False) for number in (0, 1))
    assert first.size == second.size == (SIZE, SIZE)
    assert first.tobytes() == picture().resize((SIZE, SIZE), Image.Resampling.BICUBIC).tobytes()
    assert first.tobytes() != second.tobytes()


def test_a_view_is_the_same_on_every_run_and_another_for_another_name() -> None:
    one, again, other = (view(picture(), n, 3, turns=True).tobytes() for n in ("a", "a", "b"))
    assert one == again != other


def test_a_lesson_joins_views_and_their_vectors(lesson: Lesson, views: list[Path]) -> None:
    count = sum(len(list(folder.rglob("*.png"))) for folder in views)
    assert lesson.pixels.shape == (count, SIZE, SIZE, 3)
    assert lesson.targets.shape == (count, SETTINGS.dim)
    np.testing.assert_allclose(np.linalg.norm(lesson.targets, axis=1), 1, rtol=1e-5)


def test_views_that_cannot_be_learnt_from_are_named(tmp_path: Path) -> None:
    store, folder = Store.create(tmp_path / "store"), tmp_path / "views"
    folder.mkdir()
    picture().save(folder / "one.png")
    (folder / "two.png").write_bytes(b"no picture")
    embed(store, list_source(folder), "descriptor")
    with pytest.raises(LookupFailed, match="no dataset 'elsewhere'"):
        make_lesson(store, {tmp_path / "elsewhere": False}, 4, 0.5)
    with pytest.raises(SystemExit, match=r"1 of 2 views in .* are no pictures"):
        make_lesson(store, {folder: False}, 4, 0.5)


def test_full_whitening_makes_components_equal() -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(4000, 6)) * [9, 5, 3, 2, 1, 0.5] + 100
    spread = whitened(vectors, 6, 1.0).std(axis=0)
    assert spread.max() / spread.min() < 1.1
    assert np.ptp(whitened(vectors, 6, 0.0).std(axis=0)) > 0.5


def test_the_record_of_data_changes_with_it(store: Store) -> None:
    told = digests(store)
    assert set(told) == {"shapes-0", "shapes-1"}
    assert told["shapes-0"]["sha256"] != told["shapes-1"]["sha256"]


def test_the_rate_rises_and_falls_in_each_cycle() -> None:
    cycles = (training.Cycle(64, 8, 0.01), training.Cycle(96, 4, 0.001))
    settings = dataclasses.replace(SETTINGS, cycles=cycles)
    rates = [training.rate(step, settings) for step in range(settings.steps)]
    assert rates[:4] == pytest.approx([0.0025, 0.005, 0.0075, 0.01])
    assert rates[4:8] == sorted(rates[4:8], reverse=True)
    assert rates[8:10] == pytest.approx([0.0005, 0.001])
    assert settings.size == 96


def test_views_are_enlarged_to_the_size_of_the_cycle(
    lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    normalise = training.normalised
    monkeypatch.setattr(
        training, "normalised", lambda pixels: seen.append(pixels.shape[1]) or normalise(pixels)
    )
    lesson.save(tmp_path / "lesson")
    training.train(tmp_path / "lesson", SETTINGS, tmp_path)
    assert seen == [64, 64, 72, 72]


def test_an_epoch_takes_every_row_once() -> None:
    rows = np.concatenate([training.batch_rows(step, 24, SETTINGS) for step in range(3)])
    assert sorted(rows) == list(range(24))


def test_only_what_may_be_turned_is_turned(lesson: Lesson) -> None:
    """A picture whose left half is white: its halves stay left and right unless it may turn."""
    halves = np.zeros((64, 64, 64, 3), np.uint8)
    halves[:, :, :32] = 255
    for turns in (False, True):
        random = np.random.default_rng(0)
        made = training.augmented(halves, np.full(64, turns), 0, random)
        upright = (made[:, 0] == made[:, -1]).all(axis=(1, 2))
        assert upright.all() != turns


def test_a_run_that_was_cut_ends_as_one_that_was_not(
    lesson: Lesson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lesson.save(tmp_path / "lesson")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    one = training.train(tmp_path / "lesson", SETTINGS, whole)
    save = training._save

    def save_and_fail(*arguments: object) -> None:
        save(*arguments)
        raise KeyboardInterrupt("cut")

    monkeypatch.setattr(training, "_save", save_and_fail)
    with pytest.raises(KeyboardInterrupt, match="cut"):
        training.train(tmp_path / "lesson", SETTINGS, cut)
    monkeypatch.setattr(training, "_save", save)
    other = training.train(tmp_path / "lesson", SETTINGS, cut)
    for name, tensor in one.state_dict().items():
        np.testing.assert_array_equal(tensor, other.state_dict()[name], err_msg=name)


def test_what_it_writes_is_opened_by_name(lesson: Lesson, tmp_path: Path) -> None:
    network = training.Student(SETTINGS).network.eval()
    exporting.export(network, SETTINGS, tmp_path / "made")
    spec = open_encoder(f"timm:local-dir:{tmp_path / 'made'}").spec
    assert spec.preprocess.size == (72, 72)
    assert (tmp_path / "made" / "canary.npy").exists()
    log = tmp_path / "log.csv"
    log.write_text("step,loss,rate,images_per_second\n1,0.9,0.01,5\n2,0.5,0.001,5\n")
    exporting.picture(log, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as drawn:
        assert drawn.size == (800, 360)
