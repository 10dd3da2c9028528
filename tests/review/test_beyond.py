"""Sets and unfamiliar images, as predict and flag say them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source
from icehouse.errors import UsageError
from icehouse.heads import FitOptions, Fractions, StoredHead, fit_head, load_head, save_head
from icehouse.review import FlagSettings, flag, predict_dataset, predict_files
from icehouse.review._reasons import set_reasons
from icehouse.store import Store


@pytest.fixture(scope="module")
def settled(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Discs and stripes, labelled, and noise, which is like neither and has no label."""
    folder = tmp_path_factory.mktemp("settled")
    (folder / "images" / "noise").mkdir(parents=True)
    for kind in ("disc", "stripes"):
        (folder / "images" / kind).symlink_to(pictures / kind)
    store = Store.create(folder / "store")
    embed(store, list_source(pictures), "descriptor", dataset="shapes")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), np.uint8)
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(folder / "images" / "noise" / f"{number}.png")
    embed(store, list_source(folder / "images" / "noise"), "descriptor", dataset="noise")
    fit_head(store, "logistic", options=FitOptions(task="shapes", folds=5))
    fit_head(store, "logistic", options=FitOptions(task="shapes", name="sets", coverage=0.9))
    return store


@pytest.fixture
def head(settled: Store) -> StoredHead:
    return load_head(settled, "shapes", "logistic")


@pytest.fixture
def noise(settled: Store) -> list[Path]:
    return sorted((settled.path.parent / "images" / "noise").iterdir())


# Sets


def test_sets_of_two_classes_and_of_none_are_reasons():
    proba = np.array([[0.6, 0.4, 0.0], [0.9, 0.1, 0.0], [0.4, 0.3, 0.3], [0.4, 0.3, 0.3]])
    inside = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]], bool)
    several, none = set_reasons(proba, inside)
    assert (several.name, none.name) == ("several-classes", "no-class")
    assert several.counts.tolist() == [True, False, False, True]
    assert several.strength.tolist() == [0.5, 0, 0, 1]
    assert none.counts.tolist() == [False, False, True, False]
    assert none.strength.tolist() == [0, 0, pytest.approx(0.6), 0]


def test_without_a_coverage_there_are_no_sets(settled, head):
    answers = predict_dataset(settled, head, "shapes")
    assert {answer.possible for answer in answers} == {None}
    assert not {"several-classes", "no-class"} & {r for a in answers for r in a.reasons}


@pytest.mark.parametrize("coverage", [0.5, 0.999])
def test_sets_hold_the_most_probable_classes_and_are_reasons(settled, head, coverage):
    answers = predict_dataset(settled, head, "shapes", FlagSettings(coverage=coverage))
    for answer in answers:
        assert answer.possible == tuple(answer.probabilities)[: len(answer.possible)]
        assert ("several-classes" in answer.reasons) == (len(answer.possible) > 1)
        assert ("no-class" in answer.reasons) == (len(answer.possible) == 0)
    sizes = {len(answer.possible) for answer in answers}
    assert sizes == ({2} if coverage == 0.999 else {0, 1})


def test_the_coverage_of_the_fit_is_taken_where_none_is_asked_for(settled):
    stored = load_head(settled, "shapes", "sets")
    as_fitted, asked = (
        predict_dataset(settled, stored, "shapes", FlagSettings(coverage=c)) for c in (None, 0.9)
    )
    assert as_fitted == asked
    assert all(answer.possible is not None for answer in as_fitted)


def test_sets_are_reasons_to_flag(settled, head):
    plain = flag(settled, head)
    assert "several-classes" not in plain.counts
    report = flag(settled, head, FlagSettings(coverage=0.999))
    assert report.counts["several-classes"] == report.images == 40
    assert report.counts["no-class"] == 0


def test_a_coverage_asked_of_a_head_without_scores_is_refused(settled, head):
    bare = StoredHead(head.card, head.head)
    for ask in (
        lambda s: flag(settled, bare, s),
        lambda s: predict_dataset(settled, bare, "shapes", s),
    ):
        with pytest.raises(UsageError, match="'logistic' has no scores of images held out"):
            ask(FlagSettings(coverage=0.9))


def test_a_set_of_several_labels_is_shown_and_no_reason(pictures, tmp_path):
    lines = ["path,labels"]
    for kind in ("disc", "stripes"):
        lines += [f"{pictures}/{kind}/{number:02d}.png,drawn;{kind}" for number in range(20)]
    (tmp_path / "shapes.csv").write_text("\n".join(lines))
    store = Store.create(tmp_path / "store")
    embed(store, list_source(tmp_path / "shapes.csv"), "descriptor")
    fit_head(store, "logistic", options=FitOptions(coverage=0.8))
    answers = predict_dataset(store, load_head(store, "shapes", "logistic"), "shapes")
    assert all("drawn" in answer.possible for answer in answers)
    assert not {"several-classes", "no-class"} & {r for a in answers for r in a.reasons}


# Unfamiliar images


def test_what_is_like_no_training_image_is_unfamiliar(settled, head, noise, pictures):
    known = [pictures / "disc/01.png", pictures / "stripes/02.png"]
    answers = predict_files(settled, head, [*noise, *known])
    assert ["unfamiliar" in answer.reasons for answer in answers] == [True] * 3 + [False] * 2
    assert all(answer.reasons["unfamiliar"] == 1.0 for answer in answers[:3])
    assert all(answer.predicted for answer in answers)


def test_no_answer_is_given_for_them_where_that_is_asked(settled, head, noise, pictures):
    answers = predict_files(settled, head, [*noise, pictures / "disc/01.png"], refuse=True)
    assert [answer.predicted for answer in answers] == [(), (), (), ("disc",)]
    assert all(answer.probabilities for answer in answers)
    answers = predict_dataset(settled, head, "noise", refuse=True)
    assert [answer.predicted for answer in answers] == [(), (), ()]


def test_no_set_is_given_for_them_either(settled, head, noise, pictures):
    files, sets = [noise[0], pictures / "disc/01.png"], FlagSettings(coverage=0.999)
    answers = predict_files(settled, head, files, sets)
    assert [answer.possible for answer in answers][1] == ("disc", "stripes")
    assert answers[0].possible is not None
    withheld = predict_files(settled, head, files, sets, refuse=True)
    assert [answer.possible for answer in withheld] == [None, ("disc", "stripes")]


def test_a_training_image_is_familiar_however_far_it_lies(settled, head):
    report = flag(settled, head, FlagSettings(band=1.0))
    data = {f.image_id: f for f in report.flags}
    trained = head.card.training["images"]["train"]
    assert report.counts["unfamiliar"] <= len(data) - trained


def test_unlabelled_images_are_flagged_as_unfamiliar(pictures, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for kind in ("disc", "stripes"):
        (images / kind).mkdir()
        for number in range(20):
            target = images / kind / f"{number}.png"
            target.write_bytes((pictures / kind / f"{number:02d}.png").read_bytes())
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(images / "loose.png")
    store = Store.create(tmp_path / "store")
    embed(store, list_source(images), "descriptor")
    fit_head(store, "logistic", options=FitOptions(fractions=Fractions(1, 0, 0)))
    report = flag(store, load_head(store, "images", "logistic"))
    assert report.counts["unfamiliar"] == 1
    (loose,) = [f for f in report.flags if "unfamiliar" in f.reasons]
    assert loose.key == "loose.png"


def test_a_head_that_does_not_know_distances_answers_but_refuses_to_refuse(settled, head, noise):
    earlier = StoredHead(head.card, head.head, head.conformal)
    assert "unfamiliar" not in predict_files(settled, earlier, noise)[0].reasons
    with pytest.raises(UsageError, match=r"was trained on, or they are gone\. Fit it again: "):
        predict_files(settled, earlier, noise, refuse=True)


def test_where_the_training_images_are_gone_nothing_is_unfamiliar(settled, head, noise):
    card = replace(head.card, task="unheard-of")
    orphan = StoredHead(card, head.head, head.conformal, head.familiarity)
    assert "unfamiliar" not in predict_files(settled, orphan, noise)[0].reasons
    with pytest.raises(UsageError, match="or they are gone"):
        predict_files(settled, orphan, noise, refuse=True)


# Thresholds


def test_the_threshold_chosen_is_the_middle_of_the_band(settled, head):
    card = replace(head.card, name="strict", thresholds=(0.9,))
    save_head(settled, StoredHead(card, head.head, head.conformal, head.familiarity))
    strict = load_head(settled, "shapes", "strict")
    for answer in predict_dataset(settled, strict, "shapes"):
        p = answer.probabilities["stripes"]
        assert answer.predicted == (("stripes",) if p >= 0.9 else ("disc",))
        assert ("near-threshold" in answer.reasons) == (abs(p - 0.9) <= 0.1)
