"""The network's layers: their gradient is that of the loss, and rounding leaves it where it is."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from icehouse.heads._network import MANY as MANY_NUMBERS
from icehouse.heads._network import Batch, begin, gradient

CPU = torch.device("cpu")
ROWS, WIDTH, HIDDEN, UNITS = 300, 16, 32, 3


def draw(kind: str, *, weighted: bool) -> tuple[Batch, list[torch.Tensor]]:
    """Return rows with answers for a softmax or for sigmoids, and what begins."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, WIDTH, generator=random)
    y = torch.randint(0, UNITS, (ROWS,), generator=random)
    weight = torch.rand(ROWS, generator=random) if weighted else None
    if kind == "sigmoids":
        y = (torch.rand(ROWS, UNITS, generator=random) > 0.5).float()
        weight = torch.rand(ROWS, UNITS, generator=random) if weighted else None
    return Batch(x, y, weight), begin(WIDTH, HIDDEN, UNITS, random, CPU)


def loss_by_autograd(
    batch: Batch, parameters: list[torch.Tensor], smoothing: float, share: float
) -> torch.Tensor:
    """Return the loss of mixtures as torch's own functions give it."""
    w1, b1, w2, b2 = parameters
    x = share * batch.x + (1 - share) * batch.x.roll(1, 0)
    logits = torch.relu(x @ w1 + b1) @ w2 + b2

    def loss(y: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        if y.is_floating_point():
            smooth = y * (1 - smoothing) + smoothing / 2
            each = functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
        else:
            each = functional.cross_entropy(logits, y, reduction="none", label_smoothing=smoothing)
        return each.mean() if weight is None else (each * weight).mean()

    rolled = None if batch.weight is None else batch.weight.roll(1, 0)
    return share * loss(batch.y, batch.weight) + (1 - share) * loss(batch.y.roll(1, 0), rolled)


@pytest.mark.parametrize("kind", ["softmax", "sigmoids"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("smoothing", "share"), [(0, 1), (0.2, 1), (0, 0.7), (0.1, 0.4)])
def test_the_gradient_is_that_of_the_loss(
    kind: str, weighted: bool, smoothing: float, share: float
) -> None:
    batch, parameters = draw(kind, weighted=weighted)
    ours = gradient(batch, parameters, smoothing, share)
    leaves = [each.clone().requires_grad_() for each in parameters]
    loss_by_autograd(batch, leaves, smoothing, share).backward()
    for one, leaf in zip(ours, leaves, strict=True):
        assert leaf.grad is not None
        torch.testing.assert_close(one, leaf.grad, rtol=1e-4, atol=1e-6)


def test_rounded_rows_give_almost_the_same_gradient_in_float32() -> None:
    batch, parameters = draw("softmax", weighted=False)
    exact = gradient(batch, parameters, 0.0, 1.0)
    rounded = gradient(Batch(batch.x.bfloat16(), batch.y), parameters, 0.0, 1.0)
    for one, other in zip(rounded, exact, strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).norm() / other.norm()) < 0.05


def test_few_numbers_are_never_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("icehouse.heads._network.best_precision", lambda device: "bfloat16")
    many = Batch(torch.zeros(MANY_NUMBERS // 8, 8), torch.zeros(MANY_NUMBERS // 8).long())
    assert many.rounded(CPU).x.dtype == torch.bfloat16
    few = many[torch.arange(100)]
    assert few.rounded(CPU) is few


def test_what_the_hardware_does_not_multiply_is_not_rounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("icehouse.heads._network.best_precision", lambda device: "float32")
    many = Batch(torch.zeros(MANY_NUMBERS // 8, 8), torch.zeros(MANY_NUMBERS // 8).long())
    assert many.rounded(CPU) is many
