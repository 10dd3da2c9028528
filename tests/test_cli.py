import contextlib
import io
import json
import re
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from icehouse.cli import main
from icehouse.errors import NotAStore
from icehouse.store import Store


class Done(NamedTuple):
    """How a run of the command line ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def photos(pictures, tmp_path_factory):
    """A folder with photos/ (two classes, one broken file), and a fitted store beside it."""
    folder = tmp_path_factory.mktemp("cli")
    shutil.copytree(pictures, folder / "photos")
    (folder / "photos" / "disc" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    run(folder, "embed", "photos", "-s", "photos.icehouse", "-e", "descriptor")
    run(folder, "fit-head", "-s", "photos.icehouse", "--head", "logistic", "--folds", "5")
    return folder


def process(folder, *words, **environment):
    """Run the command line in this process, as a terminal of 120 columns would."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["icehouse", *words])
        for name, value in {"COLUMNS": "120", **environment}.items():
            patch.setenv(name, value)
        with contextlib.chdir(folder), redirect_stdout(out), redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
    return Done(code, out.getvalue(), err.getvalue())


def run(folder, *words):
    done = process(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lines(folder, *words):
    return [json.loads(line) for line in run(folder, *words, "--json").splitlines()]


def test_help_loads_nothing_heavy():
    code = (
        "import sys\n"
        "sys.argv = ['icehouse', '--help']\n"
        "from icehouse.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'pyarrow', 'sklearn', 'PIL', 'sqlalchemy', 'timm'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "fit-head" in done.stdout
    assert "LOADED []" in done.stdout


def test_the_options_of_embed_stand_in_panels_that_fit_80_columns():
    shown = process(".", "embed", "--help", COLUMNS="80").stdout
    panels = re.findall("^╭─ (.+?) ─", shown, re.MULTILINE)
    assert panels[1:] == ["Options", "Encoder", "Source", "Pictures", "Augmented views", "Running"]
    for whole in (
        "clip:ViT-B-32/laion2b_s34b_b79k",
        "denoise,equalise,grayscale",
        "--image-column",
    ):
        assert whole in shown


def test_embed_reports_every_input(photos):
    report = lines(photos, "embed", "photos", "-s", "photos.icehouse", "-e", "descriptor")[0]
    assert report["inputs"] == 41
    assert report["encoded"] == 0
    assert report["reused"] == 40
    assert sum(report["errors"].values()) == 1


def test_embed_names_what_it_could_not_read(photos):
    report = lines(photos, "embed", "photos", "-s", "photos.icehouse")[0]
    assert [failure["key"] for failure in report["failures"]] == ["disc/broken.png"]
    assert "disc/broken.png" in run(photos, "embed", "photos", "-s", "photos.icehouse")


def test_the_only_encoder_of_a_store_is_the_usual_one(photos):
    report = lines(photos, "embed", "photos", "-s", "photos.icehouse")[0]
    assert report["encoder_id"].startswith("descriptor")


def test_the_store_can_be_named_by_the_environment(photos):
    done = process(photos, "info", "--json", ICEHOUSE_STORE="photos.icehouse")
    assert json.loads(done.stdout)["datasets"][0]["name"] == "photos"


def test_fit_head_takes_settings_and_a_split(photos):
    card = lines(
        photos, "fit-head", "-s", "photos.icehouse", "--head", "knn", "--name", "near",
        "--set", "k=3", "--split", "50/25/25",
    )[0]  # fmt: skip
    assert card["settings"]["k"] == 3
    assert card["name"] == "near"
    assert [card["metrics"][s]["n"] for s in ("train", "val", "test")] == [20, 10, 10]
    shutil.rmtree(photos / "photos.icehouse" / "heads" / "photos" / "near")


def test_fit_head_balances_and_keeps_curves_and_writes_event_files(photos):
    words = ["fit-head", "-s", "photos.icehouse", "--name", "net", "--tensorboard", "runs"]
    few = ["--set", "epochs=2", "--balance", "under"]
    [card] = lines(photos, *words, *few, "--head", "mlp")
    folder = photos / "photos.icehouse" / "heads" / "photos" / "net"
    assert card["training"]["balance"] == "under"
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((photos / "runs" / "photos" / "net").glob("*/events.out.tfevents.*"))) == 1
    said = run(photos, *words, "--head", "logistic")
    assert "logistic is not trained by epochs; nothing is in runs" in said
    assert not list(folder.glob("curves*"))
    shutil.rmtree(folder)


def test_fit_head_tunes_and_goes_on_and_makes_one_head_of_several(photos):
    pytest.importorskip("optuna")
    words = ["fit-head", "-s", "photos.icehouse", "--head", "knn", "--name", "near", "--tune"]
    shown = run(photos, *words, "--trials", "2")
    assert "trials: 2" in shown
    assert "0 (as given)" in shown
    [card] = lines(photos, *words, "--trials", "3", "--time", "60")
    assert "the best of 3 trials" in card["notes"][0]
    [table] = (photos / "photos.icehouse" / "tuning" / "photos").iterdir()
    assert len(table.read_text().splitlines()) == 1 + 3
    run(photos, "fit-head", "-s", "photos.icehouse", "--name", "line")
    [card] = lines(
        photos, "fit-head", "-s", "photos.icehouse", "--head", "ensemble", "--of", "near, line",
        "--set", "method=stack", "--name", "both",
    )  # fmt: skip
    assert list(card["settings"]["members"]) == ["near", "line"]
    assert run(photos, "predict", "--dataset", "photos", "-s", "photos.icehouse", "--head", "both")
    for name in ("near", "line", "both"):
        shutil.rmtree(photos / "photos.icehouse" / "heads" / "photos" / name)
    shutil.rmtree(photos / "photos.icehouse" / "tuning")


def test_compare_balances_side_by_side(photos):
    words = ["compare", "-s", "photos.icehouse", "--heads", "logistic", "--balance", "none,over"]
    [compared] = lines(photos, *words)
    assert {each["balance"] for each in compared["contenders"]} == {"none", "over"}
    [table] = (photos / "photos.icehouse" / "reports" / "photos").glob("compare-*.md")
    assert "logistic, over" in table.read_text()
    shutil.rmtree(photos / "photos.icehouse" / "reports")


def test_what_follows_a_fit_is_asked_for_by_options(photos):
    store = ("-s", "photos.icehouse", "--head")
    fit = ("logistic", "--name", "after", "--calibrate", "isotonic", "--threshold", "f1")
    shown = run(photos, "fit-head", *store, *fit, "--coverage", "0.9")
    assert "of 4 images are in their set of coverage 90.0%, which holds" in shown
    assert "reliability.png" in shown
    assert "chosen for after: threshold of stripes 0." in shown
    assert "chosen for after: threshold of stripes 0." in run(photos, "info", "-s", store[1])
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(photos / "noise.png")
    asked = ("predict", "noise.png", "photos/disc/01.png", *store, "after")
    plain, refused = (lines(photos, *asked, *more) for more in ((), ("--refuse-unfamiliar",)))
    assert plain[1] == refused[1]
    assert plain[0]["predicted"]
    assert refused[0]["predicted"] == []
    assert "unfamiliar" in refused[0]["reasons"]
    assert lines(photos, *asked, "--coverage", "0.999")[1]["possible"] == ["disc", "stripes"]
    assert "1 got no answer" in run(photos, *asked, "--refuse-unfamiliar")
    few = "a coverage of 0.999 takes 999 images held out, and there are "
    assert few in run(photos, *asked, "--coverage", "0.999")
    assert few not in run(photos, *asked)
    flagged = run(photos, "flag", *store, "after", "--coverage", "0.999")
    assert "several-classes" in flagged
    assert few in flagged
    shutil.rmtree(photos / "photos.icehouse" / "heads" / "photos" / "after")


def test_notes_are_printed_as_they_are(photos):
    (photos / "odd.csv").write_text(
        "path,label,split\n"
        + "".join(f"photos/disc/{i:02d}.png,[red],train\n" for i in range(12))
        + "".join(f"photos/stripes/{i:02d}.png,[b],train\n" for i in range(12))
        + "photos/stripes/13.png,[b],test\n"
    )
    run(photos, "embed", "odd.csv", "-s", "odd.icehouse", "-e", "descriptor")
    shown = run(photos, "fit-head", "-s", "odd.icehouse", "--head", "knn")
    assert "note: in the training split only, so not measured: [red]\n" in shown


def test_predict_takes_files_and_folders(photos):
    answers = lines(
        photos, "predict", "photos/stripes", "photos/disc/01.png", "-s", "photos.icehouse"
    )
    assert len(answers) == 21
    assert answers[-1]["predicted"] == ["disc"]
    assert "images are ambiguous" in run(
        photos, "predict", "--dataset", "photos", "-s", "photos.icehouse"
    )


def test_flag_writes_files_and_a_sheet(photos):
    shown = run(photos, "flag", "-s", "photos.icehouse", "--band", "1.0", "--out", "found")
    assert "40 of 40 images flagged" in shown
    names = sorted(path.name for path in (photos / "found").iterdir())
    assert names == ["flags.csv", "flags.jsonl", "flags.parquet", "flags.png"]
    flags = lines(photos, "flag", "-s", "photos.icehouse", "--band", "1.0", "--out", "found")
    assert flags == [
        json.loads(line) for line in (photos / "found/flags.jsonl").read_text().splitlines()
    ]


def test_label_issues_are_listed_written_and_drawn(photos):
    words = ("label-issues", "-s", "photos.icehouse", "--min-score", "0.01", "--out", "issues")
    shown = run(photos, *words)
    assert "of 40 images that may be wrong" in shown
    names = sorted(path.name for path in (photos / "issues").iterdir())
    assert names == ["label-issues.csv", "label-issues.jsonl", "label-issues.png"]
    assert all(name in shown for name in names)
    assert lines(photos, *words) == [
        json.loads(line) for line in (photos / "issues/label-issues.jsonl").read_text().splitlines()
    ]
    assert "0 labels of 40 images" in run(photos, *words[:3], "--min-score", "1", *words[5:])
    assert not (photos / "issues" / "label-issues.png").exists()


def test_compare_writes_a_table_and_a_picture_into_the_store(photos):
    heads = ("--heads", "logistic, knn")
    before = snapshot(photos / "photos.icehouse" / "heads")
    shown = run(photos, "compare", "-s", "photos.icehouse", *heads)
    assert "photos: 4 test images, 32 to train on" in shown
    folder = photos / "photos.icehouse" / "reports" / "photos"
    names = {f.name for f in folder.iterdir()}
    assert {re.sub(r"-[0-9a-f]{8}\.", ".", name) for name in names} == {
        "compare.csv", "compare.md", "compare.png",
    }  # fmt: skip
    assert shown.count("written: ") == 3
    assert snapshot(photos / "photos.icehouse" / "heads") == before
    found = lines(photos, "fsck", "-s", "photos.icehouse")[0]["findings"]
    assert "foreign-file" not in {finding["kind"] for finding in found}
    options = (*heads, "--encoders", "descriptor", "--split", "60/0/40", "--seeds", "2")
    (compared,) = lines(photos, "compare", "-s", "photos.icehouse", *options, "--out", "other")
    assert (compared["images"], compared["seeds"]) == (16, 2)
    assert {c["head"] for c in compared["contenders"]} == {"logistic", "knn"}
    assert (photos / "other" / "compare.png").exists()


def test_report_writes_a_page_and_says_where_and_how_large(photos):
    shown = run(photos, "report", "-s", "photos.icehouse")
    page = photos / "photos.icehouse" / "reports" / "photos" / "logistic.html"
    assert "of 4 test images right" in shown
    assert "- 4 images are few" in shown
    size = page.stat().st_size
    assert f"written: photos.icehouse/reports/photos/logistic.html ({size / 1e6:.2f} MB)" in shown
    options = ("--task", "photos", "--head", "logistic", "--split", "out-of-fold")
    (said,) = lines(photos, "report", "-s", "photos.icehouse", *options, "--out", "here.html")
    assert (said["path"], said["images"], said["split"]) == ("here.html", 40, "out-of-fold")
    assert said["bytes"] == (photos / "here.html").stat().st_size
    assert (said["metrics"]["n"], said["missing"]) == (40, 0)
    done = process(photos, "report", "-s", "photos.icehouse", "--out", "here")
    assert (done.returncode, done.stdout) == (2, "")
    assert "a name that ends in .html, not here" in done.stderr
    found = lines(photos, "fsck", "-s", "photos.icehouse")[0]["findings"]
    assert "foreign-file" not in {finding["kind"] for finding in found}


def test_compare_counts_labels(photos):
    options = ("--label-counts", "1, 5", "--heads", "knn", "--out", "curves")
    (counted,) = lines(photos, "compare", "-s", "photos.icehouse", *options)
    assert [p["count"] for p in counted["curves"][0]["points"]] == [1, 5]
    assert counted["seeds"] == 5
    assert {f.suffix for f in (photos / "curves").iterdir()} == {".csv", ".md", ".png"}


def test_neighbours_takes_a_key_or_a_file(photos):
    by_key = lines(photos, "neighbours", "disc/01.png", "-s", "photos.icehouse", "-k", "3")
    by_file = lines(photos, "neighbours", "photos/disc/01.png", "-s", "photos.icehouse", "-k", "3")
    assert by_key == by_file
    assert len(by_key) == 3
    assert by_key[0]["labels"] == ["disc"]


def test_a_manifest_shares_images_with_a_folder(photos):
    shutil.copytree(photos / "photos.icehouse", photos / "copy.icehouse")
    rows = [f"photos/disc/{n:02d}.png,disc,{'train' if n < 15 else 'test'}" for n in range(20)]
    (photos / "list.csv").write_text("\n".join(["path,label,split", *rows]))
    report = lines(photos, "embed", "list.csv", "-s", "copy.icehouse", "--task", "listed")[0]
    assert (report["encoded"], report["reused"]) == (0, 20)
    assert len(Store.open(photos / "copy.icehouse").labels.present("listed")) == 20
    done = process(photos, "fit-head", "-s", "copy.icehouse")
    assert "several tasks; choose one with --task: listed, photos" in done.stderr


def test_fsck_says_that_a_store_is_sound_or_exits_with_1(photos):
    shutil.copytree(photos / "photos.icehouse", photos / "sick.icehouse")
    assert "is sound: 40 images, 40 vectors" in run(photos, "fsck", "-s", "sick.icehouse")
    [shard] = (photos / "sick.icehouse").glob("features/*/*.parquet")
    shard.write_bytes(shard.read_bytes()[:-5])
    done = process(photos, "fsck", "-s", "sick.icehouse")
    assert done.returncode == 1
    assert "is damaged in 2 ways" in done.stdout
    assert "damage" in done.stdout
    [report] = map(
        json.loads, process(photos, "fsck", "-s", "sick.icehouse", "--json").stdout.splitlines()
    )
    assert {f["kind"] for f in report["findings"]} == {"shard", "vectors-missing"}
    done = process(photos, "fsck", "-s", "sick.icehouse", "--repair")
    assert (done.returncode, "put aside as lost+found/" in done.stdout) == (1, True)
    run(photos, "embed", "photos", "-s", "sick.icehouse")
    assert "is sound" in run(photos, "fsck", "-s", "sick.icehouse", "--repair")


def test_forget_asks_and_forgets(photos, monkeypatch):
    shutil.copytree(photos / "photos.icehouse", photos / "old.icehouse")
    words = ("forget", "-s", "old.icehouse", "--image", "disc/01.png", "--image", "disc/02.png")
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    done = process(photos, *words)
    assert done.returncode == 1
    assert "images: 2" in done.stdout
    assert len(lines(photos, "predict", "--dataset", "photos", "-s", "old.icehouse")) == 40
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert process(photos, *words).returncode == 0
    assert len(lines(photos, "predict", "--dataset", "photos", "-s", "old.icehouse")) == 38
    [plan] = lines(photos, "forget", "-s", "old.icehouse", "--dataset", "photos", "--yes")
    assert (len(plan["images"]), len(plan["rows"])) == (40, 39)  # all that ever stood there
    shown = run(photos, "fsck", "-s", "old.icehouse", "--repair")
    assert "is sound: 0 images, 0 vectors" in shown


def test_a_list_on_standard_input_is_a_source(photos, monkeypatch):
    text = io.TextIOWrapper(io.BytesIO(b"photos/disc/01.png\nphotos/stripes/02.png\n"))
    monkeypatch.setattr(sys, "stdin", text)
    words = ["embed", "-", "--dataset", "listed", "-s", "listed.icehouse", "-e", "descriptor"]
    report = lines(photos, *words)[0]
    assert (report["dataset"], report["encoded"]) == ("listed", 2)
    store = Store.open(photos / "listed.icehouse")
    assert all(place.path.is_file() for place in store.places().values())


def test_embed_fails_where_every_input_is_broken(photos):
    words = ["photos", "-s", "none.icehouse", "-e", "descriptor", "--include", "*broken.png"]
    done = process(photos, "embed", *words)
    assert done.returncode == 1
    assert "disc/broken.png" in done.stdout


def test_a_part_of_a_source_can_be_embedded(photos):
    words = ["embed", "photos", "-s", "part.icehouse", "-e", "descriptor", "--include", "disc/*"]
    report = lines(photos, *words, "--exclude", "*/broken.png", "--sample", "9", "--limit", "4")[0]
    assert (report["inputs"], report["encoded"], report["gone"]) == (4, 4, 0)
    report = lines(photos, "embed", "photos", "-s", "part.icehouse")[0]
    assert (report["encoded"], report["reused"], report["gone"]) == (36, 4, 0)


WRONG = [
    (["embed", "nowhere", "-s", "x"], 1, "there is no folder"),
    (["embed", "empty", "-s", "x"], 1, "holds no files"),
    (["embed", "nopath.csv", "-s", "x"], 1, "has no column 'path'"),
    (["embed", "-", "-s", "x"], 2, "give one with --dataset NAME"),
    (["embed", "nowhere.tar", "-s", "x"], 1, "nowhere.tar cannot be read"),
    (["embed", "nothing://x", "-s", "x"], 1, "Protocol not known"),
    (["embed", "photos", "-s", "x", "--include", "bird/*"], 2, "fits --include and --exclude"),
    (["embed", "photos", "-s", "x", "--augment", "flip"], 2, "with --views N too"),
    (["embed", "photos", "-s", "x", "--views-for", "minority"], 2, "with --views N too"),
    (["embed", "photos", "-s", "full"], 1, "full is not a store"),
    (["embed", "photos", "-s", "y", "-e", "resnet"], 1, "no encoder 'resnet'"),
    (["embed", "photos", "-s", "x", "-e", "timm:local-dir:empty"], 1, "no config.json"),
    (["embed", "photos", "-s", "newer"], 1, "Upgrade with"),
    (["info", "-s", "nowhere"], 1, "there is no store at"),
    (["info", "-s", "full"], 1, "is not a store"),
    (["fit-head", "-s", "photos.icehouse", "--head", "oak"], 1, "no head 'oak'"),
    (["fit-head", "-s", "photos.icehouse", "--set", "C"], 2, "NAME=VALUE"),
    (["fit-head", "-s", "photos.icehouse", "--head", "ensemble"], 2, "--of mlp,logistic; got none"),
    (["fit-head", "-s", "photos.icehouse", "--of", "a,b"], 2, "--head ensemble --of a,b"),
    (["fit-head", "-s", "photos.icehouse", "--trials", "3"], 2, "add --tune"),
    (["fit-head", "-s", "photos.icehouse", "--tensorboard", "nopath.csv"], 2, "into a folder"),
    (["fit-head", "-s", "photos.icehouse", "--tune", "--objective", "f1"], 2, "not by 'f1'"),
    (["fit-head", "-s", "photos.icehouse", "--balance", "smote"], 2, "got 'smote'"),
    (["compare", "-s", "photos.icehouse", "--balance", "smote"], 2, "got 'smote'"),
    (["compare", "-s", "photos.icehouse", "--balance", "over", "--label-counts", "2"], 2, "leave"),
    (["fit-head", "-s", "photos.icehouse", "--set", "depth=3"], 2, "no setting 'depth'"),
    (["fit-head", "-s", "photos.icehouse", "--set", "C=many"], 2, "cannot be read as number"),
    (["fit-head", "-s", "photos.icehouse", "--split", "80/20"], 2, "TRAIN/VAL/TEST"),
    (["fit-head", "-s", "photos.icehouse", "-e", "clip"], 2, "no encoder 'clip'"),
    (["fit-head", "-s", "photos.icehouse", "-t", "cats"], 2, "no task 'cats'"),
    (["fit-head", "-s", "photos.icehouse", "--calibrate", "platt"], 2, "not by 'platt'"),
    (["fit-head", "-s", "photos.icehouse", "--threshold", "best"], 2, "not by 'best'"),
    (["predict", "--dataset", "photos", "-s", "photos.icehouse", "--coverage", "95"], 2, "got 95"),
    (["compare", "-s", "photos.icehouse", "--heads", "knn,oak"], 1, "no head 'oak'"),
    (["compare", "-s", "photos.icehouse", "--encoders", "clip"], 2, "no encoder 'clip'"),
    (["compare", "-s", "photos.icehouse", "--label-counts", "few"], 2, "numbers such as 1,2,5,10"),
    (["compare", "-s", "photos.icehouse", "--label-counts", "0"], 2, "are 1 or more, got '0'"),
    (["flag", "-s", "photos.icehouse", "--head", "oak"], 2, "no head 'oak'"),
    (["predict", "-s", "photos.icehouse"], 2, "give image files or folders, or --dataset"),
    (["predict", "nowhere.jpg", "-s", "photos.icehouse"], 2, "none of 1 can be read; nowhere.jpg"),
    (["embed", "photos", "-s", "y", "--vector-dtype", "float8"], 2, "float16 or float32"),
    (["neighbours", "zzz", "-s", "photos.icehouse"], 2, "no image in the store"),
    (["neighbours", "zzz", "-s", "bare"], 2, "no features yet. Make some with: icehouse embed"),
    (["fit-head", "-s", "photos.icehouse", "--folds", "1"], 2, "2 folds or more, got 1"),
    (["embed", "photos", "-s", "y", "-e", "clip:Nope/x"], 1, "All of them: python -c"),
    (["embed", "photos", "-s", "y", "-e", "timm:resnet18@no"], 1, "Give the path of one after"),
    (["fsck", "-s", "nowhere"], 1, "there is no store at"),
    (["fsck", "-s", "full"], 1, "is not a store"),
    (["forget", "-s", "photos.icehouse", "--yes"], 2, "say what is to be forgotten"),
    (["forget", "-s", "photos.icehouse", "--image", "zzz", "--yes"], 2, "no image in the store"),
]


@pytest.mark.parametrize(("words", "code", "message"), WRONG)
def test_an_error_is_one_message_without_a_traceback(photos, words, code, message):
    (photos / "empty").mkdir(exist_ok=True)
    (photos / "nopath.csv").write_text("file\nx.png\n")
    (photos / "full").mkdir(exist_ok=True)
    (photos / "full" / "letter.txt").write_text("dear")
    (photos / "newer").mkdir(exist_ok=True)
    (photos / "newer" / "store.json").write_text('{"format_version": 99}')
    Store.open_or_create(photos / "bare")
    before = snapshot(photos / "photos.icehouse")
    done = process(photos, *words)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert snapshot(photos / "photos.icehouse") == before
    assert not (photos / "x").exists()
    assert not (photos / "y").exists()


# Ctrl-C comes when a module is looked for: its first argument, taken off.
STOPPED_AT = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Stop(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[0]:
            os.kill(os.getpid(), signal.SIGINT)

sys.argv = sys.argv[1:]
sys.meta_path.insert(0, Stop())
from icehouse.cli import main
main()
"""
STOPPED = "error: stopped by Ctrl-C; what was stored is kept\n"


def heed_ctrl_c() -> None:
    """Be told of Ctrl-C, though whoever runs the tests in the background is not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("module", ["typer", "icehouse.embedder", "torch", "timm.layers"])
def test_ctrl_c_before_anything_is_encoded_is_one_line(pictures, tmp_path, module):
    words = [module, "embed", str(pictures), "-s", str(tmp_path / "new"), "-e", "tiny"]
    done = subprocess.run(
        [sys.executable, "-c", STOPPED_AT, *words, "--engine", "torch"],
        capture_output=True, text=True, check=False, preexec_fn=heed_ctrl_c,
    )  # fmt: skip
    assert Done(done.returncode, done.stdout, done.stderr) == Done(130, "", STOPPED)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_the_source_is_listed_is_one_line(tmp_path):
    words = ["embed", "-", "--dataset", "d", "-s", str(tmp_path / "new"), "-e", "descriptor"]
    with subprocess.Popen(
        [sys.executable, "-m", "icehouse", *words],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c,
    ) as process:  # fmt: skip
        process.stdin.write("nowhere.png\n" * 200_000)  # more than a pipe holds: it is listing now
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=60)
    assert (process.returncode, printed) == (130, STOPPED)
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_to_ignore_ctrl_c_does(photos):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run(photos, "info", "-s", "photos.icehouse")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_debug_lets_the_error_through_with_its_traceback(photos):
    with pytest.raises(NotAStore, match="there is no store at nowhere"):
        process(photos, "info", "-s", "nowhere", "--debug")


def test_the_version_is_printed():
    assert process(".", "--version").stdout.startswith("icehouse ")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def seen_by_clip(photos, clip_folder):
    """The photos in a store of their own, under a small CLIP and the descriptor."""
    run(photos, "embed", "photos", "-s", "clip.icehouse", "-e", f"clip:local-dir:{clip_folder}")
    run(photos, "embed", "photos", "-s", "clip.icehouse", "-e", "descriptor")
    run(photos, "fit-head", "-s", "clip.icehouse", "--head", "knn", "-e", "descriptor")
    return photos


def test_zero_shot_asks_for_the_classes_of_the_task(seen_by_clip):
    shown = run(seen_by_clip, "zero-shot", "-s", "clip.icehouse", "--top", "2")
    assert "40 images answered; the first 2" in shown
    assert "agrees with head knn" in shown
    answers = lines(seen_by_clip, "zero-shot", "-s", "clip.icehouse")
    assert len(answers) == 40
    assert answers[0]["labels"] == ["disc"]
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1)
    folder = next((seen_by_clip / "clip.icehouse" / "zero-shot").glob("*/photos"))
    assert sorted(file.name for file in folder.iterdir()) == ["answers.csv", "differences.csv"]
    assert "foreign-file" not in run(seen_by_clip, "fsck", "-s", "clip.icehouse")


def test_zero_shot_takes_captions_from_the_command_line_and_from_files(seen_by_clip):
    said = ("--captions", "a round thing", "--captions", "stripes=a zebra")
    answers = lines(seen_by_clip, "zero-shot", "-s", "clip.icehouse", *said, "--out", "asked")
    assert set(answers[0]["probabilities"]) == {"a round thing", "stripes"}
    assert [file.name for file in (seen_by_clip / "asked").iterdir()] == ["answers.csv"]
    (seen_by_clip / "prompts.txt").write_text("a round thing=a round thing\nstripes=a zebra\n")
    (seen_by_clip / "templates.txt").write_text("{}\n")
    from_files = lines(
        seen_by_clip, "zero-shot", "-s", "clip.icehouse", "--prompts", "prompts.txt",
        "--templates", "templates.txt", "--out", "asked",
    )  # fmt: skip
    assert from_files == answers
    other = lines(
        seen_by_clip, "zero-shot", "-s", "clip.icehouse", *said, "--out", "asked",
        "--templates", "templates.txt", "--template", "a photo of {}",
    )  # fmt: skip
    assert other != answers


@pytest.mark.parametrize(
    ("store", "words", "message"),
    [
        ("clip", ("--captions", "a", "--prompts", "b.txt"), "--captions or --prompts FILE, not"),
        ("clip", ("--captions", "a"), "--captions: one class only, 'a'"),
        ("clip", ("-e", "descriptor"), "not words: it has no text tower. In this store"),
        ("photos", (), "no encoder of the store takes words; it has: descriptor"),
    ],
    ids=["both", "one class", "descriptor", "no clip"],
)
def test_zero_shot_says_what_it_cannot_do(seen_by_clip, store, words, message):
    done = process(seen_by_clip, "zero-shot", "-s", f"{store}.icehouse", *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
