"""The XGBoost head is XGBoost with its settings, kept as UBJSON."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest
import xgboost

from icehouse.heads import make_head

ROOT = Path(__file__).parents[2]
SETTINGS = {"n_estimators": 6, "max_depth": 3, "learning_rate": 0.2, "subsample": 0.7, "seed": 3}


def pose(classes: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(classes)
    y = random.integers(0, classes, n)
    X = random.normal(size=(classes, 8))[y] + random.normal(size=(n, 8))
    return X.astype(np.float32), y


@pytest.mark.parametrize("classes", [2, 4])
def test_probabilities_are_those_of_xgboosts_own_classifier(classes):
    X, y = pose(classes)
    theirs = xgboost.XGBClassifier(
        n_estimators=6,
        max_depth=3,
        learning_rate=0.2,
        subsample=0.7,
        random_state=3,
        max_bin=64,
        colsample_bytree=0.3,
        tree_method="hist",
    ).fit(X, y)
    ours = make_head("xgboost", SETTINGS).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)


def test_multi_label_probabilities_are_those_of_xgboosts_own_classifier():
    X, number = pose(3)
    y = (number[:, None] == np.arange(3)).astype(np.int64)
    theirs = xgboost.XGBClassifier(
        n_estimators=6, max_depth=3, max_bin=64, colsample_bytree=0.3, learning_rate=0.3
    ).fit(X, y)
    ours = make_head("xgboost", {"n_estimators": 6, "max_depth": 3}).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)


def test_what_is_kept_is_a_model_that_xgboost_reads_without_icehouse():
    X, y = pose(2)
    head = make_head("xgboost", SETTINGS).fit(X, y)
    arrays = head.to_arrays()
    assert arrays["ubjson"].dtype == np.uint8
    assert arrays["ubjson"][:1].tobytes() == b"{"
    booster = xgboost.Booster(model_file=bytearray(arrays["ubjson"].tobytes()))
    assert booster.num_boosted_rounds() == 6
    expected = booster.predict(xgboost.DMatrix(X))
    np.testing.assert_allclose(head.predict_proba(X)[:, 1], expected, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 4])
def test_a_round_trip_gives_the_same_model_byte_by_byte(classes):
    X, y = pose(classes)
    head = make_head("xgboost", SETTINGS).fit(X, y)
    again = make_head("xgboost", SETTINGS)
    again.from_arrays(head.to_arrays())
    assert (again.to_arrays()["ubjson"] == head.to_arrays()["ubjson"]).all()


def spread(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Three classes along three directions of 40 columns, and noise in all."""
    random = np.random.default_rng(7)
    y = random.integers(0, 3, n)
    centres = np.linalg.qr(random.normal(size=(40, 3)))[0].T
    X = 9 * centres[y] + random.normal(size=(n, 40))
    return X.astype(np.float32), y


def test_of_wide_features_trees_see_the_directions_that_tell_most():
    X, y = spread()
    head = make_head("xgboost", SETTINGS | {"components": 2}).fit(X, y)
    axes = head.to_arrays()["axes"]
    # The plane of the three centres, whose directions are known to have the largest variance.
    centres = np.stack([X[y == each].mean(axis=0) for each in range(3)])
    plane = np.linalg.svd(centres - centres.mean(axis=0))[2][:2]
    assert np.linalg.svd(plane @ axes)[1].min() > 0.99
    booster = xgboost.Booster(model_file=bytearray(head.to_arrays()["ubjson"].tobytes()))
    seen = (X.astype(np.float64) @ axes).astype(np.float32)
    expected = booster.predict(xgboost.DMatrix(seen))
    np.testing.assert_allclose(head.predict_proba(X), expected, atol=1e-6)
    assert head.score(X, y) > 0.95


@pytest.mark.parametrize("components", [None, 40, 64])
def test_features_that_are_narrow_enough_are_left_as_they_are(components):
    X, y = spread()
    head = make_head("xgboost", SETTINGS | {"components": components}).fit(X, y)
    assert set(head.to_arrays()) == {"ubjson"}


def test_directions_weigh_rows_as_they_are_weighed():
    X, y = spread()
    twice = np.where(np.arange(len(X)) % 3 == 0, 2.0, np.where(np.arange(len(X)) % 3 == 1, 1, 0))
    rows = np.repeat(np.arange(len(X)), twice.astype(int))
    settings = SETTINGS | {"components": 3}
    weighed = make_head("xgboost", settings).fit(X, y, sample_weight=twice).to_arrays()["axes"]
    repeated = make_head("xgboost", settings).fit(X[rows], y[rows]).to_arrays()["axes"]
    np.testing.assert_allclose(np.abs(np.sum(weighed * repeated, axis=0)), 1, atol=1e-4)


def test_directions_without_variance_are_left_out():
    X, y = spread(12)
    X[:, 3:] = 5  # one value
    head = make_head("xgboost", SETTINGS | {"components": 20}).fit(X, y)
    assert head.to_arrays()["axes"].shape == (40, 3)


def test_an_image_gets_the_same_answer_alone_and_among_others():
    X, y = spread()
    head = make_head("xgboost", SETTINGS | {"components": 20}).fit(X, y)
    again = make_head("xgboost")
    again.from_arrays(head.to_arrays())
    alone = np.concatenate([again.booster_.inplace_predict(again._seen(row[None])) for row in X])
    np.testing.assert_array_equal(alone, head.predict_proba(X))


@pytest.mark.parametrize(
    "use",
    [
        "make_head('xgboost').fit([[0.0], [1.0]], ['disc', 'ramp'])",
        "make_head('xgboost').from_arrays({'ubjson': np.zeros(2, np.uint8)})",
    ],
)
def test_without_the_package_the_install_line_is_named(use):
    program = f"""
        import sys
        sys.modules["xgboost"] = None
        import numpy as np
        from icehouse.errors import MissingExtra
        from icehouse.heads import make_head
        try:
            {use}
        except MissingExtra as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout == (
        "this needs xgboost, which is not installed. Install it with: pip install 'icehouse[cpu]'\n"
    )


@pytest.mark.parametrize("extra", ["cpu", "gpu"])
def test_the_extras_bring_xgboost(extra):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought = project["optional-dependencies"][extra]
    assert any(requirement.startswith("xgboost") for requirement in brought)


def test_the_package_can_be_missing_while_other_heads_work():
    program = """
        import sys
        sys.modules["xgboost"] = None
        from icehouse.heads import make_head
        print(make_head("knn").fit([[0.0], [1.0]], ["disc", "ramp"]).predict([[1.0]])[0])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout == "ramp\n"
