"""Every command and every Python example of the documentation is run."""

import contextlib
import json
import re
import shlex
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from icehouse.cli import main
from icehouse.embedder import one_torch_thread
from icehouse.heads import load_head
from icehouse.review import predict_files
from icehouse.store import Store

ROOT = Path(__file__).parent.parent
NOT_OURS = ("git ", "make ", "pip ", "export ")


@pytest.fixture
def workplace(pictures, clip_folder, tmp_path):
    """photos/fields and photos/roads, new/ with an image, a small CLIP, and files of the docs."""
    for kind, name in (("disc", "fields"), ("stripes", "roads")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(20):
            with Image.open(pictures / kind / f"{number:02d}.png") as image:
                image.convert("RGB").save(tmp_path / "photos" / name / f"{number}.jpg", quality=95)
    write_sources(tmp_path)
    (tmp_path / "new").mkdir()
    with Image.open(pictures / "disc" / "03.png") as image:
        image.rotate(90).save(tmp_path / "new" / "a.png")
    tutorial = (ROOT / "docs" / "tutorial.md").read_text()
    (tmp_path / "photos.csv").write_text(blocks(tutorial, "csv")[0])
    shutil.copytree(clip_folder, tmp_path / "weights" / "clip")
    words = (ROOT / "docs" / "zero-shot.md").read_text()
    (tmp_path / "prompts.txt").write_text(blocks(words, "text")[0])
    (tmp_path / "templates.txt").write_text("a photo of {}.\na drawing of {}.\n")
    in_depth = (ROOT / "docs" / "embedding.md").read_text()
    (tmp_path / "boxes.csv").write_text(blocks(in_depth, "csv")[0])
    with contextlib.chdir(tmp_path):
        yield tmp_path


def write_sources(folder):
    """The photos as a tar, two tars, a zip and a table."""
    files = sorted((folder / "photos").rglob("*.jpg"))
    (folder / "shards").mkdir()
    for name, some in (
        ("photos.tar", files),
        ("shards/part-000.tar", files[::2]),
        ("shards/part-001.tar", files[1::2]),
    ):
        with tarfile.open(folder / name, "w") as tar:
            for file in some:
                tar.add(file, file.relative_to(folder / "photos"))
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(folder / "photos"))
    columns = {"image": [f.read_bytes() for f in files], "label": [f.parent.name for f in files]}
    pq.write_table(pa.table(columns), folder / "table.parquet")


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(path):
    for block in blocks((ROOT / path).read_text(), "console"):
        for line in block.splitlines():
            words = line.removeprefix("$ ").partition("    #")[0]
            if not words.startswith(NOT_OURS):
                yield shlex.split(words)


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "docs/tutorial.md",
        "docs/sources.md",
        "docs/embedding.md",
        "docs/heads.md",
        "docs/labels.md",
        "docs/distributed.md",
    ],
)
def test_commands_run_as_they_stand(workplace, path, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of other processes, in this folder
    found = list(commands(path))
    few = {
        "docs/distributed.md": 1,
        "docs/report.md": 6,
        "docs/label-issues.md": 5,
        "docs/active-learning.md": 4,
        "docs/explain.md": 6,
        "docs/duplicates.md": 5,
        "docs/maps.md": 6,
        "docs/curation.md": 5,
    }
    assert len(found) >= few.get(path, 7)
    for words in found:
        assert words[0] == "icehouse"
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit, match=r"^0$"):
            main()
    assert capsys.readouterr().out


def test_commands_run_on_object_storage_as_they_stand(workplace, bucket, monkeypatch, capsys):
    monkeypatch.setenv("ICEHOUSE_STORE", f"{bucket[0]}/docs/photos.icehouse")
    monkeypatch.setenv("ICEHOUSE_LABELS", f"sqlite:///{workplace}/labels.sqlite")
    test_commands_run_as_they_stand(workplace, "docs/remote.md", monkeypatch, capsys)
    assert not (workplace / "photos.icehouse").exists()


def test_python_of_the_readme_runs(workplace, capsys):
    for block in blocks((ROOT / "README.md").read_text(), "python"):
        names = {}
        exec(compile(block, "README.md", "exec"), names)
    assert names["vectors"].shape == (40, 352)
    assert float(capsys.readouterr().out.splitlines()[0]) > 0.9


def test_python_about_the_page_runs_after_its_commands(workplace, monkeypatch, capsys):
    test_commands_run_as_they_stand(workplace, "docs/report.md", monkeypatch, capsys)
    [block] = blocks((ROOT / "docs" / "report.md").read_text(), "python")
    exec(compile(block, "report.md", "exec"), {})
    assert "images right" in capsys.readouterr().out


def test_python_about_search_runs_after_its_commands(workplace, monkeypatch, capsys):
    test_commands_run_as_they_stand(workplace, "docs/search.md", monkeypatch, capsys)
    assert (workplace / "found" / "search.png").exists()
    [block] = blocks((ROOT / "docs" / "search.md").read_text(), "python")
    exec(compile(block, "search.md", "exec"), {})
    assert capsys.readouterr().out.startswith("1 ")


def test_python_about_maps_runs_after_its_commands(workplace, monkeypatch, capsys):
    test_commands_run_as_they_stand(workplace, "docs/maps.md", monkeypatch, capsys)
    assert (workplace / "errors.png").exists()
    [block] = blocks((ROOT / "docs" / "maps.md").read_text(), "python")
    exec(compile(block, "maps.md", "exec"), {})
    assert capsys.readouterr().out.startswith("fields around")


def test_groupings_of_the_documentation_are_those_of_the_code():
    from icehouse.review import GROUPINGS

    table = (ROOT / "docs/maps.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", table, re.M) == list(GROUPINGS)


def test_python_about_captions_runs_after_its_commands(workplace, monkeypatch, capsys):
    test_commands_run_as_they_stand(workplace, "docs/zero-shot.md", monkeypatch, capsys)
    [block] = blocks((ROOT / "docs" / "zero-shot.md").read_text(), "python")
    exec(compile(block, "zero-shot.md", "exec"), {})
    assert 0 <= float(capsys.readouterr().out.split()[0]) <= 1


def test_python_about_exports_runs_after_its_commands(workplace, monkeypatch, capsys):
    test_commands_run_as_they_stand(workplace, "docs/export.md", monkeypatch, capsys)
    [block] = blocks((ROOT / "docs" / "export.md").read_text(), "python")
    names = {}
    exec(compile(block, "export.md", "exec"), names)
    assert "'roads'" in capsys.readouterr().out
    store = Store.open("photos.icehouse")
    [ours] = predict_files(store, load_head(store, "photos", "logistic"), [Path("new/a.png")])
    for name, proba in zip(json.loads(names["said"]["classes"]), names["proba"][0], strict=True):
        assert proba == pytest.approx(ours.probabilities[name], abs=0.02)  # bfloat16 rounds


def test_python_about_explanations_runs_after_its_commands(workplace, monkeypatch, capsys):
    with one_torch_thread():  # on small pictures threads wait for each other
        test_commands_run_as_they_stand(workplace, "docs/explain.md", monkeypatch, capsys)
    assert (workplace / "why-features.png").exists()
    [block] = blocks((ROOT / "docs" / "explain.md").read_text(), "python")
    exec(compile(block, "explain.md", "exec"), {})
    assert capsys.readouterr().out.split()[-1] == "True"


def test_python_about_label_issues_runs_after_its_commands(workplace, monkeypatch, capsys):
    test_commands_run_as_they_stand(workplace, "docs/label-issues.md", monkeypatch, capsys)
    [block] = blocks((ROOT / "docs" / "label-issues.md").read_text(), "python")
    exec(compile(block, "label-issues.md", "exec"), {})


def test_python_about_duplicates_runs_after_its_commands(workplace, monkeypatch, capsys):
    test_commands_run_as_they_stand(workplace, "docs/duplicates.md", monkeypatch, capsys)
    assert (workplace / "strict" / "duplicates.csv").exists()
    [block] = blocks((ROOT / "docs" / "duplicates.md").read_text(), "python")
    exec(compile(block, "duplicates.md", "exec"), {})
    assert "'clusters'" in capsys.readouterr().out


def test_python_about_curation_runs_after_its_commands(workplace, monkeypatch, capsys):
    test_commands_run_as_they_stand(workplace, "docs/curation.md", monkeypatch, capsys)
    folder = workplace / "photos.icehouse" / "reports" / "photos"
    assert {path.stem for path in folder.iterdir()} == {"outliers", "typical", "gaps"}
    [block] = blocks((ROOT / "docs" / "curation.md").read_text(), "python")
    exec(compile(block, "curation.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[-1] in ("True", "False")


def test_python_about_active_learning_runs_after_its_commands(workplace, monkeypatch, capsys):
    test_commands_run_as_they_stand(workplace, "docs/active-learning.md", monkeypatch, capsys)
    assert (workplace / "replayed" / "simulate.png").exists()
    [block] = blocks((ROOT / "docs" / "active-learning.md").read_text(), "python")
    exec(compile(block, "active-learning.md", "exec"), {})
    assert "the head is not sure of many" in capsys.readouterr().out


def test_strategies_of_the_documentation_are_those_of_the_code():
    from icehouse.review.strategies import STRATEGIES

    table = (ROOT / "docs/active-learning.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)` \|", table, re.M)) == set(STRATEGIES)


def test_make_targets_of_the_readme_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\$ make (\w+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_reasons_of_the_tutorial_are_those_of_the_code():
    from icehouse.review import _reasons

    named = set(re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs/tutorial.md").read_text(), re.M))
    assert named == {
        _reasons.THRESHOLD,
        _reasons.PROBABILITY,
        _reasons.MARGIN,
        _reasons.ENTROPY,
        _reasons.LABEL,
        _reasons.HEADS,
        _reasons.NEIGHBOURS,
        _reasons.SEVERAL,
        _reasons.NONE,
        _reasons.UNFAMILIAR,
    }
