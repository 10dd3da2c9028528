"""The network: its settings, its curves, and which epoch's weights are kept."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from icehouse.errors import HeadError
from icehouse.heads import Curves, make_head

# The settings of an older project, in which the same network was trained with plain Adam.
OLD_PROJECT = {
    "hidden": "256",
    "lr": "3e-3",
    "batch_size": "3",
    "epochs": "7",
    "schedule": "none",
    "weight_decay": "0",
    "early_stopping": "false",
}


def pose(classes: int = 2, n: int = 300, noise: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(classes)
    y = random.integers(0, classes, n)
    X = random.normal(size=(classes, 6))[y] * 2 + noise * random.normal(size=(n, 6))
    return X.astype(np.float32), y


def labels(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    X, number = pose(3, n)
    return X, np.stack([number == 0, number < 2], axis=1).astype(np.int64)


def binary_cross_entropy(y: np.ndarray, proba: np.ndarray) -> float:
    proba = proba.astype(np.float64)
    return float(-np.mean(y * np.log(proba) + (1 - y) * np.log(1 - proba)))


def losses_by_schedule(X, y, settings: dict[str, object], *names: str) -> dict[str, np.ndarray]:
    heads = {name: make_head("mlp", {**settings, "schedule": name}).fit(X, y) for name in names}
    return {name: np.array(head.curves_.train_loss) for name, head in heads.items()}


# Settings


def test_the_settings_of_an_old_project_are_reached_by_text():
    head = make_head("mlp", OLD_PROJECT)
    wanted = {
        "hidden": 256,
        "lr": 3e-3,
        "batch_size": 3,
        "epochs": 7,
        "schedule": "none",
        "weight_decay": 0.0,
        "early_stopping": False,
    }
    assert {name: head.get_params()[name] for name in wanted} == wanted


def test_the_settings_of_an_old_project_train_for_seven_epochs_without_validation():
    X, y = pose()
    head = make_head("mlp", OLD_PROJECT).fit(X, y)
    assert [len(curve) for curve in astuple(head.curves_)] == [7, 0, 7, 0]
    assert head.to_arrays()["hidden.weight"].shape == (6, 256)
    # One sigmoid, and the last epoch's weights: the last loss is that of its answers.
    assert head.to_arrays()["output.weight"].shape == (256, 1)
    loss = binary_cross_entropy(y, head.predict_proba(X)[:, 1])
    assert loss == pytest.approx(head.curves_.train_loss[-1], rel=1e-4)


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_a_step_is_one_of_adam_with_decoupled_decay(weight_decay):
    X, y = pose()
    settings = {
        "batch_size": len(X),
        "schedule": "none",
        "early_stopping": False,
        "weight_decay": weight_decay,
        "standardise": False,
        "lr": 0.01,
    }
    before = make_head("mlp", {**settings, "epochs": 1}).fit(X, y).to_arrays()
    after = make_head("mlp", {**settings, "epochs": 2}).fit(X, y).to_arrays()
    # Once the decay is taken away, no weight moves by more than Adam's step size (the little
    # more is that of a second step), and some move by about as much.
    for name in ("hidden.weight", "output.weight", "hidden.bias", "output.bias"):
        step = after[name] - before[name] * (1 - 0.01 * weight_decay)
        assert np.abs(step).max() < 0.0101
        assert np.abs(step).max() > 0.005


def test_an_unknown_schedule_is_refused_with_the_three_that_there_are():
    with pytest.raises(ValueError, match="is one of cosine, step, none; got 'linear'"):
        make_head("mlp", {"schedule": "linear"}).fit(*pose())


def test_the_step_size_falls_as_a_cosine_to_almost_nothing():
    X, y = pose()
    settings = {"epochs": 30, "lr": 0.05, "early_stopping": False, "batch_size": 30}
    curves = losses_by_schedule(X, y, settings, "cosine", "none")
    # The first epoch has the full step size under both, the last one hardly any.
    assert curves["cosine"][0] == curves["none"][0]
    assert curves["cosine"][1] != curves["none"][1]
    moves = {name: np.abs(np.diff(curve)) for name, curve in curves.items()}
    assert moves["cosine"][-1] < 0.05 * moves["none"][-5:].max()
    assert moves["cosine"][-1] < moves["cosine"][10:15].max() / 10


def test_the_step_size_falls_in_steps():
    X, y = pose()
    settings = {"epochs": 8, "lr": 0.05, "early_stopping": False, "batch_size": 30}
    curves = losses_by_schedule(X, y, settings, "step", "none")
    assert (curves["step"][:4] == curves["none"][:4]).all()
    assert (curves["step"][4:] != curves["none"][4:]).all()


def test_label_smoothing_makes_answers_less_certain():
    for X, y in (pose(noise=0.1), pose(3, noise=0.1), labels()):
        settings = {"early_stopping": False, "epochs": 30, "lr": 0.01}
        sure, unsure = (
            make_head("mlp", {**settings, "label_smoothing": each}).fit(X, y).predict_proba(X)
            for each in (0.0, 0.2)
        )
        assert np.abs(sure - 0.5).mean() > np.abs(unsure - 0.5).mean() + 0.02
    # On what can be told apart at all, the answer for the right class is that of the label.
    X, y = pose(3, noise=0.01)
    head = make_head("mlp", {**settings, "label_smoothing": 0.3}).fit(X, y)
    assert head.predict_proba(X)[np.arange(len(y)), y].mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("problem", [pose(), pose(3), labels()])
def test_balanced_classes_weigh_the_same_however_many_images_they_have(problem):
    X, y = problem
    rare = y[:, 0] if y.ndim == 2 else y == 0
    keep = np.sort([*np.flatnonzero(rare)[:12], *np.flatnonzero(rare == 0)])
    X, y, rare = X[keep], y[keep], rare[keep] == 1
    settings = {"epochs": 20, "early_stopping": False, "weight_decay": 0.0}
    found = {}
    for each in ("none", "balanced"):
        proba = make_head("mlp", {**settings, "class_weight": each}).fit(X, y).predict_proba(X)
        found[each] = proba[rare, 0].mean()
    assert found["balanced"] > found["none"] + 0.1


def test_mixup_trains_on_mixtures_and_is_measured_on_images():
    X, y = pose(noise=4.0)
    settings = {"epochs": 60, "early_stopping": False, "lr": 0.01, "weight_decay": 0.0}
    plain, mixed = (make_head("mlp", {**settings, "mixup": each}).fit(X, y) for each in (0, 1.0))
    # Mixtures cannot be learnt by heart as images can.
    assert mixed.curves_.train_loss[-1] > plain.curves_.train_loss[-1] + 0.05
    loss = binary_cross_entropy(y, mixed.predict_proba(X)[:, 1])
    assert loss == pytest.approx(mixed.curves_.train_loss[-1], rel=1e-4)
    again = make_head("mlp", {**settings, "mixup": 1.0}).fit(X, y)
    assert (again.predict_proba(X) == mixed.predict_proba(X)).all()


def test_standardising_makes_scale_and_offset_of_a_feature_irrelevant():
    X, y = pose()
    moved = X * np.float32(64) + np.float32(32)
    head, other = (make_head("mlp", {"epochs": 3}).fit(each, y) for each in (X, moved))
    np.testing.assert_allclose(head.predict_proba(X), other.predict_proba(moved), atol=1e-3)


def test_nothing_is_seeded_for_the_rest_of_the_program():
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = torch.rand(1).item(), np.random.rand()  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    make_head("mlp", {"epochs": 2}).fit(*pose())
    assert (torch.rand(1).item(), np.random.rand()) == expected  # noqa: NPY002


# Outputs and losses


@pytest.mark.parametrize(("classes", "units"), [(2, 1), (3, 3), (5, 5)])
def test_two_classes_share_one_sigmoid_and_more_have_a_softmax(classes, units):
    X, y = pose(classes)
    head = make_head("mlp", {"epochs": 2, "early_stopping": False}).fit(X, y)
    assert head.to_arrays()["output.bias"].shape == (units,)
    loss = log_loss(y, head.predict_proba(X))
    assert loss == pytest.approx(head.curves_.train_loss[-1], rel=1e-4)


def test_multi_label_has_a_sigmoid_for_each_label_and_binary_cross_entropy():
    X, y = labels()
    head = make_head("mlp", {"epochs": 3, "early_stopping": False}).fit(X, y)
    assert head.to_arrays()["output.bias"].shape == (2,)
    loss = binary_cross_entropy(y, head.predict_proba(X))
    assert loss == pytest.approx(head.curves_.train_loss[-1], rel=1e-4)
    share = (head.predict(X) == y).mean()
    assert share == pytest.approx(head.curves_.train_accuracy[-1])


def test_the_accuracy_curve_is_that_of_the_answers():
    X, y = pose(3)
    head = make_head("mlp", {"epochs": 4, "early_stopping": False}).fit(X, y)
    assert (head.predict(X) == y).mean() == pytest.approx(head.curves_.train_accuracy[-1])


# Early stopping


STOPPING = {"schedule": "none", "lr": 5e-3, "batch_size": 32, "weight_decay": 0.0, "patience": 4}


@pytest.mark.parametrize("problem", [pose(), pose(3), labels()])
def test_early_stopping_keeps_the_weights_of_the_lowest_validation_loss(problem):
    X, y = problem
    head = make_head("mlp", {**STOPPING, "epochs": 60}).fit(X, y)
    best = int(np.argmin(head.curves_.val_loss))
    assert 0 < best < len(head.curves_.val_loss) - 1
    # Trained just as far as that epoch, the network has the same weights.
    until_best = make_head("mlp", {**STOPPING, "epochs": best + 1}).fit(X, y)
    assert (head.predict_proba(X) == until_best.predict_proba(X)).all()
    one_more = make_head("mlp", {**STOPPING, "epochs": best + 1, "early_stopping": False})
    assert (head.predict_proba(X) != one_more.fit(X, y).predict_proba(X)).any()


def test_early_stopping_ends_after_as_many_epochs_as_patience_says():
    head = make_head("mlp", {**STOPPING, "epochs": 60}).fit(*pose())
    curves = head.curves_
    assert len(curves.val_loss) == int(np.argmin(curves.val_loss)) + 1 + STOPPING["patience"]
    assert len(curves.val_loss) < 60
    assert {len(curve) for curve in astuple(curves)} == {len(curves.val_loss)}


def test_without_early_stopping_every_epoch_is_run_and_nothing_is_held_out():
    head = make_head("mlp", {**STOPPING, "epochs": 25, "early_stopping": False}).fit(*pose())
    assert [len(curve) for curve in astuple(head.curves_)] == [25, 0, 25, 0]


@pytest.mark.parametrize(("n", "held"), [(94, False), (100, True)])
def test_fewer_than_ten_images_are_not_held_out_at_all(n, held):
    head = make_head("mlp", {**STOPPING, "epochs": 20}).fit(*pose(n=n))
    assert bool(head.curves_.val_loss) == held
    assert held or len(head.curves_.train_loss) == 20


def test_what_is_held_out_is_not_trained_on():
    X, y = pose(n=100)
    # Labels that say nothing: only what was seen can be known.
    y = np.random.default_rng(0).permutation(y)
    settings = {"hidden": 512, "epochs": 60, "patience": 60, "lr": 0.01, "weight_decay": 0.0}
    head = make_head("mlp", {**settings, "validation_fraction": 0.5}).fit(X, y)
    assert head.curves_.train_accuracy[-1] > 0.95
    assert head.curves_.val_accuracy[-1] < 0.7


def test_all_rows_of_an_image_are_held_out_or_none():
    X, y = pose(n=100)
    y = np.random.default_rng(0).permutation(y)  # nothing to learn but by heart
    image = np.repeat(np.arange(100), 3)
    settings = {"hidden": 512, "epochs": 40, "patience": 40, "lr": 0.01, "weight_decay": 0.0}
    settings |= {"validation_fraction": 0.3}
    apart, mixed = (
        make_head("mlp", settings).fit(X[image], y[image], groups=groups).curves_.val_accuracy[-1]
        for groups in (image, None)
    )
    assert mixed > 0.85
    assert apart < 0.75


def test_curves_are_of_two_thousand_rows_at_most():
    X, y = pose(n=2500)
    settings = {"epochs": 1, "early_stopping": False}
    head = make_head("mlp", settings).fit(X, y)
    shown = np.linspace(0, 2499, 2048).astype(int)
    accuracy = (head.predict(X[shown]) == y[shown]).mean()
    assert head.curves_.train_accuracy[-1] == pytest.approx(accuracy)


def test_the_epoch_that_was_kept_is_that_of_the_lowest_validation_loss_or_the_last():
    assert Curves((3.0, 2.0, 1.0), (1.0, 0.5, 0.5), (0.1, 0.2, 0.3), (0.1, 0.2, 0.2)).kept == 1
    assert Curves((3.0, 2.0, 1.0), (), (0.1, 0.2, 0.3), ()).kept == 2


def test_a_class_of_one_image_does_not_stop_the_holding_out():
    X, y = pose(3)
    y[0] = 99
    head = make_head("mlp", {**STOPPING, "epochs": 3}).fit(X, y)
    assert head.classes_.tolist() == [0, 1, 2, 99]
    assert len(head.curves_.val_loss) == 3


def test_a_head_that_was_read_again_answers_without_its_curves():
    X, y = pose()
    head = make_head("mlp", {"epochs": 2}).fit(X, y)
    again = make_head("mlp")
    again.classes_, again.multi_label_, again.n_features_in_ = head.classes_, False, 6
    again.from_arrays(head.to_arrays())
    assert not hasattr(again, "curves_")
    assert (again.predict_proba(X) == head.predict_proba(X)).all()


def test_a_training_that_diverges_is_an_error_that_names_the_step_size():
    X, y = pose(3)
    with pytest.raises(HeadError, match="lr"):
        make_head("mlp", {"lr": 1e30, "epochs": 3, "early_stopping": False}).fit(X, y)
