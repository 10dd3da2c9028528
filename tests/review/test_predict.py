import shutil

import pytest
from PIL import Image

from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.review import flag, label_issues, predict_dataset, predict_files
from icehouse.store import Store


def test_new_files_are_answered_in_their_order(mislabelled, pictures, tmp_path):
    new = tmp_path / "turned.png"
    Image.open(pictures / "stripes/05.png").rotate(180).save(new)
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    stored = load_head(mislabelled, "shapes", "logistic")
    answers = predict_files(mislabelled, stored, [text, new, pictures / "disc/01.png"])
    assert [a.name for a in answers] == [str(text), str(new), str(pictures / "disc/01.png")]
    assert "not-an-image" in str(answers[0].error)
    assert answers[1].predicted == ("stripes",)
    assert answers[2].predicted == ("disc",)
    for answer in answers[1:]:
        values = list(answer.probabilities.values())
        assert sum(values) == pytest.approx(1, abs=1e-5)
        assert values == sorted(values, reverse=True)


def test_a_dataset_is_answered_from_its_features_in_the_order_of_keys(mislabelled):
    stored = load_head(mislabelled, "shapes", "logistic")
    answers = predict_dataset(mislabelled, stored, "shapes")
    assert [a.name for a in answers] == sorted(a.name for a in answers)
    assert len(answers) == 40
    right = sum(a.predicted[0] == a.name.partition("/")[0] for a in answers)
    assert right >= 38


def test_no_readable_file_is_no_crash(mislabelled, tmp_path):
    empty = tmp_path / "empty.png"
    empty.touch()
    stored = load_head(mislabelled, "shapes", "logistic")
    assert [a.error for a in predict_files(mislabelled, stored, [empty])] == ["empty: 0 bytes"]


def test_an_ensemble_of_two_encoders_answers_for_files_and_for_what_is_stored(
    captioned, pictures, tmp_path
):
    # A copy, because the store is shared.
    shutil.copytree(captioned.path, tmp_path / "copy")
    captioned = Store.open(tmp_path / "copy")
    fit_head(captioned, "ensemble", options=FitOptions(of=("logistic", "knn"), name="both"))
    stored = load_head(captioned, "shapes", "both")
    new = tmp_path / "turned.png"
    Image.open(pictures / "stripes/05.png").rotate(180).save(new)
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    known = pictures / "disc/01.png"
    wrong, turned, found = predict_files(captioned, stored, [text, new, known])
    assert "not-an-image" in str(wrong.error)
    assert turned.predicted == ("stripes",)
    by_name = {a.name: a for a in predict_dataset(captioned, stored, "shapes")}
    assert by_name["disc/01.png"].probabilities == pytest.approx(found.probabilities)
    assert flag(captioned, stored, folds=2).images == 40
    assert label_issues(captioned, stored, folds=2).images == 40
