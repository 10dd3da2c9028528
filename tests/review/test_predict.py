import pytest
from PIL import Image

from icehouse.heads import load_head
from icehouse.review import predict_dataset, predict_files


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
