"""Whether probabilities can be taken at their word: the reliability diagram."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.report.page._blocks import Block, Chart, Charts, Section, Table, Words, named
from icehouse.report.page._evidence import Evidence, split_name
from icehouse.report.page._plot import Axis, Plot, round_ticks, unit_ticks

BINS = 15  # as the expected calibration error counts them


@dataclass(frozen=True)
class Reliability:
    """Answers by how sure they are.

    Attributes
    ----------
    count : array of int, shape (15,)
    confidence, accuracy : array of float, shape (15,)
        Means; NaN in an empty bin.
    """

    count: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]

    @property
    def error(self) -> float:
        """The expected calibration error (Guo et al. 2017)."""
        gap = np.abs(self.confidence - self.accuracy)
        return float(np.nansum(gap * self.count) / self.count.sum())

    @property
    def lean(self) -> float:
        """Mean confidence less accuracy: above 0 the head promises too much."""
        gap = self.confidence - self.accuracy
        return float(np.nansum(gap * self.count) / self.count.sum())


def reliability(evidence: Evidence) -> Reliability:
    """Sort answers into bins of confidence; of several labels an image each is an answer."""
    if evidence.multi:
        sure = np.where(evidence.answered, evidence.proba, 1 - evidence.proba).reshape(-1)
        hit = (evidence.answered == evidence.truth).reshape(-1)
    else:
        sure = evidence.proba[evidence.answered]
        hit = evidence.truth[evidence.answered]
    bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    some = np.where(count > 0, count, np.nan)
    confidence = np.bincount(bins, sure, minlength=BINS) / some
    return Reliability(count, confidence, np.bincount(bins, hit, minlength=BINS) / some)


def calibration_section(evidence: Evidence) -> Section:
    """Return the reliability diagram, and how many answers are how sure."""
    found = reliability(evidence)
    table = Table(
        "By confidence",
        ("confidence", "answers", "mean confidence", "right"),
        tuple(
            (f"{i / BINS:.2f}–{(i + 1) / BINS:.2f}", f"{n:,}", f"{sure:.3f}", f"{right:.3f}")
            for i, (n, sure, right) in enumerate(
                zip(found.count.tolist(), found.confidence, found.accuracy, strict=True)
            )
            if n
        ),
        "lrrr",
        folded=True,
    )
    return Section(
        "calibration",
        "Can its probabilities be taken at their word?",
        "On the diagonal, of answers given with 0.8 eight in ten are right; below it the head is "
        "surer than it should be, above it too modest. Small discs rest on few answers.",
        (
            Words(in_words(found)),
            Charts((_diagram(found), _histogram(found)), table),
            *_sets(evidence),
        ),
    )


def in_words(found: Reliability) -> str:
    """Return how far confidence and accuracy are apart, and which way."""
    text = f"Confidence and accuracy are {found.error:.3f} apart on average (ECE, {BINS} bins)"
    if abs(found.lean) < 0.005:
        return f"{text}, without a lean to either side."
    way = "surer than it is right" if found.lean > 0 else "more modest than it need be"
    return f"{text}; as a whole the head is {way}, by {abs(found.lean):.3f}."


def _sets(evidence: Evidence) -> list[Block]:
    """Return how often sets of classes hold what they should, where a coverage was asked."""
    card = evidence.card
    rows = tuple(
        (named(split_name(split)), f"{m['n']:,}", f"{m['covered']:.1%}", f"{m['set_size']:.2f}")
        for split, m in card.metrics.items()
        if "covered" in m
    )
    if card.coverage is None or not rows:
        return []
    what = "all labels" if evidence.multi else "the label"
    text = (
        f"Instead of one answer the head can give a set of classes. Covered is the share of images "
        f"whose set holds {what}, when the head was fitted; of few images it varies by chance. The "
        "smaller the sets, the more they say, and an empty one says that none is probable enough."
    )
    columns = ("split", "images", "covered", "mean size")
    title = f"Sets of classes, of which a coverage of {card.coverage:.1%} was asked"
    return [Table(title, columns, rows, "lrrr"), Words(text, "quiet")]


def _diagram(found: Reliability) -> Chart:
    axis = Axis("mean confidence", 0, 1, unit_ticks())
    plot = Plot("Reliability diagram", axis, Axis("share of right answers", 0, 1, unit_ticks()))
    plot.line([(0, 0), (1, 1)], "guide")
    rows = np.flatnonzero(found.count)
    most = int(found.count.max())
    for i in rows:
        sure, right = float(found.confidence[i]), float(found.accuracy[i])
        plot.line([(sure, sure), (sure, right)], "gap")
    points = [(float(found.confidence[i]), float(found.accuracy[i])) for i in rows]
    plot.line(points, "one thin")
    for point, n in zip(points, found.count[rows].tolist(), strict=True):
        said = f"{n:,} answers: confidence {point[0]:.3f}, right {point[1]:.3f}"
        plot.dot(point, max(2.5, 9 * math.sqrt(n / most)), "one", said)
    return Chart("Reliability", plot.svg())


def _histogram(found: Reliability) -> Chart:
    most = int(found.count.max())
    plot = Plot(
        "How sure the answers are",
        Axis("confidence", 0, 1, unit_ticks()),
        Axis("answers", 0, most * 1.05, round_ticks(most)),
    )
    for i, n in enumerate(found.count.tolist()):
        if n:
            said = f"{i / BINS:.2f}–{(i + 1) / BINS:.2f}: {n:,} answers"
            plot.box((i / BINS + 0.004, 0), ((i + 1) / BINS - 0.004, n), "one", said)
    return Chart("How sure the answers are", plot.svg())
