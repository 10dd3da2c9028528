"""The old fields-and-roads project, on its own photographs with real weights."""

from pathlib import Path

import pytest

from icehouse.embedder import embed, list_source
from icehouse.heads import FitOptions, Fractions, fit_head, load_head
from icehouse.review import flag, label_issues, predict_files
from icehouse.store import Store

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, real: Path) -> Store:
    """fields_roads, embedded with MobileNetV2."""
    made = Store.create(tmp_path_factory.mktemp("real") / "store")
    weights = real / "mobilenetv2_100.tf2_in1k"
    report = embed(made, list_source(real / "fields_roads"), f"timm:local-dir:{weights}")
    assert (report.encoded, report.errors) == (153, {})
    return made


def test_the_old_network_is_reached_with_its_settings(store: Store) -> None:
    old = {
        "hidden": 256,
        "lr": 3e-3,
        "batch_size": 3,
        "epochs": 7,
        "decay": "constant",
        "weight_decay": 0,
        "early_stopping": False,
    }
    options = FitOptions(name="old", fractions=Fractions(1.0, 0.0, 0.0))
    card = fit_head(store, "mlp", old, options)
    assert card.metrics["train"]["top1"] >= 0.987


@pytest.mark.parametrize("head", ["logistic", "mlp", "knn"])
def test_both_wrong_labels_are_among_the_first_five(store: Store, head: str) -> None:
    card = fit_head(store, head, options=FitOptions(folds=5))
    assert card.metrics["out-of-fold"]["top1"] >= 0.95
    first = [each.key for each in flag(store, load_head(store, card.task, head)).flags[:5]]
    assert {"fields/3.jpg", "fields/5.jpg"} <= set(first)


def test_both_wrong_labels_are_the_most_probably_wrong(store: Store) -> None:
    card = fit_head(store, "logistic", options=FitOptions(folds=5))
    issues = label_issues(store, load_head(store, card.task, card.name)).issues
    assert {each.key for each in issues[:2]} == {"fields/3.jpg", "fields/5.jpg"}
    assert all(each.suggested == ("roads",) for each in issues[:2])


def test_photographs_never_seen_are_answered(store: Store, real: Path) -> None:
    fit_head(store, "logistic", options=FitOptions(name="answering"))
    files = sorted((real / "fields_roads_test").rglob("*.jpeg"))
    answers = predict_files(store, load_head(store, "fields_roads", "answering"), files)
    assert [a.predicted[0] for a in answers] == [file.parent.name for file in files]
    assert [Path(a.name).name for a in answers if "near-threshold" in a.reasons] == ["10.jpeg"]
