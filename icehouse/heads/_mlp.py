"""A network of one hidden layer: linear, ReLU, linear; sigmoid or softmax."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from icehouse.embedder import one_torch_thread
from icehouse.errors import TrainingDataError
from icehouse.heads._balance import balanced
from icehouse.heads._base import (
    AnyArray,
    FloatArray,
    Head,
    IntArray,
    Rows,
    Standardiser,
    probabilities,
)
from icehouse.heads._curves import Curves
from icehouse.heads._network import (
    Batch,
    begin,
    choose_device,
    evaluate,
    gradient,
    step_size,
)
from icehouse.heads._settings import SEED, above, between, flag, one_of, whole

MIN_VALIDATION = 10
CURVE_ROWS = 2048  # of those trained on: all of them would cost as much as half of an epoch


class MLPHead(Head):
    """Multi-layer perceptron on standardised features, trained with AdamW; on a GPU, if any.

    Binary and multi-label tasks end in a sigmoid with a threshold and are trained with binary
    cross-entropy; multi-class tasks end in a softmax.

    Parameters
    ----------
    hidden : int
        Units of the hidden layer.
    lr : float
        Step size of AdamW.
    batch_size : int
    epochs : int
        At most, with early stopping.
    schedule : {"cosine", "step", "none"}
        How the step size falls over the epochs: to almost nothing, to a tenth after a half and
        again after three quarters of them, or not at all.
    weight_decay : float
        Decoupled (Loshchilov and Hutter 2019).
    label_smoothing : float
        Share of a label that is spread evenly over all classes, or over yes and no
        (Szegedy et al. 2016).
    mixup : float
        Train on mixtures of two images, features and labels alike, in shares drawn from
        Beta(mixup, mixup) for each batch (Zhang et al. 2018). 0 for not; 0.2 is usual.
    class_weight : {"none", "balanced"}
        "balanced": all classes weigh the same, however many images they have; in multi-label,
        for each label, images with it and images without it.
    early_stopping : bool
        Keep the weights of the epoch with the lowest validation loss, and stop ``patience``
        epochs after it. Validation is held out of the rows given to ``fit``; where that would be
        fewer than ten, there is none, and the last epoch is kept.
    validation_fraction : float
    patience : int
    standardise : bool
    seed : int
    threshold : float
        Of the second of two classes, and of each label in multi-label.

    Attributes
    ----------
    curves_ : Curves
    """

    kind = "mlp"
    limits: ClassVar = {
        "hidden": whole(1),
        "lr": above(0),
        "batch_size": whole(1),
        "epochs": whole(1),
        "schedule": one_of("cosine", "step", "none"),
        "weight_decay": between(0, math.inf, open_high=True),
        "label_smoothing": between(0, 1, open_high=True),
        "mixup": between(0, math.inf, open_high=True),
        "class_weight": one_of("none", "balanced"),
        "early_stopping": flag(),
        "validation_fraction": between(0, 1, open_low=True, open_high=True),
        "patience": whole(1),
        "standardise": flag(),
        "seed": SEED,
        "threshold": between(0, 1),
    }

    def __init__(
        self,
        hidden: int = 256,
        lr: float = 1e-3,
        batch_size: int = 128,
        epochs: int = 50,
        schedule: str = "cosine",
        weight_decay: float = 1e-2,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        class_weight: str = "none",
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        patience: int = 8,
        standardise: bool = True,
        seed: int = 0,
        threshold: float = 0.5,
    ) -> None:
        self.hidden = hidden
        self.lr = lr
        self.batch_size = batch_size
        self.epochs = epochs
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.mixup = mixup
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.standardise = standardise
        self.seed = seed
        self.threshold = threshold

    def _fit(self, X: FloatArray, target: IntArray, rows: Rows) -> None:  # noqa: N803
        train, val = self._hold_out(target, rows.groups)
        self.standardiser_ = Standardiser.of(X[train], active=self.standardise)
        y = _outputs(target, len(self.classes_), self.multi_label_)
        weight = self._weight(target, rows.weight)
        if weight is not None:
            weight = weight.reshape(y.shape)
        every = Batch(torch.from_numpy(self.standardiser_(X)), y, weight)
        with one_torch_thread():  # on small matrices threads wait for each other
            self._train(every[torch.from_numpy(train)], every[torch.from_numpy(val)])

    def _weight(self, target: IntArray, given: FloatArray | None) -> torch.Tensor | None:
        """Return weights of mean 1 for rows, shape (n,), or for their labels, (n, n_classes)."""
        if given is None and self.class_weight == "none":
            return None
        weight = balanced(target) if self.class_weight == "balanced" else np.ones(target.shape)
        if given is not None:
            weight = weight * (given[:, None] if weight.ndim == 2 else given)
        return torch.from_numpy((weight / weight.mean()).astype(np.float32))

    def _hold_out(self, target: IntArray, groups: IntArray | None) -> tuple[IntArray, IntArray]:
        """Return rows to train on and rows to see by when to stop; an image is on one side."""
        rows = np.arange(len(target))
        groups = rows if groups is None else groups
        images, first = np.unique(groups, return_index=True)
        held = round(len(images) * self.validation_fraction)
        if not self.early_stopping or held < MIN_VALIDATION:
            return rows, rows[:0]
        try:
            stratify = None if self.multi_label_ else target[first]
            _, val = train_test_split(
                images, test_size=held, random_state=self.seed, stratify=stratify
            )
        except ValueError:  # a class with one image, or more classes than held out
            _, val = train_test_split(images, test_size=held, random_state=self.seed)
        is_held = np.isin(groups, val)
        return rows[~is_held], rows[is_held]

    def _train(self, train: Batch, val: Batch) -> None:
        device = choose_device()
        random = torch.Generator().manual_seed(self.seed)
        units = train.y.shape[1] if train.y.ndim == 2 else len(self.classes_)
        parameters = begin(train.x.shape[1], self.hidden, units, random, device)
        optimiser = torch.optim.AdamW(
            parameters, self.lr, weight_decay=self.weight_decay, fused=True
        )
        train = train.rounded(device)
        shown = np.linspace(0, len(train) - 1, min(len(train), CURVE_ROWS)).astype(np.int64)
        sides = [train[torch.from_numpy(shown)], *([val] if len(val) else [])]
        sides = [side.to(device) for side in sides]
        train = train.where_it_fits(device)
        shares = self._shares()
        curves: list[list[float]] = []
        best, best_loss, best_epoch = parameters, np.inf, 0
        for epoch in range(self.epochs):
            optimiser.param_groups[0]["lr"] = self.lr * step_size(self.schedule, epoch, self.epochs)
            for rows in torch.randperm(len(train), generator=random).split(self.batch_size):
                batch = train[rows.to(train.x.device)].to(device)
                slopes = gradient(batch, parameters, self.label_smoothing, next(shares))
                for parameter, slope in zip(parameters, slopes, strict=True):
                    parameter.grad = slope
                optimiser.step()
            curves.append([value for side in sides for value in evaluate(side, parameters)])
            self._check_finite(curves[-1], epoch)
            loss = curves[-1][2] if len(val) else -epoch
            if loss < best_loss:
                best, best_loss, best_epoch = [p.clone() for p in parameters], loss, epoch
            elif epoch - best_epoch >= self.patience:
                break
        self.weights_ = [p.cpu().numpy() for p in best]
        train_loss, train_accuracy, *held = (tuple(column) for column in zip(*curves, strict=True))
        val_loss, val_accuracy = held or ((), ())
        self.curves_ = Curves(train_loss, val_loss, train_accuracy, val_accuracy)

    def _check_finite(self, values: list[float], epoch: int) -> None:
        if not all(map(math.isfinite, values)):
            raise TrainingDataError(
                f"the training diverged in epoch {epoch + 1}: its loss is not finite. "
                f"Lower the step size lr, which is {self.lr:g}"
            )

    def _shares(self) -> Iterator[float]:
        """Yield the share of the first image in each batch of mixtures; 1 without mixup."""
        random = np.random.default_rng(self.seed)
        while True:
            yield float(random.beta(self.mixup, self.mixup)) if self.mixup else 1.0

    def _predict_proba(self, X: FloatArray) -> FloatArray:  # noqa: N803
        w1, b1, w2, b2 = self.weights_
        logits = np.maximum(self.standardiser_(X) @ w1 + b1, 0) @ w2 + b2
        return probabilities(logits, multi_label=self.multi_label_)

    def to_arrays(self) -> dict[str, AnyArray]:
        """See :meth:`Head.to_arrays`."""
        names = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")
        learnt = dict(zip(names, self.weights_, strict=True))
        return learnt | {"mean": self.standardiser_.mean, "scale": self.standardiser_.scale}

    def from_arrays(self, arrays: Mapping[str, AnyArray]) -> None:
        """See :meth:`Head.from_arrays`."""
        names = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")
        self.weights_ = [arrays[name] for name in names]
        self.standardiser_ = Standardiser(arrays["mean"], arrays["scale"])


def _outputs(target: IntArray, classes: int, multi_label: bool) -> torch.Tensor:
    """Return what the loss compares with: a float matrix for sigmoids, class numbers else."""
    if multi_label:
        return torch.from_numpy(target.astype(np.float32))
    if classes == 2:
        return torch.from_numpy(target.astype(np.float32)).unsqueeze(1)
    return torch.from_numpy(target)
