"""A network of one hidden layer in torch: its layers, its loss, its step size, where it runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

STEPS = 0.5, 0.75  # shares of the epochs after which "step" divides the step size by ten


@dataclass(frozen=True)
class Batch:
    """Rows with what is to be said of them.

    Attributes
    ----------
    x : float32 tensor, shape (n, D)
    y : tensor, shape (n,) of class numbers for a softmax, (n, units) of 0 and 1 for sigmoids
    weight : float32 tensor, shape (n,) for a softmax, (n, units) for sigmoids, or None
    """

    x: torch.Tensor
    y: torch.Tensor
    weight: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: torch.Tensor) -> Batch:
        weight = None if self.weight is None else self.weight[rows]
        return Batch(self.x[rows], self.y[rows], weight)

    def to(self, device: torch.device) -> Batch:
        """Return it on a device; on the one where it is, itself."""
        weight = None if self.weight is None else self.weight.to(device, non_blocking=True)
        x, y = (each.to(device, non_blocking=True) for each in (self.x, self.y))
        return Batch(x, y, weight)

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
            parameters.append(drawn.to(device).requires_grad_())
    return parameters


def forward(x: torch.Tensor, parameters: list[torch.Tensor]) -> torch.Tensor:
    """Return logits, shape (n, units)."""
    w1, b1, w2, b2 = parameters
    return torch.addmm(b2, torch.relu(torch.addmm(b1, x, w1)), w2)


def loss_of(logits: torch.Tensor, batch: Batch, smoothing: float = 0.0) -> torch.Tensor:
    """Return the mean cross-entropy in nats, by the weights of the rows."""
    if batch.y.is_floating_point():
        y = batch.y * (1 - smoothing) + 0.5 * smoothing
        loss = functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
    else:
        loss = functional.cross_entropy(
            logits, batch.y, reduction="none", label_smoothing=smoothing
        )
    return loss.mean() if batch.weight is None else (loss * batch.weight).mean()


def mixed_loss(
    batch: Batch, parameters: list[torch.Tensor], smoothing: float, share: float
) -> torch.Tensor:
    """Return the loss of a batch mixed with itself, as in Zhang et al. (2018), "mixup".

    Each row becomes ``share`` of itself and the rest of the row after it. Rows come in random
    order, so the one after is any other. The cross-entropy is linear in the labels, so that of
    the mixed label is the mix of the two.
    """
    if share == 1:
        return loss_of(forward(batch.x, parameters), batch, smoothing)
    other = Batch(
        batch.x.roll(1, 0),
        batch.y.roll(1, 0),
        None if batch.weight is None else batch.weight.roll(1, 0),
    )
    logits = forward(torch.lerp(other.x, batch.x, share), parameters)
    here, there = (loss_of(logits, each, smoothing) for each in (batch, other))
    return share * here + (1 - share) * there


@torch.no_grad()
def evaluate(batch: Batch, parameters: list[torch.Tensor]) -> tuple[float, float]:
    """Return loss and accuracy, by the weights of the rows."""
    logits = forward(batch.x, parameters)
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
