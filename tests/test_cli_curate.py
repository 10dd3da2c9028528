"""The verbs curate outliers, typical and gaps."""

from __future__ import annotations

import csv
import json
import sys

import numpy as np
import pytest
from PIL import Image

from icehouse.cli import main
from icehouse.embedder import embed, list_source
from icehouse.store import forget, plan_forget


@pytest.fixture
def run(monkeypatch, capsys, embedded):
    """A function that runs a verb of curate on the store, and returns what it printed."""

    def run(*words, status=0):
        words = ["icehouse", "curate", *words, "--store", str(embedded.path)]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit, match=f"^{status}$"):
            main()
        said = capsys.readouterr()
        return said.err if status else said.out

    return run


@pytest.fixture
def noise(embedded, tmp_path):
    """A dataset of the store: five pictures of noise."""
    (tmp_path / "noise").mkdir()
    pixels = np.random.default_rng(3).integers(0, 256, (5, 40, 40, 3), np.uint8)
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(tmp_path / "noise" / f"{number}.png")
    embed(embedded, list_source(tmp_path / "noise"), "descriptor", dataset="noise")
    return tmp_path / "noise"


def height(path):
    with Image.open(path) as sheet:
        return sheet.height


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_outliers_are_printed_written_and_drawn(run, embedded, noise, tmp_path):
    printed = run("outliers", "--count", "9", "-k", "7", "--top", "6")
    folder = embedded.path / "reports" / "shapes"
    found = lines(folder / "outliers.jsonl")
    assert len(found) == 9
    assert "least like the others, of" in printed
    assert "written: " in printed
    rows = list(csv.DictReader((folder / "outliers.csv").read_text().splitlines()))
    assert len(rows) == sum(len(each["pictures"]) for each in found)
    assert height(folder / "outliers.png") > 300  # two rows
    said = run("outliers", "--count", "9", "-k", "7", "--json", "--out", str(tmp_path / "out"))
    assert [json.loads(line) for line in said.splitlines()] == found
    assert (tmp_path / "out" / "outliers.png").exists()


def test_classes_are_printed_written_and_drawn(run, embedded):
    printed = run("typical", "--count", "4")
    folder = embedded.path / "reports" / "shapes"
    assert "shapes: 40 labelled images" in printed
    found = lines(folder / "typical.jsonl")
    assert [each["name"] for each in found] == ["disc", "stripes"]
    assert [len(each["typical"]) for each in found] == [4, 4]
    assert height(folder / "typical.png") > 2 * 2 * 132
    run("typical", "--count", "4", "--top", "1")
    assert height(folder / "typical.png") < 500


def test_gaps_are_printed_written_and_drawn(run, embedded, noise):
    printed = run("gaps", "shapes", "noise")
    folder = embedded.path / "reports" / "shapes"
    assert "shapes does not cover noise" in printed
    assert "5 (100.0% of noise)" in printed
    assert len((folder / "gaps.csv").read_text().splitlines()) == 6
    assert height(folder / "gaps.png") > 150
    [report] = map(json.loads, run("gaps", "shapes", "noise", "--json").splitlines())
    assert report["gaps"] == lines(folder / "gaps.jsonl")


def test_where_nothing_is_lacking_the_sheet_goes(run, embedded, noise, pictures):
    run("gaps", "shapes", "noise")
    embed(embedded, list_source(pictures), "descriptor", dataset="again")
    printed = run("gaps", "shapes", "again", "--task", "shapes")
    assert "shapes covers again" in printed
    assert "40, all of again" in printed
    assert not (embedded.path / "reports" / "shapes" / "gaps.png").exists()


def test_what_is_forgotten_is_on_no_sheet_any_more(run, embedded, noise):
    run("gaps", "shapes", "noise")
    run("outliers", "--count", "3")
    run("typical", "--count", "1")
    folder = embedded.path / "reports" / "shapes"
    image = lines(folder / "outliers.jsonl")[0]["pictures"][0]["image_id"]
    stays = {path.stem for path in folder.glob("*.jsonl") if image not in path.read_text()}
    forget(embedded, plan_forget(embedded, [image]))
    left = {f"{stem}.{ending}" for stem in stays for ending in ("csv", "jsonl", "png")}
    assert {path.name for path in folder.iterdir()} == left
    assert "outliers" not in stays
    assert "gaps" in stays


def test_what_cannot_be_is_said_in_one_line(run, embedded):
    assert "no dataset 'none'" in run("outliers", "--dataset", "none", status=2)
    assert "takes 101 different ones" in run("outliers", "-k", "100", status=2)
    assert "no task 'none'" in run("typical", "--task", "none", status=2)
    assert "lacks nothing of itself" in run("gaps", "shapes", "shapes", status=2)
    assert "a quantile is between 0 and 1" in run("gaps", "a", "b", "--quantile", "2", status=2)
    assert "count" in run("outliers", "--count", "0", status=2)
