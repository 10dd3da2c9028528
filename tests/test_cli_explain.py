"""The verb ``explain``, from the command line."""

import contextlib
import io
import json
import shutil
import sys

import pytest
from PIL import Image

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
def fitted(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    shutil.copytree(pictures, folder / "photos")
    (folder / "text.png").write_text("no picture")
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    said(folder, "embed", "photos", "-e", "descriptor")
    said(folder, "fit-head", "--head", "logistic")
    return folder


def test_a_picture_is_drawn_and_its_scores_are_said(fitted):
    shown = said(fitted, "explain", "photos/disc/03.png", "--check", "--out", "why.png")
    assert "why.png" in shown
    assert "deletion" in shown
    assert "changed" in shown
    with Image.open(fitted / "why.png") as image:
        assert image.format == "PNG"
    [row] = said(fitted, "explain", "photos/disc/03.png", "--json").splitlines()
    told = json.loads(row)
    assert told["predicted"] == ["disc"]
    assert told["method"] == "occlusion"
    assert 0 <= told["scores"]["deletion"] <= 1
    assert told["randomised"] is None
    assert (fitted / "photos-logistic-occlusion.png").exists()


def test_a_dataset_makes_a_sheet(fitted):
    words = ("explain", "--dataset", "photos", "--limit", "3", "--out", "sheet.png", "--json")
    rows = [json.loads(row) for row in said(fitted, *words).splitlines()]
    assert [row["name"] for row in rows] == ["disc/00.png", "stripes/00.png", "stripes/19.png"]
    with Image.open(fitted / "sheet.png") as sheet:
        assert sheet.height > sheet.width / 2


def test_a_file_that_is_no_picture_is_a_row_beside_others(fitted):
    files = ("photos/disc/03.png", "text.png", "dot.png")
    rows = [json.loads(r) for r in said(fitted, "explain", *files, "--json").splitlines()]
    assert [row["error"] is None for row in rows] == [True, False, False]
    assert "not-an-image" in rows[1]["error"]
    assert "1x1" in rows[2]["error"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["text.png"], "none of 1 images can be explained; text.png: not-an-image"),
        (["dot.png"], "1x1 pixels has no parts to tell apart; give one of 8x8 or more"),
        (["photos/disc/03.png", "--method", "magic"], "no method 'magic'; give one of: occlusion"),
        (["photos/disc/03.png", "--class", "ring"], "no class 'ring'; it has: disc, stripes"),
        (["photos/disc/03.png", "--head", "none"], "has no head 'none'; it has: logistic"),
        (["photos/disc/03.png", "--method", "grad-cam"], "the encoder is no network of torch"),
        (["photos/disc/03.png", "--features"], "no network of torch that could be looked into"),
        (["photos", "--features"], "--features draws the maps of one image file, not of 40"),
        (["photos/disc/03.png", "--out", "photos"], "photos is a folder; give the name of a PNG"),
        (["photos/disc/03.png", "--out", "why.jpg"], "the name of --out why.jpg ends otherwise"),
        (["photos/disc/03.png", "--dataset", "photos"], "(one of the two)"),
        ([], "(one of the two)"),
        (["--dataset", "other"], "no dataset 'other'"),
    ],
)
def test_bad_input_is_named(fitted, words, message):
    assert message in said(fitted, "explain", *words, code=2)
