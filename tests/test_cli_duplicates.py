"""The verb duplicates, and what it leaves to the other verbs as it was."""

from __future__ import annotations

import csv
import json
import shutil
import sys

import pytest
from PIL import Image

from icehouse.cli import main


@pytest.fixture
def run(monkeypatch, capsys, embedded):
    """A function that runs a verb on the store, and returns what it printed."""

    def run(*words, status=0):
        monkeypatch.setattr(sys, "argv", ["icehouse", *words, "--store", str(embedded.path)])
        with pytest.raises(SystemExit, match=f"^{status}$"):
            main()
        said = capsys.readouterr()
        return said.err if status else said.out

    return run


def test_it_prints_writes_and_draws(run, embedded, tmp_path):
    printed = run("duplicates", "--top", "3")
    assert "pictures in several files, of 40 images" in printed
    folder = embedded.path / "reports" / "shapes"
    clusters = [json.loads(line) for line in (folder / "duplicates.jsonl").read_text().splitlines()]
    rows = list(csv.DictReader((folder / "duplicates.csv").read_text().splitlines()))
    assert len(rows) == sum(len(each["copies"]) for each in clusters) > 0
    with Image.open(folder / "duplicates.png") as sheet:
        assert sheet.height > 200 * min(3, len(clusters))
    lines = run("duplicates", "--json", "--out", str(tmp_path / "out")).splitlines()
    assert [json.loads(line) for line in lines] == clusters
    assert (tmp_path / "out" / "duplicates.png").exists()


def test_a_sheet_of_what_is_no_longer_found_goes(run, embedded):
    run("duplicates")
    assert run("duplicates", "--max-distance", "0", "--min-correlation", "1").startswith("no dup")
    assert not (embedded.path / "reports" / "shapes" / "duplicates.png").exists()


def test_other_verbs_go_on_as_if_there_were_no_thumbnails(run, embedded, pictures, tmp_path):
    run("duplicates")
    assert len(embedded.encoder_ids()) == 2
    run("fit-head", "--head", "knn", "--group-duplicates")
    compared = json.loads(run("compare", "--heads", "knn", "--group-duplicates", "--json"))
    assert [each["encoder"] for each in compared["contenders"]] == ["descriptor"]
    run("neighbours", "disc/03.png")
    shutil.copytree(pictures, tmp_path / "shapes")
    shutil.copy(pictures / "disc" / "03.png", tmp_path / "shapes" / "disc" / "copy.png")
    [report] = map(json.loads, run("embed", str(tmp_path / "shapes"), "--json").splitlines())
    assert report["encoder_id"].startswith("descriptor-")


def test_what_cannot_be_is_said_in_one_line(run):
    assert "--cosine 0.99" in run("duplicates", "--encoder", "descriptor", status=2)
    assert "no dataset 'none'" in run("duplicates", "--dataset", "none", status=2)
    wrong = run("fit-head", "--head", "knn", "--group-duplicates", status=1)
    assert "icehouse duplicates --store" in wrong
