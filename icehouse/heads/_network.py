"""A network of one hidden layer: its layers, their gradient, its step size, where it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from icehouse.embedder import best_precision

STEPS = 0.5, 0.75  # shares of the epochs after which "step" divides the step size by ten
MANY = 2**20  # numbers in x from which a training lasts so long that rounding them is worth it


@dataclass(frozen=True)
class Batch:
    """Rows with what is to be said of them.

    Attributes
    ----------
    x : float32 or bfloat16 tensor, shape (n, D)
    y : tensor, shape (n,) of class numbers for a softmax, (n, units) of 0 and 1 for sigmoids
    weight : float32 tensor, shape (n,) for a softmax, (n, units) for sigmoids, or None
    """

    x: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: torch.Tensor) -> Batch:
        weight = None if self.weight is None else self.weight.index_select(0, rows)
        return Batch(self.x.index_select(0, rows), self.y.index_select(0, rows), weight)

    def rolled(self) -> Batch:
        """Return it with each row in the place of the one before."""
        weight = None if self.weight is None else self.weight.roll(1, 0)
        return Batch(self.x.roll(1, 0), self.y.roll(1, 0), weight)

    def to(self, device: torch.device) -> Batch:
        """Return it on a device; on the one where it is, itself."""
        weight = None if self.weight is None else self.weight.to(device, non_blocking=True)
        x, y = (each.to(device, non_blocking=True) for each in (self.x, self.y))
        return Batch(x, y, weight)

    def rounded(self, device: torch.device) -> Batch:
        """Return it in bfloat16 where a device multiplies it, and there is enough to gain."""
        if best_precision(device) != "bfloat16" or self.x.numel() < MANY:
            return self
        return replace(self, x=self.x.bfloat16())

    def where_it_fits(self, device: torch.device) -> Batch:
        """Return it on a device whose free memory is twice as large, else where it is."""
        if device.type != "cuda":
            return self
        free, _ = torch.cuda.mem_get_info(device)
        return self.to(device) if 2 * self.x.nbytes < free else self


def choose_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def begin(
    inputs: int, hidden: int, units: int, random: torch.Generator, device: torch.device
) -> list[torch.Tensor]:
    """Return weights and biases, uniform in ±1/sqrt(inputs of the layer), as torch.nn.Linear.

    They are drawn on the CPU, so that a seed means the same on every device.
    """
    parameters = []
    for rows, columns in ((inputs, hidden), (hidden, units)):
        bound = rows**-0.5
        for shape in ((rows, columns), (columns,)):
            drawn = torch.empty(shape).uniform_(-bound, bound, generator=random)
            parameters.append(drawn.to(device))
    return parameters


def gradient(
    batch: Batch, parameters: list[torch.Tensor], smoothing: float, share: float
) -> list[torch.Tensor]:
    """Return the gradient of the mean cross-entropy by each parameter, for a batch of mixtures.

    Each row becomes ``share`` of itself and the rest of the row after it, as in Zhang et al.
    (2018), "mixup". Rows come in random order, so the one after is any other. The cross-entropy is
    linear in the labels, so that of the mixed label is the mix of the two.

    Written out, as two layers are few: autograd takes as long to note them as to multiply them. In
    bfloat16 they are multiplied in a third of the time; weights stay float32, so that small steps
    add up (Micikevicius et al. 2018, "Mixed precision training").
    """
    w2 = parameters[2]
    other = batch if share == 1 else batch.rolled()
    x = batch.x if share == 1 else torch.lerp(other.x, batch.x, share)
    hidden, logits = forward(x, parameters)
    slope = _slope(logits, batch, smoothing)
    if share != 1:
        slope = torch.lerp(_slope(logits, other, smoothing), slope, share)
    below = _product(slope, w2.T, x.dtype).mul_(hidden > 0)
    by_w1, by_w2 = _product(x.T, below, x.dtype), _product(hidden.T, slope, x.dtype)
    return [by_w1, below.sum(0), by_w2, slope.sum(0)]


def _slope(logits: torch.Tensor, batch: Batch, smoothing: float) -> torch.Tensor:
    """Return the derivative of the mean cross-entropy by logits, shape (n, units).

    ``smoothing`` is the share of a label that is spread evenly over all classes, or yes and no.
    """
    if batch.y.is_floating_point():
        slope = logits.sigmoid().sub_(batch.y * (1 - smoothing) + 0.5 * smoothing)
        return slope.mul_((1 if batch.weight is None else batch.weight) / slope.numel())
    slope = logits.softmax(1).sub_(smoothing / logits.shape[1])
    slope[torch.arange(len(slope), device=slope.device), batch.y] -= 1 - smoothing
    return slope.mul_((1 if batch.weight is None else batch.weight[:, None]) / len(slope))


def forward(x: torch.Tensor, parameters: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what the hidden layer gives, shape (n, hidden), and logits, shape (n, units).

    Both are float32; matrices are multiplied in the precision of ``x``.
    """
    w1, b1, w2, b2 = parameters
    hidden = _product(x, w1, x.dtype).add_(b1).relu_()
    return hidden, _product(hidden, w2, x.dtype).add_(b2)


def _product(one: torch.Tensor, other: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return (one.to(dtype) @ other.to(dtype)).float()


def loss_of(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Return the mean cross-entropy in nats, by the weights of the rows."""
    if batch.y.is_floating_point():
        loss = functional.binary_cross_entropy_with_logits(logits, batch.y, reduction="none")
    else:
        loss = functional.cross_entropy(logits, batch.y, reduction="none")
    return loss.mean() if batch.weight is None else (loss * batch.weight).mean()


def evaluate(batch: Batch, parameters: list[torch.Tensor]) -> tuple[float, float]:
    """Return loss and accuracy, by the weights of the rows."""
    _, logits = forward(batch.x, parameters)
    if batch.y.is_floating_point():
        right = (logits > 0) == (batch.y > 0.5)
    else:
        right = logits.argmax(1) == batch.y
    weight = torch.ones(()) if batch.weight is None else batch.weight
    weight = weight.to(right.device).expand(right.shape)
    total = weight.sum()
    if not total:  # rows that count for nothing say nothing
        return 0.0, 0.0
    share = (right * weight).sum() / total
    return float(loss_of(logits, batch) * weight.numel() / total), float(share)


def step_size(schedule: str, epoch: int, epochs: int) -> float:
    """Return the share of the first step size that an epoch has.

    "cosine" falls from 1 to almost 0 (Loshchilov and Hutter 2017, without restarts); "step"
    divides by ten after a half and after three quarters of the epochs; "none" stays.

    Examples
    --------
    >>> [step_size("step", epoch, 4) for epoch in range(4)]
    [1.0, 1.0, 0.1, 0.01]
    """
    if schedule == "cosine":
        return float(0.5 * (1 + np.cos(np.pi * epoch / epochs)))
    if schedule == "step":
        return float(1 / 10 ** sum(epoch >= share * epochs for share in STEPS))
    return 1.0
