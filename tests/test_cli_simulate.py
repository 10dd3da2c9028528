"""The verb ``simulate``, from the command line."""

import contextlib
import io
import json
import shutil
import sys

import pytest

from icehouse.cli import main


def said(folder, *words, code=0):
    """Run the command line in this process, and return what it says."""
    out, err, ended = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setattr(sys, "argv", ["icehouse", *words])
        patch.setenv("COLUMNS", "120")
        patch.setenv("ICEHOUSE_STORE", "photos.icehouse")
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                ended = end.code or 0
    assert ended == code, err.getvalue()
    return err.getvalue() if code else out.getvalue()


@pytest.fixture(scope="module")
def embedded(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    shutil.copytree(pictures, folder / "photos")
    said(folder, "embed", "photos", "-e", "descriptor")
    return folder


QUICK = ("simulate", "--split", "60/0/40", "--start", "4", "--seeds", "2", "--budget", "16")


def test_simulate_prints_and_writes(embedded):
    text = said(embedded, *QUICK, "--strategies", "margin,margin+coreset")
    assert "photos: labels chosen among 24 images, 16 test images, descriptor, 2 seeds" in text
    assert "margin+coreset" in text
    assert "random" in text
    files = embedded / "photos.icehouse" / "reports" / "photos"
    assert {path.name for path in files.iterdir()} == {
        "simulate.csv", "simulate-needed.csv", "simulate.md", "simulate.png",
    }  # fmt: skip
    assert "is sound" in said(embedded, "fsck")


def test_simulate_speaks_json(embedded, tmp_path):
    [line] = said(embedded, *QUICK, "--json", "--out", str(tmp_path)).splitlines()
    found = json.loads(line)
    assert found["seeds"] == 2
    assert {curve["strategy"] for curve in found["curves"]} >= {"random", "auto", "typical"}
    assert (tmp_path / "simulate.png").exists()


def test_simulate_says_what_is_wrong(embedded):
    text = said(embedded, *QUICK, "--strategies", "luck", code=2)
    assert text.startswith("error: no strategy 'luck'; there are: auto, random")
    assert len(text.splitlines()) == 1
