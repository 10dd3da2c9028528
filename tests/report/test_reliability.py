"""Reliability diagrams, and what is said of sets."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from icehouse.heads import FitOptions, fit_head, list_heads
from icehouse.report import sets_lines, write_reliability
from icehouse.report._reliability import IDEAL, LEAST, RIGHT, draw_reliability, radius
from icehouse.store import fsck


def shades(card) -> np.ndarray:
    with Image.open(io.BytesIO(draw_reliability(card))) as image:
        return np.asarray(image.convert("RGB")).reshape(-1, 3)


def count(card, colour: str) -> int:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((shades(card) == wanted).all(axis=1).sum())


@pytest.fixture
def card(fitted):
    return next(card for card in list_heads(fitted, "shapes") if card.name == "logistic")


def test_each_split_has_its_diagram(card):
    assert list(card.reliability) == ["train", "val", "test", "out-of-fold"]
    for name, bins in card.reliability.items():
        assert sum(n for n, _, _ in bins) == card.metrics[name]["n"]
        error = sum(n * abs(sure - right) for n, sure, right in bins) / card.metrics[name]["n"]
        assert error == pytest.approx(card.metrics[name]["ece"])
    one = replace(card, reliability={"test": card.reliability["test"]})
    with (
        Image.open(io.BytesIO(draw_reliability(card))) as all_four,
        Image.open(io.BytesIO(draw_reliability(one))) as alone,
    ):
        assert all_four.height == alone.height
        assert all_four.width > 2 * alone.width


def test_points_and_the_line_that_they_should_be_on_are_drawn(card):
    assert count(card, IDEAL) > 200
    few = replace(card, reliability={"test": [[4, 0.5, 0.5]]})
    many = replace(card, reliability={"test": [[4, i / 15 + 0.01, i / 15] for i in range(15)]})
    assert 0 < count(few, RIGHT) < count(many, RIGHT)


def test_the_area_of_a_point_is_the_number_of_its_answers(card):
    assert radius(100, 100) == 2 * radius(25, 100)
    assert radius(1, 10_000) == LEAST
    alone, among = [4, 0.5, 0.5], [400, 0.9, 0.9]
    few, many = ([[4, 0.9, 0.9], alone], [among, alone])
    drawn = [count(replace(card, reliability={"test": bins}), RIGHT) for bins in (few, many)]
    assert drawn[1] < drawn[0]  # the point of four answers is small beside that of 400


def test_a_long_title_has_room(card):
    """The title is the only ink in its line, and it ends before the picture does."""
    long = replace(card, task="x" * 60, reliability={"test": card.reliability["test"]})
    with Image.open(io.BytesIO(draw_reliability(long))) as image:
        line = np.asarray(image.convert("L"))[30:68]
    inked = np.flatnonzero((line < 128).any(axis=0))
    assert inked[-1] < line.shape[1] - 20
    assert inked[-1] > line.shape[1] - 60


def test_a_head_of_an_earlier_version_has_a_diagram_of_nothing(card):
    assert draw_reliability(replace(card, reliability={}))


def test_it_lies_beside_the_metrics_until_the_head_is_fitted_again(fitted, card):
    folder = fitted.path / card.folder
    path = write_reliability(card, folder)
    assert path.endswith("logistic/reliability.png")
    assert (folder / "reliability.png").read_bytes() == draw_reliability(card)
    assert not [f for f in fsck(fitted.path).findings if "reliability" in str(f)]
    fit_head(fitted, "logistic")
    assert not (folder / "reliability.png").exists()


def test_sets_have_a_line_for_each_split_that_was_measured(embedded):
    card = fit_head(embedded, "logistic", options=FitOptions(coverage=0.8))
    lines = sets_lines(card)
    assert [line.partition(":")[0] for line in lines] == ["train", "val", "test"]
    assert "of 4 images are in their set of coverage 80.0%, which holds " in lines[2]
    assert sets_lines(fit_head(embedded, "logistic")) == []
