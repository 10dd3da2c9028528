"""A network of one hidden layer: linear, ReLU, linear; sigmoid or softmax."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from icehouse.embedder import one_torch_thread
from icehouse.errors import TrainingDataError
from icehouse.heads._base import (
    AnyArray,
    FloatArray,
    Head,
    IntArray,
    Standardiser,
    probabilities,
)
from icehouse.heads._settings import above, between, flag, one_of, whole

MIN_VALIDATION = 10


@dataclass(frozen=True)
class Curves:
    """Loss (nats) and accuracy after each epoch; nothing in ``val_*`` without validation."""

    train_loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    val_accuracy: tuple[float, ...]


class MLPHead(Head):
    """Multi-layer perceptron on standardised features, trained with Adam.

    Binary and multi-label tasks end in a sigmoid with a threshold and are trained with binary
    cross-entropy; multi-class tasks end in a softmax.

    Parameters
    ----------
    hidden : int
        Units of the hidden layer.
    lr : float
        Step size of Adam.
    batch_size : int
    epochs : int
        At most, with early stopping.
    decay : {"cosine", "constant"}
        How the step size falls over the epochs.
    weight_decay : float
        Decoupled, as in AdamW.
    early_stopping : bool
        Keep the weights of the epoch with the lowest validation loss, and stop ``network``
        epochs after it. Validation is held out of the rows given to ``fit``; where that would be
        fewer than ten, there is none, and the last epoch is kept.
    validation_fraction : float
    network : int
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
        "decay": one_of("cosine", "constant"),
        "weight_decay": between(0, math.inf, open_high=True),
        "early_stopping": flag(),
        "validation_fraction": between(0, 1, open_low=True, open_high=True),
        "network": whole(1),
        "standardise": flag(),
        "threshold": between(0, 1),
    }

    def __init__(
        self,
        hidden: int = 256,
        lr: float = 1e-3,
        batch_size: int = 128,
        epochs: int = 50,
        decay: str = "cosine",
        weight_decay: float = 1e-2,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        network: int = 8,
        standardise: bool = True,
        seed: int = 0,
        threshold: float = 0.5,
    ) -> None:
        self.hidden = hidden
        self.lr = lr
        self.batch_size = batch_size
        self.epochs = epochs
        self.decay = decay
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.network = network
        self.standardise = standardise
        self.seed = seed
        self.threshold = threshold

    def _fit(self, X: FloatArray, target: IntArray) -> None:  # noqa: N803
        train, val = self._hold_out(target)
        self.standardiser_ = Standardiser.of(X[train], active=self.standardise)
        inputs = torch.from_numpy(self.standardiser_(X))
        outputs = _outputs(target, len(self.classes_), self.multi_label_)
        with one_torch_thread():  # on small matrices threads wait for each other
            self._train(inputs[train], outputs[train], inputs[val], outputs[val])

    def _hold_out(self, target: IntArray) -> tuple[IntArray, IntArray]:
        rows = np.arange(len(target))
        held = round(len(rows) * self.validation_fraction)
        if not self.early_stopping or held < MIN_VALIDATION:
            return rows, rows[:0]
        try:
            stratify = None if self.multi_label_ else target
            train, val = train_test_split(
                rows, test_size=held, random_state=self.seed, stratify=stratify
            )
        except ValueError:  # a class with one image, or more classes than held out
            train, val = train_test_split(rows, test_size=held, random_state=self.seed)
        return np.sort(train), np.sort(val)

    def _train(
        self, x: torch.Tensor, y: torch.Tensor, x_val: torch.Tensor, y_val: torch.Tensor
    ) -> None:
        random = torch.Generator().manual_seed(self.seed)
        units = y.shape[1] if y.ndim == 2 else len(self.classes_)
        shapes = (x.shape[1], self.hidden), (self.hidden, units)
        weights = [_layer(*shape, random) for shape in shapes]
        parameters = [tensor for layer in weights for tensor in layer]
        optimiser = torch.optim.AdamW(parameters, self.lr, weight_decay=self.weight_decay)
        curves = []
        best, best_loss, best_epoch = [p.detach().clone() for p in parameters], np.inf, 0
        for epoch in range(self.epochs):
            share = 0.5 * (1 + np.cos(np.pi * epoch / self.epochs))
            optimiser.param_groups[0]["lr"] = self.lr * (share if self.decay == "cosine" else 1)
            for rows in torch.randperm(len(x), generator=random).split(self.batch_size):
                optimiser.zero_grad()
                _loss(_forward(x[rows], parameters), y[rows]).backward()
                optimiser.step()
            curves.append((*_evaluate(x, y, parameters), *_evaluate(x_val, y_val, parameters)))
            if not all(map(math.isfinite, curves[-1][: 4 if len(x_val) else 2])):
                raise TrainingDataError(
                    f"the training diverged in epoch {epoch + 1}: its loss is not finite. "
                    f"Lower the step size lr, which is {self.lr:g}"
                )
            loss = curves[-1][2] if len(x_val) else -epoch
            if loss < best_loss:
                best, best_loss, best_epoch = [p.detach().clone() for p in parameters], loss, epoch
            elif epoch - best_epoch >= self.network:
                break
        self.weights_ = [p.numpy() for p in best]
        columns = [tuple(float(v) for v in column) for column in zip(*curves, strict=True)]
        none: tuple[float, ...] = ()
        val_loss, val_accuracy = (columns[2], columns[3]) if len(x_val) else (none, none)
        self.curves_ = Curves(columns[0], val_loss, columns[1], val_accuracy)

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


def _layer(inputs: int, outputs: int, random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weight and bias, uniform in ±1/sqrt(inputs), as torch.nn.Linear begins."""
    bound = inputs**-0.5
    weight = torch.empty(inputs, outputs).uniform_(-bound, bound, generator=random)
    bias = torch.empty(outputs).uniform_(-bound, bound, generator=random)
    return weight.requires_grad_(), bias.requires_grad_()


def _forward(x: torch.Tensor, parameters: list[torch.Tensor]) -> torch.Tensor:
    w1, b1, w2, b2 = parameters
    return torch.relu(x @ w1 + b1) @ w2 + b2


def _loss(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    if y.is_floating_point():
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, y)
    return torch.nn.functional.cross_entropy(logits, y)


@torch.no_grad()
def _evaluate(
    x: torch.Tensor, y: torch.Tensor, parameters: list[torch.Tensor]
) -> tuple[float, float]:
    if not len(x):
        return float("nan"), float("nan")
    logits = _forward(x, parameters)
    right = (logits > 0) == (y > 0.5) if y.is_floating_point() else logits.argmax(1) == y
    return float(_loss(logits, y)), float(right.float().mean())
