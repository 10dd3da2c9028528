"""L-BFGS that begins every direction with a Newton step on a sample.

Nocedal and Wright 2006, "Numerical optimization", algorithms 7.4 and 7.5. In the middle of the two
loops stands an approximate inverse Hessian, which is usually a multiple of the identity. Here it is
whatever the problem offers (:meth:`Smooth.newton`), so that the pairs have only to correct it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch

Pair = tuple[torch.Tensor, torch.Tensor]
MEMORY = 30  # pairs
FAR = 20.0  # times the tolerance: what is left where the problem that costs less is worth it
LEFT = 0.2  # of the tolerance: what the objective may still lose at the end
ARMIJO, SMALLEST = 1e-4, 1e-4
PATIENCE = 100  # steps that bring no smaller gradient: the tolerance is beyond float32
NOISE = 1e-6  # of the objective: what float32 cannot tell, so that its slope has to


@dataclass(frozen=True)
class Point:
    """A place, the value of the objective, and its gradient there."""

    state: torch.Tensor
    value: float
    gradient: torch.Tensor


class Smooth(Protocol):
    """A convex objective."""

    def at(self, state: torch.Tensor, *, rough: bool) -> Point:
        """Return value and gradient; ``rough`` of a problem near to this one that costs less."""
        ...

    def newton(self, point: Point, gradient: torch.Tensor) -> torch.Tensor:
        """Return about the inverse Hessian at a point times a gradient."""
        ...


def minimise(
    problem: Smooth, start: torch.Tensor, tolerance: float, steps: int, *, rough: bool
) -> tuple[Point, int]:
    """Go down until no entry of the gradient exceeds ``tolerance`` and a fifth of it is left.

    Parameters
    ----------
    problem : Smooth
    start : tensor
    tolerance : float
    steps : int
        At most.
    rough : bool
        There is a problem that costs less: where more than a little is left, it goes ahead.

    Returns
    -------
    (Point, int)
        Where it ended, of the exact problem, and after how many steps.
    """
    point = problem.at(start, rough=False)
    if rough := rough and _left(problem, point) > FAR * tolerance:
        point = problem.at(start, rough=True)
    pairs: deque[Pair] = deque(maxlen=MEMORY)
    step, length, flattest, stale = 0, 1.0, float("inf"), 0
    while step < steps and stale < PATIENCE:
        direction = _direction(problem, point, pairs)
        left = -0.5 * dot(direction, point.gradient)
        steepest = float(point.gradient.abs().max())
        flattest, stale = (steepest, 0) if steepest < flattest else (flattest, stale + 1)
        if left <= LEFT * tolerance and steepest <= tolerance:
            if not rough:
                break
            rough, point = False, problem.at(point.state, rough=False)
            continue
        step += 1
        new, length = _along(problem, point, direction, min(1.0, 2 * length), rough=rough)
        if new is not None:
            change, turn = new.state - point.state, new.gradient - point.gradient
            if dot(change, turn) > 0:  # always, but for rounding
                pairs.append((change, turn))
            point = new
        elif rough:  # as far as the problem that costs less leads
            rough, point, length = False, problem.at(point.state, rough=False), 1.0
        elif pairs:
            pairs.clear()
            length = 1.0
        else:  # as far as the precision leads
            break
    return (problem.at(point.state, rough=False) if rough else point), step


def _left(problem: Smooth, point: Point) -> float:
    return 0.5 * dot(point.gradient, problem.newton(point, point.gradient))


def dot(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the inner product."""
    return float((one * other).sum())


def _direction(problem: Smooth, point: Point, pairs: Iterable[Pair]) -> torch.Tensor:
    pairs = list(pairs)
    found, weights = point.gradient.clone(), []
    for change, turn in reversed(pairs):
        weights.append((change * found).sum() / (change * turn).sum())
        found -= weights[-1] * turn
    found = problem.newton(point, found)
    for change, turn in pairs:
        found += (weights.pop() - (turn * found).sum() / (change * turn).sum()) * change
    return -found


def _along(
    problem: Smooth, point: Point, direction: torch.Tensor, length: float, *, rough: bool
) -> tuple[Point | None, float]:
    """Go one step down, as long as pays; None where no step leads further down."""
    slope = dot(direction, point.gradient)
    while slope < 0 and length > SMALLEST:
        new = problem.at(point.state + length * direction, rough=rough)
        gain = new.value - point.value
        if gain <= ARMIJO * length * slope:
            return new, length
        flatter = abs(dot(direction, new.gradient)) <= 0.9 * abs(slope)
        if gain <= NOISE * abs(point.value) and flatter:  # Hager and Zhang 2005
            return new, length
        # The lowest point of the parabola through what is known.
        length *= min(0.5, max(0.1, -slope * length / (2 * (gain - slope * length))))
    return None, length
