"""The verbs ``runs`` and ``export``, from the command line."""

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
def fitted(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    shutil.copytree(pictures, folder / "photos")
    said(folder, "embed", "photos", "-e", "descriptor")
    said(folder, "fit-head", "--head", "logistic", "--set", "C=0.01")
    said(folder, "fit-head", "--head", "logistic", "--set", "C=10")
    said(folder, "fit-head", "--head", "knn", "--name", "near")
    return folder


def test_runs_are_listed_the_newest_last(fitted):
    [found] = map(json.loads, said(fitted, "runs", "--json").splitlines())
    assert [run["head"] for run in found["runs"]] == ["logistic", "logistic", "near"]
    shown = said(fitted, "runs").splitlines()
    assert shown[0].rstrip() == "runs: 3"
    assert [line.split()[0] for line in shown[2:]] == [run["id"][:7] for run in found["runs"]]


def test_runs_are_taken_and_sorted_as_asked(fitted):
    words = ("--head", "logistic", "--sort", "log_loss", "--on", "train")
    [found] = map(json.loads, said(fitted, "runs", *words, "--json").splitlines())
    assert [run["settings"]["C"] for run in found["runs"]] == [10, 0.01]
    assert "runs cannot be sorted by 'best'" in said(fitted, "runs", "--sort", "best", code=2)
    assert "runs of: logistic, near" in said(fitted, "runs", "--head", "nope", code=2)
    assert "runs of: photos" in said(fitted, "runs", "--task", "nope", code=2)


def test_one_run_is_shown_and_two_are_compared(fitted):
    [found] = map(json.loads, said(fitted, "runs", "--json").splitlines())
    one, other, near = (run["id"][:7] for run in found["runs"])
    assert json.loads(said(fitted, "runs", one, "--json")) == found["runs"][0]
    assert f"run {found['runs'][0]['id']}" in said(fitted, "runs", one)
    diff = json.loads(said(fitted, "runs", one, other, "--json"))
    assert {"of": "settings", "name": "C", "a": 0.01, "b": 10} in diff["differences"]
    assert "settings and data: other" in said(fitted, "runs", one, other)
    assert "one to show, or two to compare; got 3" in said(fitted, "runs", one, other, near, code=2)
    assert "no run begins with 'zzz'" in said(fitted, "runs", "zzz", code=2)


def test_a_head_is_exported_and_the_difference_is_said(fitted):
    shown = said(fitted, "export", "--head", "near")
    assert (fitted / "photos-near.onnx").is_file()
    assert "on 40 stored features" in shown
    out = "made/of/head.onnx"
    [done] = map(
        json.loads, said(fitted, "export", "--head", "near", "--out", out, "--json").splitlines()
    )
    assert done["path"] == out
    assert done["difference"] <= 1e-4
    assert (fitted / out).read_bytes() == (fitted / "photos-near.onnx").read_bytes()


def test_what_cannot_be_exported_is_one_line(fitted):
    words = ("export", "--head", "near", "--with-encoder", "--out", "whole.onnx")
    assert "is no network that could be exported" in said(fitted, *words, code=1)
    assert not (fitted / "whole.onnx").exists()
    assert "choose one with --head: logistic, near" in said(fitted, "export", code=2)
