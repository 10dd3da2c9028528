"""The next images to label: a strategy by its name, and a batch of what it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from icehouse.errors import UsageError
from icehouse.review.strategies import _scores
from icehouse.review.strategies._apart import Batch
from icehouse.review.strategies._badge import BADGE, badge
from icehouse.review.strategies._coreset import CORESET, coreset
from icehouse.review.strategies._herding import HERDING, herding
from icehouse.review.strategies._pool import Chosen, IntArray, Pool
from icehouse.review.strategies._space import Doubles, Space
from icehouse.review.strategies._typical import TYPICAL, typical

RANDOM, AUTO = "random", "auto"
LABEL_ERROR = "label-error"
DEFAULT = AUTO

REASONS: Mapping[str, str] = {
    "random": "drawn at random",
    "least-confidence": "the head is not sure of its answer",
    "margin": "two classes are almost equally probable",
    "entropy": "several classes are probable",
    "near-threshold": "near the threshold",
    "disagreement": "heads, encoders or captions answer otherwise",
    LABEL_ERROR: "its label is probably wrong",
    "density": "the head is not sure, and many images are like it",
    CORESET: "unlike all that is labelled",
    TYPICAL: "many images are like it, and none of them is labelled",
    BADGE: "would change the head much, and otherwise than the others",
    HERDING: "the head is not sure of many that are like it",
}
"""What it means that a strategy has chosen an image, in words."""


@dataclass(frozen=True)
class _Call:
    """What a strategy works on."""

    pool: Pool
    batch: Batch
    size: int
    random: np.random.Generator


def _ranked(name: str, score: Callable[[Pool], Doubles]) -> Callable[[_Call], None]:
    def run(call: _Call) -> None:
        scores = score(call.pool)
        rows = call.pool.free if name != LABEL_ERROR else np.flatnonzero(scores > 0)
        _fill(call, rows, scores, name)

    return run


def _fill(call: _Call, rows: IntArray, scores: Doubles, name: str) -> None:
    """Take the highest scores; which of equal ones, is drawn."""
    rows = rows[call.random.permutation(len(rows))]
    few = 4 * call.size + 64
    while True:
        some = rows
        if few < len(rows):
            last = np.partition(scores[rows], len(rows) - few)[len(rows) - few]
            some = rows[scores[rows] >= last]
        order = some[np.argsort(-scores[some], kind="stable")]
        call.batch.fill(order, scores[order], name, call.size)
        if len(call.batch) >= call.size or len(some) == len(rows):
            return
        few *= 8


def _uncertain(pool: Pool, name: str) -> Doubles:
    return _scores.least_confidence(pool.proba_for(name), multi_label=pool.multi_label)


def _margin(pool: Pool) -> Doubles:
    if pool.multi_label:
        raise UsageError(
            "'margin' is for classes that exclude each other; for several labels an image take "
            "'near-threshold' or 'least-confidence'"
        )
    return _scores.margin(pool.proba_for("margin"))


def _near_threshold(pool: Pool) -> Doubles:
    proba = pool.proba_for("near-threshold")
    return _scores.near_threshold(proba, pool.threshold, multi_label=pool.multi_label)


def _entropy(pool: Pool) -> Doubles:
    return _scores.entropy(pool.proba_for("entropy"), multi_label=pool.multi_label)


def _disagreement(pool: Pool) -> Doubles:
    members = [*([] if pool.proba is None else [pool.proba]), *pool.committee]
    return _scores.disagreement(members, multi_label=pool.multi_label)


def _density(call: _Call) -> None:
    uncertain = _uncertain(call.pool, "density")
    _fill(call, call.pool.free, _scores.density_weighted(uncertain, call.batch.space), "density")


def _auto(call: _Call) -> None:
    """Typical images while there is no head, and then those that teach it most."""
    first = call.pool.proba is None
    (typical if first else herding)(call.pool, call.batch, call.size, call.random)


def _drawn(call: _Call) -> None:
    _fill(call, call.pool.free, np.zeros(len(call.pool)), RANDOM)


STRATEGIES: Mapping[str, Callable[[_Call], None]] = {
    AUTO: _auto,
    RANDOM: _drawn,
    "least-confidence": _ranked("least-confidence", lambda p: _uncertain(p, "least-confidence")),
    "margin": _ranked("margin", _margin),
    "entropy": _ranked("entropy", _entropy),
    "near-threshold": _ranked("near-threshold", _near_threshold),
    "disagreement": _ranked("disagreement", _disagreement),
    LABEL_ERROR: _ranked(LABEL_ERROR, lambda p: _scores.expected_error(p.label_error)),
    "density": _density,
    CORESET: lambda call: coreset(call.pool, call.batch, call.size),
    TYPICAL: lambda call: typical(call.pool, call.batch, call.size, call.random),
    BADGE: lambda call: badge(call.pool, call.batch, call.size, call.random),
    HERDING: lambda call: herding(call.pool, call.batch, call.size, call.random),
}


def parse_strategy(text: str) -> tuple[str, ...]:
    """Return the parts of a strategy: ``margin``, or a mixture, ``margin+coreset``.

    Raises
    ------
    UsageError
        One of them does not exist.

    Examples
    --------
    >>> parse_strategy("margin+coreset")
    ('margin', 'coreset')
    """
    parts = tuple(part.strip() for part in text.split("+"))
    for part in parts:
        if part not in STRATEGIES:
            raise UsageError(
                f"no strategy {part!r}; there are: {', '.join(STRATEGIES)}, and mixtures of them, "
                "such as margin+coreset"
            )
    return parts


def choose(
    pool: Pool, strategy: str = DEFAULT, batch: int = 20, rng: np.random.Generator | None = None
) -> Chosen:
    """Choose the images to label next.

    No two of them are near-duplicates (cosine 0.995 or more, the mean of the pool subtracted), and
    what has the same score is drawn. A mixture divides the batch among its parts, the first of
    which get one more where it does not come out even; each sees what those before it took.

    Parameters
    ----------
    pool : Pool
    strategy : str
        One of ``STRATEGIES``, or several: ``margin+coreset``.
    batch : int
    rng : numpy.random.Generator, optional
        By default one of seed 0.

    Returns
    -------
    Chosen
        Fewer than ``batch`` where there are not so many that differ.

    Raises
    ------
    UsageError
        No such strategy, or one that needs what the pool does not have; or a batch of none.
    """
    if batch < 1:
        raise UsageError(f"a batch is of 1 image or more, got {batch}")
    parts = parse_strategy(strategy)
    random = np.random.default_rng(0) if rng is None else rng
    taken = Batch(pool.space or Space(pool.features), batch)
    for number, part in enumerate(parts):
        share = taken.size * (number + 1)
        STRATEGIES[part](_Call(pool, taken, -(-share // len(parts)), random))
    return taken.chosen()
