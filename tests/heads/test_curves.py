"""Training curves: kept with their head, and only with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icehouse.errors import HeadCorrupt
from icehouse.heads import FitOptions, fit_head, load_curves, load_head
from icehouse.store import fsck

FEW = {"hidden": 8, "epochs": 5}


@pytest.fixture
def filled(fill, shapes):
    return fill(shapes(disc=70, stripes=70))


def of_curves(store, name="mlp"):
    return sorted(store.path.glob(f"heads/shapes/{name}/curves*"))


def test_curves_are_those_of_the_training(filled):
    card = fit_head(filled, "mlp", FEW)
    curves = load_curves(filled, card)
    assert len(curves.train_loss) == len(curves.val_loss) == 5
    assert len(curves.train_accuracy) == len(curves.val_accuracy) == 5
    assert curves.train_loss[-1] < curves.train_loss[0]
    assert curves == load_curves(filled, load_head(filled, "shapes", "mlp").card)


def test_without_validation_there_are_none_of_it(filled):
    curves = load_curves(filled, fit_head(filled, "mlp", {**FEW, "early_stopping": False}))
    assert curves.val_loss == curves.val_accuracy == ()


@pytest.mark.parametrize("kind", ["logistic", "knn"])
def test_a_head_that_is_not_trained_by_epochs_has_none(filled, kind):
    assert load_curves(filled, fit_head(filled, kind)) is None
    assert not of_curves(filled, kind)


def test_curves_go_with_the_head_that_they_were_of(filled):
    before = fit_head(filled, "mlp", FEW)
    (filled.path / "heads/shapes/mlp/curves.png").write_bytes(b"drawn of the first")
    [first] = of_curves(filled)[:1]
    after = fit_head(filled, "mlp", {**FEW, "epochs": 3})
    assert len(load_curves(filled, after).train_loss) == 3
    assert load_curves(filled, before) is None
    assert len(of_curves(filled)) == 1
    assert not first.exists()
    fit_head(filled, "logistic", None, FitOptions(name="mlp"))
    assert not of_curves(filled)


def test_a_writer_that_died_between_head_and_curves_leaves_a_head_without(filled):
    card = fit_head(filled, "mlp", FEW)
    assert load_curves(filled, replace(card, weights_sha256="0" * 64)) is None


def test_damaged_curves_are_named_and_found_and_put_aside(filled):
    card = fit_head(filled, "mlp", FEW)
    [path] = of_curves(filled)
    path.write_bytes(path.read_bytes().replace(b"0.", b"1."))
    with pytest.raises(HeadCorrupt, match=r"curves-\w+\.json is damaged: its checksum"):
        load_curves(filled, card)
    found = {finding.kind: finding for finding in fsck(filled.path).findings}
    assert found["head-curves"].severity == "damage"
    fsck(filled.path, repair=True)
    assert load_curves(filled, card) is None
    assert "head-curves" not in {finding.kind for finding in fsck(filled.path).findings}


def test_pictures_of_curves_belong_into_a_store(filled):
    fit_head(filled, "mlp", FEW)
    (filled.path / "heads/shapes/mlp/curves.png").write_bytes(b"")
    assert "foreign-file" not in {finding.kind for finding in fsck(filled.path).findings}
