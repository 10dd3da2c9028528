"""The page as a whole: what it says, that it needs nothing else, and that names stay names."""

from __future__ import annotations

import base64
import io
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from icehouse.errors import UsageError
from icehouse.heads import Curves, FitOptions, StoredHead, fit_head, load_head, training_set
from icehouse.report import write_page
from icehouse.report.page import cautions_of, gather, page_of
from icehouse.report.page._blocks import named
from icehouse.report.page._calibrated import reliability
from icehouse.report.page._summary import accuracy_interval
from icehouse.review import FlagSettings, flag, write_flags
from icehouse.store import FeatureMatrix, Store, files_at

EVIL = "<script>alert(1)</script>"
LIMIT = 5e6


@pytest.fixture
def page(coloured: Store, read_page):
    written = write_page(coloured, load_head(coloured, "colours", "knn"))
    return read_page(Path(written.path).read_text())


def answers_of(store, task, head):
    """Truth and answers on the test split."""
    stored = load_head(store, task, head)
    data = training_set(store, stored.card)
    rows = data.split == "test"
    features = FeatureMatrix(data.encoder_id, data.ids[rows], data.X[rows])
    return data.y[rows], stored.decide(stored.predict_proba(features))


def test_the_page_needs_nothing_else_and_runs_nothing(page):
    links = page.attributes("src") + page.attributes("href")
    assert links
    assert all(link.startswith(("data:image/", "#")) for link in links)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, values in page.tags for name in values)
    assert "http" not in "".join(page.attributes("style"))
    assert not re.search(r"@import|url\(", page.text)


def test_names_out_of_the_store_are_text(page):
    assert page.count("b") == sum(tag == "b" for tag, values in page.tags)
    assert EVIL in page.text
    assert "blue & <b>" in page.text
    assert any('"><img src=x>' in alt for alt in page.attributes("alt"))
    assert len(page.attributes("src")) == page.count("img")
    assert "x" not in page.attributes("src")


def test_every_section_is_in_the_contents_and_says_how_to_read_it(page):
    targets = [link[1:] for link in page.attributes("href")]
    assert targets == [
        "summary", "data", "labels", "scores", "confusion", "curves", "calibration", "mistakes",
        "flags", "run",
    ]  # fmt: skip
    ids = page.attributes("id")
    assert set(targets) <= set(ids)
    assert len(ids) == len(set(ids))
    assert page.attributes("class").count("reading") == len(targets) - 1  # the summary needs none


def test_charts_have_names_for_those_who_hear_the_page(page):
    charts = [values for tag, values in page.tags if tag == "svg" and "viewbox" in values]
    assert len(charts) == 5
    assert all(values["role"] == "img" and values["aria-label"] for values in charts)
    assert all(values.get("alt") for tag, values in page.tags if tag == "img")
    assert "nan" not in page.text.lower().split()


def test_numbers_by_class_are_those_of_scikit_learn(page, coloured):
    truth, answers = answers_of(coloured, "colours", "knn")
    table = page.table("By class, on 6 test images")
    names = sorted(set(truth))
    said = precision_recall_fscore_support(truth, answers, labels=names, zero_division=0)
    for i, name in enumerate(names):
        numbers = [f"{part[i]:.3f}" for part in said[:3]]
        assert table.row(name)[1:5] == [*numbers, str(said[3][i])]
    assert table.row("accuracy")[3] == f"{np.mean(truth == answers):.3f}"


def test_the_matrix_is_that_of_scikit_learn(page, coloured):
    truth, answers = answers_of(coloured, "colours", "knn")
    names = sorted(set(truth))
    table = page.table("6 test images")
    assert table.rows[0][1:] == [named(name, 24) for name in names]
    found = [[int(cell.replace("·", "0")) for cell in row[1:]] for row in table.rows[1:]]
    assert found == confusion_matrix(truth, answers, labels=names).tolist()


def test_the_same_store_gives_the_same_bytes(coloured):
    stored = load_head(coloured, "colours", "knn")
    first = write_page(coloured, stored)
    data = Path(first.path).read_bytes()
    assert write_page(coloured, stored) == first
    assert Path(first.path).read_bytes() == data
    assert first.bytes == len(data)
    assert page_of(gather(coloured, load_head(Store.open(coloured.path), "colours", "knn"))) == (
        data.decode()
    )


def test_pictures_are_those_of_the_images_that_they_name(page, coloured):
    figures = page.attributes("data-image")
    shown = [src for src in page.attributes("src") if src.startswith("data:image/png")]
    assert len(figures) >= 24
    assert len(shown) == len(figures)
    with Image.open(io.BytesIO(base64.b64decode(shown[0].partition(",")[2]))) as image:
        small = np.asarray(image)
    place = coloured.places()[bytes.fromhex(figures[0])]
    with Image.open(place.path) as image:
        np.testing.assert_array_equal(small, np.asarray(image))


def test_pictures_that_are_gone_or_others_now_leave_a_gap(coloured, read_page, tmp_path):
    stored = load_head(coloured, "colours", "knn")
    whole = write_page(coloured, stored)
    assert whole.missing == 0
    files = sorted((tmp_path / "pictures").iterdir())
    shutil.copy(files[0], files[1])
    other = write_page(coloured, stored)
    assert (other.missing, other.pictures) == (1, whole.pictures - 1)
    files[2].write_bytes(b"no picture")
    shutil.rmtree(tmp_path / "pictures")
    written = write_page(coloured, stored)
    assert (written.missing, written.pictures) == (whole.pictures, 0)
    assert written.metrics == whole.metrics
    page = read_page(Path(written.path).read_text())
    assert page.attributes("class").count("gone") == len(page.attributes("data-image"))
    assert f"{whole.pictures} pictures could not be read any more" in page.text


def test_flags_are_shown_once_there_are_any(coloured, read_page):
    stored = load_head(coloured, "colours", "knn")
    assert "icehouse flag --task colours --head knn" in page_text(coloured, stored, read_page)
    report = flag(coloured, stored, FlagSettings(min_probability=1.1))
    write_flags(report, coloured.path / stored.card.folder)
    text = page_text(coloured, stored, read_page)
    assert f"{len(report.flags)} images flagged when icehouse flag was last run." in text
    page = read_page(page_of(gather(coloured, stored)))
    rows = {row[0]: row[1] for row in page.table("By reason").rows[1:]}
    assert rows == {name: str(count) for name, count in report.counts.items() if count}
    moved = bytes.fromhex(report.flags[0].image_id)
    other = next(name for name in stored.card.classes if name not in report.flags[0].labels)
    coloured.labels.record("colours", [(moved, (other,))], annotator="me", origin="cli")
    text = page_text(coloured, stored, read_page)
    assert "1 of them has got another label since" in text
    assert "Labels, images or split are others than when the head was fitted" in text
    coloured.files.commit(f"{stored.card.folder}/flags.parquet", b"damaged")
    assert "Not looked for yet" in page_text(coloured, stored, read_page)


def page_text(store, stored, read_page):
    return read_page(page_of(gather(store, stored))).text


def test_several_labels_an_image(several, read_page):
    stored = load_head(several, "tones", "logistic")
    page = read_page(page_of(gather(several, stored)))
    truth, answers = answers_of(several, "tones", "logistic")
    exact = (truth == answers).all(axis=1).mean()
    assert f"{exact:.3f} of {len(truth)} test images have all their labels right." in page.text
    table = page.table("Found, missed and added labels")
    for i, name in enumerate(stored.card.classes):
        both = int((truth[:, i] & answers[:, i]).sum())
        missed, added = int(truth[:, i].sum()) - both, int(answers[:, i].sum()) - both
        rest = len(truth) - both - missed - added
        assert table.row(name)[2:] == [str(n) for n in (both, missed, added, rest)]
    assert [row[0] for row in page.table("Labels an image").rows[1:]] == ["0", "1", "2"]
    assert page.table("By class").row("samples avg")


def with_thresholds(store, task, *thresholds):
    """A head whose thresholds were chosen."""
    stored = load_head(store, task, "logistic")
    card = replace(stored.card, thresholds=thresholds)
    return StoredHead(card, stored.head, stored.conformal, stored.familiarity)


def test_labels_are_answered_by_the_threshold_of_each(several):
    stored = with_thresholds(several, "tones", 0.0, 1.1)
    assert stored.card.classes == ("dark", "warm")
    evidence = gather(several, stored)
    assert evidence.answered[:, 0].all()
    assert not evidence.answered[:, 1].any()
    assert evidence.metrics.recall == 0.5
    assert evidence.threshold == pytest.approx(0.55)
    plain = gather(several, load_head(several, "tones", "logistic"))
    assert not (plain.answered == evidence.answered).all()


def test_the_second_of_two_classes_is_answered_from_its_threshold_on(fitted, read_page):
    for threshold, answer in ((0.0, "stripes"), (1.1, "disc")):
        evidence = gather(fitted, with_thresholds(fitted, "shapes", threshold))
        assert evidence.threshold == threshold
        assert evidence.answered.all(axis=0).tolist() == [
            name == answer for name in evidence.classes
        ]
        page = read_page(page_of(evidence))
        assert page.table("By class").row(answer)[5] == str(len(evidence.rows))
        assert f"at the threshold {threshold:g}" in page.text


def test_two_classes_have_one_curve_with_the_threshold_on_it(fitted, read_page):
    page = read_page(page_of(gather(fitted, load_head(fitted, "shapes", "logistic"))))
    assert page.attributes("class").count("dot mark") == 2
    assert "at the threshold 0.5" in page.text
    assert "Chosen by the fit" not in page.text


def test_what_the_fit_chose_is_in_the_summary_and_among_the_settings(fitted, read_page):
    evidence = gather(fitted, load_head(fitted, "shapes", "logistic"))
    card = replace(evidence.card, found={"C": 0.0316}, thresholds=(0.25,))
    page = read_page(page_of(replace(evidence, card=card)))
    assert "Chosen by the fit: C 0.0316, threshold of stripes 0.25." in page.text
    assert page.table("Its settings").row("threshold of stripes, as chosen")[1] == "0.25"


@pytest.mark.parametrize(
    ("split", "images", "said"),
    [
        ("test", 4, "4 images are few"),
        ("out-of-fold", 40, "40 images are few"),
        ("val", 4, "on which it was calibrated too"),
        ("train", 32, "measured on the images that it was fitted on"),
    ],
)
def test_the_split_can_be_chosen(fitted, split, images, said, tmp_path):
    stored = load_head(fitted, "shapes", "logistic")
    written = write_page(fitted, stored, tmp_path / "page.html", split)
    assert (written.split, written.images) == (split, images)
    assert written.path == str(tmp_path / "page.html")
    assert any(said in caution for caution in written.cautions)
    assert written.metrics.n == images


def test_a_number_that_no_split_has_is_no_column(page, invented, read_page):
    assert page.table("When the head was fitted").rows[0] == [
        "split", "images", "accuracy", "precision", "recall", "F1", "AUC", "log loss", "ECE",
    ]  # fmt: skip
    known = invented(["ant", "bee"], [0, 1] * 5, [[0.8, 0.2], [0.3, 0.7]] * 5)
    metrics = {"test": {"n": 1234, "top1": 0.5, "top5": 0.9, "auc_roc": None}}
    html = page_of(replace(known, card=replace(known.card, metrics=metrics)))
    rows = read_page(html).table("When the head was fitted").rows
    assert rows == [["split", "images", "accuracy", "top-5"], ["test", "1,234", "0.500", "0.900"]]


def test_sets_are_measured_where_a_coverage_was_asked(coloured, read_page, page):
    assert "coverage" not in page.text
    card = fit_head(coloured, "knn", {"k": "3"}, FitOptions(coverage=0.9, folds=2))
    page = read_page(page_of(gather(coloured, load_head(coloured, "colours", "knn"))))
    table = page.table("Sets of classes, of which a coverage of 90.0% was asked")
    assert [row[0] for row in table.rows[1:]] == ["train", "val", "test", "out-of-fold"]
    found = card.metrics["test"]
    assert table.row("test")[1:] == [
        str(found["n"]), f"{found['covered']:.1%}", f"{found['set_size']:.2f}",
    ]  # fmt: skip


def test_what_cannot_be_measured_or_written_is_refused(fitted, tmp_path):
    stored = load_head(fitted, "shapes", "logistic")
    with pytest.raises(UsageError, match="--split is one of test, out-of-fold, val, train; got"):
        write_page(fitted, stored, split="tests")
    with pytest.raises(UsageError, match=r"a name that ends in \.html, not .*page"):
        write_page(fitted, stored, tmp_path / "page")
    assert not list(tmp_path.glob("page*"))


def test_a_page_can_be_put_at_a_url(fitted, bucket):
    url = f"{bucket[0]}/pages/shapes.html"
    written = write_page(fitted, load_head(fitted, "shapes", "logistic"), url)
    data = files_at(f"{bucket[0]}/pages").read("shapes.html")
    assert (len(data), data[:15]) == (written.bytes, b"<!doctype html>")


def test_training_curves_are_drawn_where_the_head_has_them(evidence, read_page):
    assert 'id="training"' not in page_of(evidence)
    curves = Curves((0.9, 0.4, 0.2), (0.8, 0.5, 0.6), (0.5, 0.9, 1.0), ())
    page = read_page(page_of(replace(evidence, curves=curves)))
    assert "training" in page.attributes("id")
    assert "held out: 0.500 in the epoch kept" in page.text
    assert {"Loss by epoch", "Accuracy by epoch"} <= set(page.attributes("aria-label"))


@pytest.mark.parametrize("store", ["coloured", "several"])
def test_the_reliability_is_what_the_error_is_of(store, request):
    task, head = {"coloured": ("colours", "knn"), "several": ("tones", "logistic")}[store]
    held = request.getfixturevalue(store)
    evidence = gather(held, load_head(held, task, head), "train")
    assert reliability(evidence).error == pytest.approx(evidence.metrics.ece, abs=1e-6)


def test_what_is_learnt_by_heart_is_said_but_of_neighbours(coloured):
    evidence = gather(coloured, load_head(coloured, "colours", "knn"))
    metrics = {"train": {"top1": evidence.metrics.top1 + 0.2}}
    for kind, said in (("knn", False), ("forest", True)):
        card = replace(evidence.card, kind=kind, metrics=metrics)
        cautions = cautions_of(replace(evidence, card=card))
        assert any("learnt by heart" in caution for caution in cautions) == said


def test_the_interval_is_that_of_wilson(coloured):
    evidence = gather(coloured, load_head(coloured, "colours", "knn"), "train")
    right, n = int(evidence.right.sum()), len(evidence.rows)
    said = binomtest(right, n).proportion_ci(method="wilson")
    assert accuracy_interval(evidence) == pytest.approx((said.low, said.high))


def test_a_class_that_is_never_answered_is_named(invented: Callable, read_page):
    labels = np.arange(90) % 3
    proba = np.eye(3)[np.where(labels == 2, 0, labels)] * 0.9 + 0.05
    page = read_page(page_of(invented(["ant", "bee", "cat"], labels, proba)))
    assert "Never answered, though there are images of it: cat." in page.text
    assert page.table("By class").row("cat")[1:6] == ["0.000", "0.000", "0.000", "30", "0"]
    assert page.table("Most confused pairs").row("cat")[1:3] == ["ant", "30"]


def test_all_right_and_one_class_only(invented: Callable, read_page):
    page = read_page(page_of(invented(["ant", "bee"], [1] * 5, [[0.1, 0.9]] * 5)))
    assert "Nothing was confused." in page.text
    assert "There is none: all answers are right." in page.text
    assert "there is no curve" in page.text
    assert "Not measured, as no test image has it: ant." in page.text


def test_two_classes_are_confused_in_the_matrix_and_shown_once(invented, read_page):
    page = read_page(page_of(invented(["ant", "bee"], [0, 1] * 20, [[0.9, 0.1]] * 40)))
    assert page.table("40 test images").rows[1:] == [["ant", "20", "·"], ["bee", "20", "·"]]
    assert "Most confused pairs" not in page.text
    assert "bee taken for ant" not in page.text
    assert len(page.attributes("data-image")) == 2 * 8 + 20  # samples of both, and mistakes
    assert "20 wrong answers" in page.text


def test_names_below_pictures_have_no_numbers_and_break_between_words(invented, read_page):
    names = ["n01-SeaLake", "n02-toy_poodle", "n03-chow"]
    html = page_of(invented(names, [0, 1, 2] * 10, [[0.1, 0.8, 0.1]] * 30))
    assert "→\N{NO-BREAK SPACE}toy_<wbr>poodle 0.80" in html
    assert ">Sea<wbr>Lake<" in html
    page = read_page(html)
    assert page.table("By class").row("n01-SeaLake")
    assert page.table("30 test images").rows[0] == ["", "SeaLake", "toy_poodle", "chow"]


def test_many_classes_stay_small(invented: Callable, read_page):
    random = np.random.default_rng(0)
    labels = random.integers(0, 1000, 3000)
    proba = random.random((3000, 1000), dtype=np.float32)
    proba[np.arange(3000), labels] += 0.3
    names = [f"{number:03d} {'long name ' * 20}" for number in range(1000)]
    html = page_of(invented(names, labels, proba / proba.sum(axis=1, keepdims=True)))
    assert len(html.encode()) < LIMIT
    page = read_page(html)
    assert len(page.table("By class").rows) == 1 + 40 + 3
    assert len(page.table("All classes").rows) == 1 + 1000
    assert len(page.table("Most confused pairs").rows) == 1 + 12
    assert "20 weakest and the 20 strongest by F1" in page.text
    heat = next(values for tag, values in page.tags if values.get("class") == "heat")
    with Image.open(io.BytesIO(base64.b64decode(heat["src"].partition(",")[2]))) as image:
        assert image.width == image.height > 990  # of 3,000 images one class may have none
        opaque = np.asarray(image)[:, :, 3]
    assert (opaque > 0).sum() <= 3000
