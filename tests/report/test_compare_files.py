import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icehouse.heads import CompareOptions, LabelCounts, LabelCurve, LabelPoint, count_labels
from icehouse.report import write_comparison, write_label_counts
from icehouse.report._compare_pictures import BEST, COLOURS, WORSE, _ticks, colours_of


def colours(path):
    with Image.open(path) as image:
        found = image.convert("RGB").getcolors(2**24)
    return {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in found}


def size(path):
    with Image.open(path) as image:
        return image.size


def test_a_comparison_is_three_files(contenders, tmp_path):
    written = write_comparison(contenders, tmp_path / "out")
    assert [Path(path).name for path in written] == ["compare.csv", "compare.md", "compare.png"]
    rows = list(csv.DictReader(io.StringIO(Path(written[0]).read_text())))
    assert [row["head"] for row in rows] == ["xgboost", "logistic", "knn"]
    assert float(rows[0]["accuracy"]) == 0.9
    assert [row["p"] for row in rows] == ["", "0.31", "1e-05"]
    assert [row["like_best"] for row in rows] == ["True", "True", "False"]
    assert rows[0]["bytes_per_image"] == "1024"
    page = Path(written[1]).read_text()
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "| odd\\|name |" in page
    assert "**0.900** ± 0.012 | 0.850–0.940" in page
    assert "](compare.png)" in page
    assert "- [red] is no colour" in page
    assert {BEST, WORSE} <= colours(written[2])


def test_another_question_keeps_the_answer_of_this_one(contenders, tmp_path):
    asked = CompareOptions(task="shapes", heads=("knn",))
    one = write_comparison(contenders, tmp_path, asked)
    assert write_comparison(contenders, tmp_path, replace(asked, task=None)) == one
    others = [replace(asked, seed=1), replace(asked, heads=()), replace(asked, encoders=("tiny",))]
    written = {tuple(write_comparison(contenders, tmp_path, other)) for other in others}
    assert len({tuple(one), *written}) == 4
    name = Path(one[2]).name
    assert f"]({name})" in Path(one[1]).read_text()
    assert len(list(tmp_path.iterdir())) == 12


def test_an_encoder_has_its_colour_in_every_picture():
    names = ["tiny", "descriptor", "clip:ViT-B-32/openai"]
    every = colours_of(names)
    assert len(set(every.values())) == 3
    assert {name: colours_of([name])[name] for name in names} == every
    alike = next(
        f"timm:{i}" for i in range(99) if every["tiny"] in colours_of([f"timm:{i}"]).values()
    )
    assert (
        colours_of(["tiny", alike])["tiny"] == every["tiny"] != colours_of(["tiny", alike])[alike]
    )
    assert set(colours_of(map(str, range(40))).values()) == set(COLOURS)


def test_the_picture_of_a_comparison_grows_with_rows_and_names(contenders, tmp_path):
    width, height = size(write_comparison(contenders, tmp_path)[2])
    more = contenders.contenders + contenders.contenders
    assert size(write_comparison(replace(contenders, contenders=more), tmp_path)[2])[1] > height
    long = [replace(each, encoder="x" * 60) for each in contenders.contenders]
    assert size(write_comparison(replace(contenders, contenders=long), tmp_path)[2])[0] > width


def test_points_of_a_comparison_lie_where_the_accuracy_is(contenders, tmp_path):
    """The axis is linear, so the distances of the marks are those of the accuracies."""
    with Image.open(write_comparison(contenders, tmp_path)[2]) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    centres = []
    for number, (colour, filled) in enumerate([(BEST, True), (BEST, False), (WORSE, True)]):
        y = (82 + 26 * number + 13) * 2 + 6  # below the interval, inside the mark
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        found = np.flatnonzero((np.abs(pixels[y] - wanted).sum(axis=1)) < 60)
        assert len(found)
        assert filled == (np.ptp(found) + 1 == len(found))
        centres.append(found.mean())
    a, b, c = centres
    assert (a - b) / (b - c) == pytest.approx((0.9 - 0.88) / (0.88 - 0.6), abs=0.02)


def test_label_counts_are_three_files(embedded, tmp_path):
    options = CompareOptions(heads=("logistic", "knn"), seeds=2)
    written = write_label_counts(count_labels(embedded, [1, 4], options), tmp_path)
    assert [Path(path).name for path in written] == [
        "label-counts.csv", "label-counts.md", "label-counts.png",
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(Path(written[0]).read_text())))
    assert [(row["count"], row["labels"]) for row in rows] == [("1", "2"), ("4", "8")] * 2
    assert "| encoder | head | 1 | 4 |" in Path(written[1]).read_text()
    assert colours_of(["descriptor"])["descriptor"] in colours(written[2])


def test_other_numbers_of_labels_are_another_question(tmp_path):
    def written(*sizes):
        points = [LabelPoint(n, n, 0.5, None) for n in sizes]
        curves = [LabelCurve("tiny", "tiny-0", "knn", points)]
        counts = LabelCounts("task", "single", "val", 10, 1, curves, ())
        return write_label_counts(counts, tmp_path, CompareOptions())

    assert written(1, 4) == written(1, 4)
    assert not set(written(1, 4)) & set(written(1, 8))


@pytest.mark.parametrize("sizes", [[1], [1, 2, 5, 1000]])
def test_one_size_and_heads_without_a_shape_of_their_own_can_be_drawn(sizes, tmp_path):
    curves = [
        LabelCurve(f"encoder {i}", str(i), "novel", [LabelPoint(n, n, 0.5, None) for n in sizes])
        for i in range(30)
    ]
    counts = LabelCounts("task", "single", "val", 10, 1, curves, ())
    path = write_label_counts(counts, tmp_path)[2]
    assert set(COLOURS) <= colours(path)
    assert size(path)[1] > 30 * 22 * 2


@pytest.mark.parametrize(
    ("low", "high", "first", "last"),
    [
        (0, 1, 0, 1),
        (0.91, 0.934, 0.91, 0.94),
        (1, 1, 0.99, 1),
        (0, 0, 0, 0.01),
        (0.5, 0.5, 0.5, 0.51),
    ],
)
def test_ticks_hold_what_they_are_around(low, high, first, last):
    ticks = _ticks(low, high)
    assert (ticks[0], ticks[-1]) == pytest.approx((first, last))
    assert 2 <= len(ticks) <= 9
