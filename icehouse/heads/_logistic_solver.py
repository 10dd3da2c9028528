"""L2-regularised logistic regression: scikit-learn's objective, reached in fewer and cheaper steps.

Of n images with features x_i (D of them; centred here, which an intercept that is not penalised
makes up for), K columns and the residual r_i = p_i - y_i, the objective and its gradient are ::

    J(W, b) = 1/n sum_i loss(W' x_i + b, y_i) + 1/(2 C n) |W|^2
    dJ/dW   = 1/n X' R + W / (C n)        dJ/db = 1/n R' 1

where loss is the softmax's cross-entropy over K > 1 classes, or K logistic losses that have nothing
to do with each other; an image of weight w counts as w images. The Hessian is
1/n sum_i S_i (x) x_i x_i' + I / (C n), where S_i is diag(p_i) - p_i p_i' for the softmax, else
diag(p_i (1 - p_i)).

L-BFGS with some conjugate gradients on the Hessian of a sample in its middle
(:mod:`icehouse.heads._lbfgs`) needs a dozen or two steps where it needs hundreds, whatever the
spectrum of the features is; Byrd et al. 2011, "On the use of stochastic Hessian information in
optimization methods for machine learning". A product with that Hessian costs a tenth of a gradient.
Conjugate gradients in turn are brought near to the solution by one D x D matrix for all columns,
with S_i at p_i = 1 / K::

    H = 1/n sum_i s x_i x_i' + I / (C n)

The steps are cheaper because all but the last are taken on features rounded to bfloat16, where the
hardware multiplies it: that is another problem, but its solution lies next to that of the real one,
on which the search ends.

Several problems over the same features (the folds of a cross-validation) are solved as one: their
columns stand side by side, so that X is read once for all, and a weight of 0 leaves an image out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import softplus

from icehouse.heads._lbfgs import Point, minimise
from icehouse.heads._logistic_data import LogisticData
from icehouse.heads._parts import Parts, in_parts

FloatArray = npt.NDArray[np.floating[Any]]
TURNS, SOLVED = 6, 0.02  # of conjugate gradients at most, and the residual that is small enough


@dataclass(frozen=True)
class Solution:
    """What was found.

    Attributes
    ----------
    coef : array of float32, shape (columns of all problems, D)
    intercept : array of float32, shape (columns of all problems,)
    objective : float
        J, summed over problems.
    gradient : float
        Its largest entry.
    steps : int
    """

    coef: npt.NDArray[np.float32]
    intercept: npt.NDArray[np.float32]
    objective: float
    gradient: float
    steps: int


def solve(
    data: LogisticData,
    C: float,  # noqa: N803
    start: Solution | None = None,
    *,
    tolerance: float = 1e-4,
    steps: int = 1000,
    near: bool = False,
) -> Solution:
    """Minimise J.

    Parameters
    ----------
    data : LogisticData
    C : float
        Inverse strength of regularisation, as in scikit-learn.
    start : Solution, optional
        Where to begin.
    tolerance : float
        No entry of the gradient is larger at the end, and J can lose a fifth of it at most.
    steps : int
        At most.
    near : bool
        The start is so near that rounded features would lead away from it.
    """
    mean = data.mean.to(data.wide)
    state = torch.zeros(data.shape, dtype=data.wide, device=data.device)
    if start is not None:
        state = data.tensor(np.column_stack([start.coef, start.intercept]), data.wide)
        state[:, -1] += state[:, :-1] @ mean
    rough = data.rounded is not data.features and not near
    with in_parts(small=data.is_small or data.device.type != "cpu") as parts:
        point, count = minimise(_Objective(data, C, parts), state, tolerance, steps, rough=rough)
    state = point.state.clone()
    state[:, -1] -= state[:, :-1] @ mean
    found = state.float().cpu().numpy()
    steepest = float(point.gradient.abs().max())
    return Solution(found[:, :-1].copy(), found[:, -1].copy(), point.value, steepest, count)


class _Objective:
    """J at coefficients and intercepts of centred features, (columns of all problems, D + 1)."""

    def __init__(self, data: LogisticData, C: float, parts: Parts) -> None:  # noqa: N803
        self._data = data
        self._parts = parts
        self._ridge = (data.ridge / C).repeat_interleave(data.columns, 0)
        even = 1 / data.columns if data.exclusive else 0.5
        near = even * (1 - even) * data.gram
        near.diagonal()[:-1] += self._ridge.mean(0)
        near.diagonal().add_(1e-6 * near.diagonal().mean())
        self._near = torch.cholesky_inverse(torch.linalg.cholesky(near)).float()

    def at(self, state: torch.Tensor, *, rough: bool) -> Point:
        """See :meth:`Smooth.at`."""
        data = self._data
        whole = data.rounded if rough else data.features
        coef, mean = state[:, :-1], data.mean.to(data.wide)
        shift = (state[:, -1] - coef @ mean).float()[:, None]
        narrow = coef.to(whole.dtype)
        ridge = self._ridge * coef
        loss = 0.5 * (ridge * coef).sum()
        gradient = torch.zeros_like(state)
        gradient[:, :-1] = ridge

        def work(rows: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            # Columns first: softmax then runs along the images, and few columns fill the hardware.
            features = whole[rows]
            part, residual = self._residual((narrow @ features.T).float().add_(shift), rows)
            products = residual.to(whole.dtype) @ features
            return part, residual.sum(1, dtype=data.wide), products

        for part, sums, products in self._parts.each(work, data.rows):
            loss += part
            gradient[:, :-1] += products.to(data.wide) - sums[:, None] * mean
            gradient[:, -1] += sums
        return Point(state, float(loss), gradient)

    def newton(self, point: Point, gradient: torch.Tensor) -> torch.Tensor:
        """See :meth:`Smooth.newton`: conjugate gradients on the sample's Hessian."""
        data = self._data
        coef = point.state.to(data.sample.dtype)

        def chances(rows: slice) -> torch.Tensor:
            logits = (coef @ data.sample[rows].T).float()
            return data.proba(logits.view(-1, data.columns, logits.shape[1]))

        share = list(self._parts.each(chances, data.sample_rows))
        left = gradient.float()
        found, step = torch.zeros_like(left), left @ self._near
        size = first = (left * step).sum()
        for _ in range(TURNS if first > 0 else 0):
            turned = self._turn(step, share)
            length = size / (step * turned).sum()
            found += length * step
            left = left - length * turned
            near = left @ self._near
            before, size = size, (left * near).sum()
            if size <= SOLVED * first:
                break
            step = near + (size / before) * step
        return found.to(gradient.dtype)

    def _turn(self, step: torch.Tensor, chances: list[torch.Tensor]) -> torch.Tensor:
        """Return the sample's Hessian times a step; chances are those of the sample, in parts."""
        data = self._data
        narrow = step.to(data.sample.dtype)

        def work(part: tuple[slice, torch.Tensor]) -> torch.Tensor:
            rows, share = part
            moved = (narrow @ data.sample[rows].T).float().view(share.shape)
            if data.exclusive:
                moved = share * (moved - (share * moved).sum(1, keepdim=True))
            else:
                moved = share * (1 - share) * moved
            moved = (moved * data.sample_weights[:, :, rows]).view(len(step), -1)
            return (moved.to(data.sample.dtype) @ data.sample[rows]).float()

        turned = torch.zeros_like(step)
        turned[:, :-1] = self._ridge.float() * step[:, :-1]
        for part in self._parts.each(work, zip(data.sample_rows, chances, strict=True)):
            turned += part
        return turned

    def _residual(self, logits: torch.Tensor, rows: slice) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss of some images, and its derivative by their logits (columns, images)."""
        data = self._data
        weights, target = data.weights[:, None, rows], data.target[:, rows]
        each = logits.view(-1, data.columns, logits.shape[1])
        if not data.exclusive:
            losses = (softplus(each) - target * each) * weights
            residual = each.sigmoid_().sub_(target).mul_(weights)
            return losses.sum(dtype=data.wide), residual.view(logits.shape)
        log_proba = each.log_softmax(1)
        truth = target.expand(len(each), 1, -1)
        loss = -(log_proba.gather(1, truth) * weights).sum(dtype=data.wide)
        residual = log_proba.exp_().mul_(weights).scatter_add_(1, truth, -weights)
        return loss, residual.view(logits.shape)
