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
