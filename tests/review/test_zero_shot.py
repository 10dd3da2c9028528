"""Answers by captions: what they are, what measures them, and which head they differ from."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icehouse.embedder import _torchvision_ops  # noqa: F401  (before open_clip imports it)

# isort: split
import open_clip
import torch

from icehouse.embedder import choose_text_encoder, embed, list_source
from icehouse.errors import HeadCorrupt, LookupFailed, UsageError
from icehouse.heads import folds_of, list_heads, load_head, measure, training_set
from icehouse.review import (
    CaptionClassifier,
    ZeroShotOptions,
    ZeroShotReport,
    parse_captions,
    write_zero_shot,
    zero_shot,
)
from icehouse.store import Store

CAPTIONS = {
    "disc": ("a round thing", "a disc", "the moon"),
    "stripes": ("a zebra",),
    "neither": ("an empty wall", "nothing at all"),
}


@pytest.fixture(scope="module")
def clip(captioned: Store) -> str:
    return choose_text_encoder(captioned)


@pytest.fixture(scope="module")
def report(captioned: Store, clip: str) -> ZeroShotReport:
    """Every image by CAPTIONS, labels compared, beside the head logistic."""
    return zero_shot(captioned, clip, CAPTIONS, ZeroShotOptions(against="logistic"))


def texts_by_open_clip(folder: Path, texts: tuple[str, ...]) -> np.ndarray:
    model: Any = open_clip.create_model(f"local-dir:{folder}")
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(list(texts))
    with torch.inference_mode():
        return model.eval().encode_text(tokens, normalize=True).numpy()


def test_probabilities_are_a_softmax_of_scaled_cosines_to_averaged_captions(
    captioned: Store, clip: str, clip_folder: Path, report: ZeroShotReport
) -> None:
    model: Any = open_clip.create_model(f"local-dir:{clip_folder}")
    features = captioned.features(clip).load()
    rows = {image.tobytes(): row for row, image in enumerate(features.ids)}
    assert report.classes == ("disc", "neither", "stripes")
    for place, got in zip(report.places, report.proba, strict=True):
        image = features.vectors[rows[place.image_id]].astype(np.float64)
        image /= np.linalg.norm(image)
        logits = []
        for name in report.classes:
            mean = texts_of(name, clip_folder).mean(axis=0)
            logits.append(model.logit_scale.exp().item() * image @ mean / np.linalg.norm(mean))
        wanted = np.exp(logits) / np.sum(np.exp(logits))
        np.testing.assert_allclose(got, wanted, atol=1e-5)


_texts: dict[str, np.ndarray] = {}


def texts_of(name: str, folder: Path) -> np.ndarray:
    if name not in _texts:
        _texts[name] = texts_by_open_clip(folder, CAPTIONS[name])
    return _texts[name]


class Words:
    """An encoder of two dimensions, whose texts are their angles in degrees."""

    logit_scale = 10.0

    def encode_text(self, texts: list[str]) -> np.ndarray:
        angles = np.radians([float(text) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_captions_of_a_class_are_averaged_as_directions() -> None:
    prompts = {"wide": ("-60", "60"), "across": ("90",)}
    classifier = CaptionClassifier(Words(), prompts)  # type: ignore[arg-type]
    assert classifier.classes == ("across", "wide")
    np.testing.assert_allclose(classifier.vectors, [[0, 1], [1, 0]], atol=1e-6)
    halfway = np.array([[3.0, 3.0], [0.0, 0.5], [0.0, 0.0]], np.float16)
    proba = classifier.predict_proba(halfway)
    e = np.exp(-10)
    wanted = [[0.5, 0.5], [1 / (1 + e), e / (1 + e)], [0.5, 0.5]]
    np.testing.assert_allclose(proba, wanted, atol=1e-6)


def test_answers_say_what_the_arrays_say(captioned: Store, report: ZeroShotReport) -> None:
    answers = list(report.answers())
    assert [(a.dataset, a.key) for a in answers] == sorted((a.dataset, a.key) for a in answers)
    assert [a.dataset for a in answers].count("loose") == 3
    assert len(answers) == 43
    present = captioned.labels.present("shapes")
    for row, answer in enumerate(answers):
        assert answer.labels == present.get(bytes.fromhex(answer.image_id))
        assert answer.predicted == (report.predicted[row],)
        assert answer.probability == max(answer.probabilities.values())
        assert list(answer.probabilities.values()) == sorted(
            answer.probabilities.values(), reverse=True
        )
        assert answer.path is not None
        assert Path(answer.path).is_file()
        assert answer.differs is (answer.head_predicted != answer.predicted)


def test_labels_of_the_only_task_measure(report: ZeroShotReport) -> None:
    assert report.task == "shapes"
    labelled = [row for row, label in enumerate(report.labels) if label]
    assert len(labelled) == 40
    names = np.array(report.classes)
    truth = np.array([report.labels[row] for row in labelled])
    proba = report.proba[labelled]
    assert report.metrics == measure(truth, proba, names[proba.argmax(axis=1)], names)
    confusion = report.confusion()
    assert sum(confusion.values()) == 40
    right = sum(count for (label, answer), count in confusion.items() if label == answer)
    assert report.metrics.top1 == pytest.approx(right / 40)


def test_the_head_judges_labelled_images_out_of_fold(
    captioned: Store, report: ZeroShotReport
) -> None:
    stored = load_head(captioned, "shapes", "logistic")
    folds = folds_of(captioned, stored)
    known = {image.tobytes(): p for image, p in zip(folds.ids, folds.proba, strict=True)}
    assert len(training_set(captioned, stored.card)) == len(known) == 40
    assert report.head is not None
    for place, answer, sure in zip(
        report.places, report.head.answers, report.head.certainty, strict=True
    ):
        if place.image_id in known:
            p = known[place.image_id]
            assert answer == stored.answers(p[None])[0][0]
            assert sure == pytest.approx(p[stored.card.classes.index(answer)])
        else:
            assert place.dataset == "loose"
            assert answer in stored.card.classes


def test_differences_come_with_the_most_certain_first(report: ZeroShotReport) -> None:
    rows = report.differing()
    answers = list(report.answers(rows))
    assert len(rows) > 3
    assert all(answer.differs for answer in answers)
    assert len(rows) == sum(bool(answer.differs) for answer in report.answers())
    sure = [min(a.probability, a.head_probability or 0) for a in answers]
    assert sure == sorted(sure, reverse=True)
    assert report.agreement == pytest.approx(1 - len(rows) / 43)
    pairs = report.head_confusion()
    assert sum(count for (head, answer), count in pairs.items() if head != answer) == len(rows)


def test_without_captions_the_classes_of_the_task_are_asked_for(
    captioned: Store, clip: str
) -> None:
    found = zero_shot(captioned, clip)
    assert found.prompts == {
        "disc": ("a photo of a disc.",),
        "stripes": ("a photo of a stripes.",),
    }
    assert {place.dataset for place in found.places} == {"shapes"}
    templates = ["a {}", "many {}"]
    found = zero_shot(captioned, clip, options=ZeroShotOptions(templates=templates))
    assert found.prompts["disc"] == ("a disc", "many disc")


def test_templates_go_around_captions_only_if_asked(captioned: Store, clip: str) -> None:
    said = parse_captions(["disc=moon", "stripes=zebra"])
    assert zero_shot(captioned, clip, said).prompts == said
    found = zero_shot(captioned, clip, said, ZeroShotOptions(templates=["a {}"]))
    assert found.prompts == {"disc": ("a moon",), "stripes": ("a zebra",)}


@pytest.mark.parametrize(
    ("options", "datasets"),
    [
        (ZeroShotOptions(), {"shapes", "loose"}),
        (ZeroShotOptions(task="shapes"), {"shapes"}),
        (ZeroShotOptions(task="shapes", dataset="loose"), {"loose"}),
    ],
    ids=["all", "of the task", "named"],
)
def test_which_images_are_answered(
    captioned: Store, clip: str, options: ZeroShotOptions, datasets: set[str]
) -> None:
    found = zero_shot(captioned, clip, CAPTIONS, options)
    assert {place.dataset for place in found.places} == datasets
    assert (found.metrics is None) == (datasets == {"loose"})


def test_the_head_that_is_right_most_often_is_the_usual_one(captioned: Store, clip: str) -> None:
    honest = {c.name: c.metrics["out-of-fold"]["top1"] for c in list_heads(captioned, "shapes")}
    assert honest["weak"] < max(honest.values())
    found = zero_shot(captioned, clip)
    assert found.head is not None
    assert honest[found.head.name] == max(honest.values())


def test_a_head_of_another_encoder_speaks_of_the_images_that_it_knows(
    captioned: Store, clip: str
) -> None:
    found = zero_shot(captioned, clip, CAPTIONS, ZeroShotOptions(against="knn"))
    assert found.head is not None
    silent = [p.dataset for p, a in zip(found.places, found.head.answers, strict=True) if not a]
    assert silent == ["loose"] * 3
    assert found.agreement == pytest.approx(1 - len(found.differing()) / 40)
    answer = next(iter(found.answers()))
    assert (answer.dataset, answer.head_predicted, answer.differs) == ("loose", None, None)
    with pytest.raises(LookupFailed, match=r"no features of descriptor.* which head 'knn' is of"):
        zero_shot(captioned, clip, CAPTIONS, ZeroShotOptions(dataset="loose", against="knn"))


def test_captions_on_their_own_are_compared_with_nothing(captioned: Store, clip: str) -> None:
    found = zero_shot(captioned, clip, parse_captions(["a moon", "a zebra"]))
    assert (found.task, found.metrics, found.head, found.agreement) == (None, None, None, None)
    assert set(found.labels) == {None}
    assert found.differing() == []
    assert found.notes == (
        "no caption stands for these labels of task 'shapes': disc, stripes; "
        "so labels and heads are not compared",
    )


@pytest.mark.parametrize(
    ("prompts", "options", "kind", "message"),
    [
        ({"disc": ("x",), "b": ("y",)}, {"task": "shapes"}, UsageError,
         "no caption stands for these labels of task 'shapes': stripes. The classes"),
        ({"disc": ("x",)}, {}, UsageError, "two classes or more, got 1"),
        ({}, {}, UsageError, "two classes or more, got 0"),
        ({"a": ("x",), "b": ("y",)}, {"against": "logistic"}, UsageError,
         "'logistic' belongs to a task; say which"),
        (CAPTIONS, {"against": "none"}, LookupFailed, "has no head 'none'"),
        (CAPTIONS, {"task": "none"}, LookupFailed, "has no task 'none'"),
        (CAPTIONS, {"dataset": "none"}, LookupFailed, "has no dataset 'none'"),
    ],
    ids=["labels", "one class", "no class", "head", "no head", "no task", "no dataset"],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(
    captioned: Store, clip: str, prompts: Any, options: Any, kind: Any, message: str
) -> None:
    with pytest.raises(kind, match=message):
        zero_shot(captioned, clip, prompts, ZeroShotOptions(**options))


def test_an_encoder_without_text_is_refused(captioned: Store) -> None:
    other = next(i for i in captioned.encoder_ids() if i.startswith("descriptor"))
    with pytest.raises(UsageError, match=f"{other} .* not words.* these do: clip:local-dir:"):
        zero_shot(captioned, other)


@pytest.fixture
def copied(captioned: Store, tmp_path: Path) -> Store:
    """A store of its own, to be changed."""
    shutil.copytree(captioned.path, tmp_path / "store")
    return Store.open(tmp_path / "store")


def test_without_captions_and_labels_there_is_nothing_to_ask(copied: Store, clip: str) -> None:
    (Path(copied.path) / "labels.sqlite").unlink()
    unlabelled = Store.open(copied.path)
    with pytest.raises(UsageError, match=r"nothing to compare images with.* Give --captions"):
        zero_shot(unlabelled, clip)
    assert zero_shot(unlabelled, clip, CAPTIONS).task is None


def test_a_store_at_a_url_is_asked_for_its_labels_only_without_captions(
    captioned: Store, clip: str
) -> None:
    elsewhere = Store(str(captioned.path), captioned.files)
    elsewhere.labels_url = None  # as where no --labels was given
    with pytest.raises(UsageError, match=r"need a database.* Give its URL with --labels"):
        zero_shot(elsewhere, clip)
    assert len(zero_shot(elsewhere, clip, CAPTIONS)) == 43


def test_a_multi_label_task_is_refused_where_it_is_meant(copied: Store, clip: str) -> None:
    copied.labels.ensure_task("many", "multi", ["disc", "stripes"])
    with pytest.raises(UsageError, match="'many' gives an image any number of labels"):
        zero_shot(copied, clip, CAPTIONS, ZeroShotOptions(task="many"))
    with pytest.raises(LookupFailed, match="several tasks; choose one with --task: many, shapes"):
        zero_shot(copied, clip)
    assert zero_shot(copied, clip, CAPTIONS).task is None


def test_a_head_that_cannot_be_asked_is_a_note_unless_it_is_named(copied: Store, clip: str) -> None:
    for name in ("knn", "weak"):
        shutil.rmtree(Path(copied.path) / "heads/shapes" / name)
    weights = next((Path(copied.path) / "heads/shapes/logistic").glob("*.safetensors"))
    weights.write_bytes(b"damaged")
    found = zero_shot(copied, clip)
    assert found.head is None
    assert found.metrics is not None
    assert "not compared with a head: " in found.notes[0]
    with pytest.raises(HeadCorrupt, match=r"is not what head\.json says"):
        zero_shot(copied, clip, options=ZeroShotOptions(against="logistic"))


def test_images_that_this_encoder_has_not_seen_are_counted(copied: Store, pictures: Path) -> None:
    clip = choose_text_encoder(copied)
    embed(copied, list_source(pictures / "disc"), "descriptor", dataset="more")
    new = Path(copied.path).parent / "new"
    new.mkdir()
    (new / "one.png").write_bytes((pictures / "disc/00.png").read_bytes() + b" ")
    embed(copied, list_source(new), "descriptor", dataset="new")
    assert zero_shot(copied, clip, CAPTIONS).notes[0] == (
        "1 images have no features of this encoder"
    )
    with pytest.raises(LookupFailed, match="no image of new has features of encoder clip"):
        zero_shot(copied, clip, CAPTIONS, ZeroShotOptions(dataset="new"))


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as text:
        return list(csv.DictReader(text))


def test_files_hold_every_image_and_the_differences(
    captioned: Store, clip: str, report: ZeroShotReport, tmp_path: Path
) -> None:
    written = write_zero_shot(report, tmp_path)
    assert [Path(each).name for each in written] == ["answers.csv", "differences.csv"]
    rows = rows_of(tmp_path / "answers.csv")
    assert len(rows) == len(report)
    for row, answer in zip(rows, report.answers(), strict=True):
        assert row["key"] == answer.key
        assert row["predicted"] == answer.predicted[0]
        assert row["labels"] == ";".join(answer.labels or ())
        assert float(row["p:neither"]) == pytest.approx(answer.probabilities["neither"], abs=1e-4)
    different = rows_of(tmp_path / "differences.csv")
    assert [row["image_id"] for row in different] == [
        answer.image_id for answer in report.answers(report.differing())
    ]
    assert all(row["predicted"] != row["head_predicted"] for row in different)
    alone = zero_shot(captioned, clip, parse_captions(["a moon", "a zebra"]))
    assert len(write_zero_shot(alone, tmp_path)) == 1
    assert not (tmp_path / "differences.csv").exists()
