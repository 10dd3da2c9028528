"""A simulation as tables, files and a picture: numbers of which are invented."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from icehouse.report import simulation_tables, write_simulation
from icehouse.report._simulation_picture import GREY, MARGIN, PLOT, TOP, round_numbers
from icehouse.report._simulation_tables import shown_sizes
from icehouse.review import Curve, CurvePoint, Needed, Simulation

SIZES = 10, 20, 40, 80
BADGE = "#b58407"  # the second colour, as "auto" comes before it


def curve(strategy, accuracy, needs, head="logistic"):
    points = [CurvePoint(n, a, a - 0.02, a + 0.02) for n, a in zip(SIZES, accuracy, strict=True)]
    return Curve(strategy, head, 0.9, tuple(points), tuple(needs))


@pytest.fixture
def simulation() -> Simulation:
    saved = [
        Needed(0.9, 30.0, 25, 38, 0.5, 0.4, 0.55),
        Needed(0.95, 60.4, 50, None, 0.2, None, 0.3),
    ]
    curves = (
        curve("badge", (0.3, 0.7, 0.8, 0.9), saved),
        curve("auto", (0.3, 0.6, 0.7, 0.8), [Needed(0.9, None), Needed(0.95, None)]),
        curve("random", (0.3, 0.5, 0.7, 0.8), [Needed(0.9, 60.0, 55, 70), Needed(0.95, None)]),
    )
    return Simulation(
        task="[red] things",
        kind="single",
        encoder="tiny",
        encoder_id="tiny-0",
        split="test",
        pool=1200,
        images=300,
        seeds=10,
        start=10,
        curves=curves,
        notes=("[red] is no colour",),
    )


def printed(simulation):
    out = io.StringIO()
    console = Console(file=out, width=80, highlight=False)
    for each in simulation_tables(simulation):
        console.print(each, soft_wrap=isinstance(each, str))
    return out.getvalue()


def test_the_tables_say_labels_savings_and_intervals(simulation):
    text = printed(simulation)
    for said in (
        "[red] things: labels chosen among 1,200 images, 300 test images, tiny, 10 seeds",
        "for 90%",
        "for 95%",
        "[25, 38]",
        "50%",
        "[40%, 55%]",
        "[50, –]",
        "[–, 30%]",
        "±0.020",
        "with all 1,200 labels logistic reaches 0.900",
        "note: [red] is no colour",
    ):
        assert said in text
    row = next(line for line in text.splitlines() if line.startswith("auto"))
    assert row.split() == ["auto", "logistic", "–", "–"]


def test_one_seed_has_no_intervals(simulation):
    bare = tuple(CurvePoint(n, 0.5, None, None) for n in SIZES)
    need = (Needed(0.9, 30.0, saving=0.5), Needed(0.95, None))
    only = replace(simulation, curves=(Curve("random", "knn", 0.9, bare, need),), seeds=1)
    text = printed(only)
    assert "±" not in text
    assert "[25" not in text


def test_some_sizes_are_shown_and_the_last_is_one_of_them(simulation):
    assert shown_sizes(simulation) == list(SIZES)
    many = tuple(CurvePoint(n, 0.5, None, None) for n in range(10, 300, 7))
    long = replace(simulation, curves=(replace(simulation.curves[0], points=many),))
    assert shown_sizes(long)[-1] == many[-1].labels
    assert len(shown_sizes(long)) <= 6


def test_a_simulation_is_four_files(simulation, tmp_path):
    written = write_simulation(simulation, tmp_path / "out")
    assert [Path(path).name for path in written] == [
        "simulate.csv", "simulate-needed.csv", "simulate.md", "simulate.png",
    ]  # fmt: skip
    points, needs = (
        list(csv.DictReader(io.StringIO(Path(path).read_text()))) for path in written[:2]
    )
    assert len(points) == 12
    assert points[1] == {
        "strategy": "badge", "head": "logistic", "labels": "20", "accuracy": "0.7", "low": "0.68",
        "high": "0.72",
    }  # fmt: skip
    assert [row["labels"] for row in needs] == ["30", "60.4", "", "", "60", ""]
    assert needs[0]["saving"] == "0.5"
    page = Path(written[2]).read_text()
    assert "| badge | logistic | 30 [25, 38] | 50% [40%, 55%] |" in page
    assert "](simulate.png)" in page


def drawn(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def near(pixels, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.abs(pixels - wanted).sum(axis=-1) < 30


def test_curves_lie_where_the_accuracy_is(simulation, tmp_path):
    pixels = drawn(write_simulation(simulation, tmp_path)[3])
    left, right = (MARGIN + 44) * 2, (MARGIN + 44 + PLOT[0]) * 2
    heights = []
    for number in (1, 2):  # 20 and 40 of 10 … 80 are at a third and at two
        x = round(left + (right - left) * number / 3)
        heights.append(np.flatnonzero(near(pixels[:, x], BADGE)).mean())
    end = np.flatnonzero(near(pixels[:, right - 2], BADGE)).mean()
    # Axes are linear in the accuracy: 0.7, 0.8 and 0.9 are equally far apart.
    assert heights[0] - heights[1] == pytest.approx(heights[1] - end, abs=3)
    assert heights[0] > heights[1] > end


def test_random_is_dashed_and_bands_are_pale(simulation, tmp_path):
    pixels = drawn(write_simulation(simulation, tmp_path)[3])
    left, right = (MARGIN + 44) * 2, (MARGIN + 44 + PLOT[0]) * 2
    inside = pixels[TOP * 2 : (TOP + PLOT[1]) * 2, left + 20 : right - 20]
    seen = near(inside, GREY).any(axis=0)
    assert 0.3 < seen.mean() < 0.95
    assert np.abs(np.diff(seen.astype(int))).sum() > 10
    assert near(inside, BADGE).any(axis=0).mean() > 0.95


def test_each_head_has_a_panel(simulation, tmp_path):
    one = drawn(write_simulation(simulation, tmp_path)[3]).shape
    again = tuple(replace(each, head="knn") for each in simulation.curves)
    two = drawn(
        write_simulation(replace(simulation, curves=(*simulation.curves, *again)), tmp_path)[3]
    ).shape
    assert two[1] == one[1]
    assert two[0] > one[0] + PLOT[1] * 2


def test_a_single_point_can_be_drawn(simulation, tmp_path):
    curves = tuple(replace(each, points=each.points[:1]) for each in simulation.curves)
    pixels = drawn(write_simulation(replace(simulation, curves=curves), tmp_path)[3])
    assert near(pixels, BADGE).any()


@pytest.mark.parametrize(
    ("low", "high", "numbers"),
    [(20, 700, [20, 50, 100, 200, 500]), (1, 1, [1]), (30, 40, [30]), (9, 11, [10])],
)
def test_round_numbers_lie_within(low, high, numbers):
    assert round_numbers(low, high) == numbers
