"""What a simulation is to replay, and what it found."""

from __future__ import annotations

from dataclasses import dataclass

from icehouse.errors import UsageError
from icehouse.heads import Fractions
from icehouse.review._saving import Needed
from icehouse.review.strategies import DEFAULT, parse_strategy

SIMULATED = DEFAULT, "margin", "least-confidence", "entropy", "coreset", "typical"


@dataclass(frozen=True)
class SimulateOptions:
    """What to replay, and on what.

    Attributes
    ----------
    task, encoder, dataset : str or None
        None: the only one (of datasets: all).
    strategies : tuple of str
        Names or mixtures, such as ``margin+coreset``. Drawing at random is always added.
    heads : tuple of str
        Kinds.
    seeds, seed : int
        How many replays of each strategy, and the first of their seeds.
    start : int
        Labels at the beginning, drawn at random; the same for all strategies of a seed.
    batch : int or None
        Labels that are added before the next fit. None: three in ten of what there is.
    budget : int or None
        Labels at the end. None: as many as drawing at random needs for 95 % of the accuracy
        that all labels give, and one batch more.
    fractions : Fractions or None
        Of the split, where the source gives none.
    processes : int or None
        That replay at once. None: one for each core, if there is much to do.
    """

    task: str | None = None
    encoder: str | None = None
    dataset: str | None = None
    strategies: tuple[str, ...] = SIMULATED
    heads: tuple[str, ...] = ("logistic",)
    seeds: int = 10
    seed: int = 0
    start: int = 20
    batch: int | None = None
    budget: int | None = None
    fractions: Fractions | None = None
    processes: int | None = None

    def __post_init__(self) -> None:
        for name in ("seeds", "start", "batch", "budget", "processes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is 1 or more, got {value}")
        if self.start < 2:
            raise UsageError("a head takes 2 labels or more to begin with; start was 1")
        for strategy in self.strategies:
            if "label-error" in parse_strategy(strategy):
                raise UsageError(
                    "a simulation takes all labels for right, so 'label-error' has none to find"
                )


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy with so many labels: mean over the seeds, and its 95 % interval (Student's t)."""

    labels: int
    accuracy: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Curve:
    """A strategy with a head.

    Attributes
    ----------
    strategy, head : str
    full : float
        Accuracy of the head with all labels of the pool.
    points : tuple of CurvePoint
    needed : tuple of Needed
        For 90 and 95 % of that.
    """

    strategy: str
    head: str
    full: float
    points: tuple[CurvePoint, ...]
    needed: tuple[Needed, ...]


@dataclass(frozen=True)
class Simulation:
    """Curves, by head; those that need the fewest labels first.

    Attributes
    ----------
    task, kind, encoder, encoder_id : str
        ``kind`` is "single" or "multi".
    split : {"test", "val"}
        What was measured on.
    pool, images : int
        Images to choose from, and to measure on.
    seeds, start : int
    curves : tuple of Curve
        Drawing at random is one of them.
    notes : tuple of str
    """

    task: str
    kind: str
    encoder: str
    encoder_id: str
    split: str
    pool: int
    images: int
    seeds: int
    start: int
    curves: tuple[Curve, ...]
    notes: tuple[str, ...]
