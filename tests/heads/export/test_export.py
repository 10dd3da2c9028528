"""Heads as ONNX answer as they do here, or are not written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from icehouse.errors import ExportError, UsageError
from icehouse.heads import KINDS, FitOptions, StoredHead, export_head, fit_head, load_head
from icehouse.heads._calibration import Temperature, Uncalibrated, Vector
from icehouse.heads.export import _export
from icehouse.heads.export._trees import _rounded_down
from icehouse.store import FeatureMatrix, Store

FEW = {
    "mlp": {"epochs": 20, "hidden": 16},
    "logistic": {"C": 1.0},
    "forest": {"n_estimators": 25},
    "xgboost": {"n_estimators": 10},
    "knn": {"k": 5},
}
TASKS = ("two classes", "three classes", "several labels")


@pytest.fixture
def filled(fill, shapes, photo) -> Store:
    """A store with a task of each kind."""
    fill(shapes(disc=25, ramp=20), task="two classes", dataset="two")
    fill(shapes(first=30, disc=25, ramp=20, stripes=20), task="three classes", dataset="three")
    kinds = [("cat",), ("sun",), ("cat", "sun"), ()]
    photos = [photo(f"{i}", kinds[i % 4]) for i in range(60)]
    return fill(photos, task="several labels", dataset="several", kind="multi")


def fitted(store: Store, kind: str, task: str = "three classes", **settings) -> StoredHead:
    fit_head(store, kind, FEW[kind] | settings, FitOptions(task=task))
    return load_head(store, task, kind)


def computed(path, features):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["features"]
    [proba] = session.run(None, {"features": features})
    return proba


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_head_as_onnx_gives_our_probabilities(filled, kind, task, tmp_path):
    stored = fitted(filled, kind, task)
    done = export_head(filled, stored, str(tmp_path / "head.onnx"))
    assert done.difference <= 1e-5
    assert (done.checked, done.inputs, done.pictures) == (170, "features", 0)
    assert done.bytes == (tmp_path / "head.onnx").stat().st_size
    # Features that it was not checked with, as a store holds them: float16.
    new = np.random.default_rng(1).normal(size=(300, 8)).astype(np.float16) * 3
    matrix = FeatureMatrix("plain-0", np.empty(300, "V32"), new)
    proba = computed(tmp_path / "head.onnx", new.astype(np.float32))
    assert proba.dtype == np.float32
    np.testing.assert_allclose(proba, stored.predict_proba(matrix), atol=1e-5)


def test_the_directions_that_trees_see_are_part_of_the_graph(filled, tmp_path):
    stored = fitted(filled, "xgboost", components=3)
    assert "axes" in stored.head.to_arrays()
    assert export_head(filled, stored, str(tmp_path / "head.onnx")).difference <= 1e-5
    new = np.random.default_rng(1).normal(size=(300, 8)).astype(np.float16) * 3
    matrix = FeatureMatrix("plain-0", np.empty(300, "V32"), new)
    proba = computed(tmp_path / "head.onnx", new.astype(np.float32))
    np.testing.assert_allclose(proba, stored.predict_proba(matrix), atol=1e-5)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "calibration",
    [Temperature(0.1), Temperature(5.0), Temperature(20.0), Uncalibrated(), "vector"],
    ids=str,
)
def test_probabilities_are_calibrated(filled, kind, task, calibration, tmp_path):
    stored = fitted(filled, kind, task)
    if calibration == "vector":
        classes = len(stored.card.classes)
        calibration = Vector((0.5, 2.0, 1.5)[:classes], (0.5, -1.0, 0.0)[:classes])
    stored = StoredHead(replace(stored.card, calibration=calibration), stored.head)
    assert export_head(filled, stored, str(tmp_path / "head.onnx")).difference <= 1e-4


def test_isotonic_curves_are_refused(filled, tmp_path):
    fit_head(filled, "logistic", None, FitOptions(task="two classes", calibrate="isotonic"))
    stored = load_head(filled, "two classes", "logistic")
    with pytest.raises(ExportError, match="Fit it with --calibrate vector or temperature"):
        export_head(filled, stored, str(tmp_path / "head.onnx"))
    assert not list(tmp_path.glob("*.onnx"))


def test_any_number_of_rows_can_be_asked_for(filled, tmp_path):
    export_head(filled, fitted(filled, "knn"), str(tmp_path / "head.onnx"))
    features = np.random.default_rng(0).normal(size=(70, 8)).astype(np.float32)
    whole = computed(tmp_path / "head.onnx", features)
    one = computed(tmp_path / "head.onnx", features[:1])
    np.testing.assert_allclose(one, whole[:1], atol=1e-6)


def test_features_of_float32_are_rounded_as_a_store_rounds_them(filled, tmp_path):
    stored = fitted(filled, "forest")
    export_head(filled, stored, str(tmp_path / "head.onnx"))
    exact = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    matrix = FeatureMatrix("plain-0", np.empty(500, "V32"), exact.astype(np.float16))
    proba = computed(tmp_path / "head.onnx", exact)
    np.testing.assert_allclose(proba, stored.predict_proba(matrix), atol=1e-6)


def test_neighbours_may_be_fewer_than_k_and_features_may_be_zero(filled, tmp_path):
    stored = fitted(filled, "knn", k=10_000, centre=False)
    export_head(filled, stored, str(tmp_path / "head.onnx"))
    nothing = np.zeros((1, 8), np.float32)
    matrix = FeatureMatrix("plain-0", np.empty(1, "V32"), nothing)
    proba = computed(tmp_path / "head.onnx", nothing)
    np.testing.assert_allclose(proba, stored.predict_proba(matrix), atol=1e-6)


def test_a_label_that_was_never_or_always_seen_is_exported(fill, photo, tmp_path):
    kinds = [("cat", "sky"), ("sky",)]
    photos = [photo(f"{i}", kinds[i % 2]) for i in range(30)]
    photos += [photo("30", ("moon", "sky"), "val")]
    store = fill(photos, task="rare", kind="multi")
    for kind in KINDS:
        fit_head(store, kind, FEW[kind], FitOptions(task="rare"))
        stored = load_head(store, "rare", kind)
        assert stored.card.classes == ("cat", "moon", "sky")
        assert export_head(store, stored, str(tmp_path / "head.onnx")).difference <= 1e-5


@pytest.mark.parametrize("task", TASKS)
def test_the_file_says_what_its_numbers_mean(filled, task, tmp_path):
    given = {} if task == "three classes" else {"threshold": 0.7}
    stored = fitted(filled, "mlp", task, **given)
    export_head(filled, stored, str(tmp_path / "head.onnx"))
    model = onnx.load(tmp_path / "head.onnx")
    said = {each.key: each.value for each in model.metadata_props}
    assert tuple(json.loads(said["classes"])) == stored.card.classes
    assert float(said["threshold"]) == given.get("threshold", 0.5)
    assert (said["head"], said["task"], said["encoder_id"]) == ("mlp", task, "plain-0")
    assert said["answer"] == {
        "two classes": "the second class from the threshold on, else the first",
        "three classes": "the most probable class",
        "several labels": "every class from its threshold on",
    }[task]  # fmt: skip
    assert model.ir_version == 8
    assert {each.domain: each.version for each in model.opset_import} == {"": 17, "ai.onnx.ml": 3}


def test_a_knn_head_says_what_it_holds(filled, tmp_path):
    stored = fitted(filled, "knn")
    [note] = export_head(filled, stored, str(tmp_path / "head.onnx")).notes
    assert note.startswith(f"it holds the vectors of {stored.card.training['images']['train']} ")
    assert export_head(filled, fitted(filled, "mlp"), str(tmp_path / "head.onnx")).notes == ()


# What is refused


def test_a_file_that_would_answer_otherwise_is_not_written(filled, tmp_path, monkeypatch):
    stored = fitted(filled, "logistic")
    head = stored.head

    class Stubborn(type(head)):
        """A head that does not answer as its arrays say."""

        def _predict_proba(self, X):
            return np.roll(super()._predict_proba(X), 1, axis=1)

    head.__class__ = Stubborn
    (tmp_path / "head.onnx").write_bytes(b"the one before")
    with pytest.raises(ExportError, match=r"differ by up to .* \(allowed are 0.0001\), so nothing"):
        export_head(filled, stored, str(tmp_path / "head.onnx"))
    assert (tmp_path / "head.onnx").read_bytes() == b"the one before"


@pytest.mark.parametrize("end", ["", "/", "/new/"])
def test_a_folder_in_place_of_a_file_is_refused_with_a_name_for_the_file(filled, tmp_path, end):
    stored, name = fitted(filled, "knn"), f"{end.rstrip('/')}/knn.onnx"
    with pytest.raises(UsageError, match=rf"is a folder; give .* such as .*{re.escape(name)}$"):
        export_head(filled, stored, f"{tmp_path}{end}")
    assert not (tmp_path / "new").exists()


def test_a_kind_that_nobody_has_written_as_onnx_is_refused(filled, tmp_path):
    stored = fitted(filled, "logistic")
    other = StoredHead(replace(stored.card, kind="oracle"), stored.head)
    with pytest.raises(ExportError, match=r"'oracle' cannot be written as ONNX; these can: logis"):
        export_head(filled, other, str(tmp_path / "head.onnx"))


def test_a_head_that_is_larger_than_onnx_allows_is_refused(filled, tmp_path, monkeypatch):
    stored = fitted(filled, "knn")
    monkeypatch.setattr(_export, "LARGEST", 1000)
    with pytest.raises(ExportError, match=r"one of ONNX holds 2 GiB at most"):
        export_head(filled, stored, str(tmp_path / "head.onnx"))
    assert list(tmp_path.glob("*.onnx")) == []


def test_without_features_nothing_shows_that_it_answers_right(filled, tmp_path):
    stored = fitted(filled, "logistic")
    for shard in (filled.path / "features" / "plain-0").glob("*.parquet"):
        shard.unlink()
    with pytest.raises(ExportError, match=r"no features of plain-0 any more.*Embed some images"):
        export_head(filled, stored, str(tmp_path / "head.onnx"))


def test_what_onnxruntime_cannot_run_is_not_written(filled, tmp_path, monkeypatch):
    def wide(graph, features, head):
        return graph.add("OneHot", features, graph.constant(2.0), graph.constant([0, 1], np.int16))

    monkeypatch.setitem(_export.EXPORTED, "logistic", wide)
    with pytest.raises(ExportError, match=r"onnxruntime cannot run it, so nothing was written"):
        export_head(filled, fitted(filled, "logistic"), str(tmp_path / "head.onnx"))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_packages_it_says_what_to_install(filled, package, tmp_path, monkeypatch):
    stored = fitted(filled, "logistic")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(Exception, match=rf"needs {package}, .* pip install 'icehouse\[onnx\]'"):
        export_head(filled, stored, str(tmp_path / "head.onnx"))


def test_heads_are_used_without_loading_onnx():
    code = (
        "import sys, icehouse.heads, icehouse.report\n"
        "print(sorted({'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# Splits of trees


def test_splits_send_every_number_to_the_side_that_they_did_in_float64():
    random = np.random.default_rng(0)
    numbers = random.normal(size=1000).astype(np.float32)
    between = (numbers[:-1].astype(np.float64) + numbers[1:]) / 2
    for split in (between, numbers.astype(np.float64), np.nextafter(numbers, 9, dtype=np.float64)):
        rounded = _rounded_down(split)
        assert rounded.dtype == np.float32
        wide = numbers.astype(np.float64)[:, None] <= split
        assert ((numbers[:, None] <= rounded) == wide).all()
