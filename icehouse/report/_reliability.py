"""Reliability diagrams: how often answers are right, by how sure they were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from icehouse.report._canvas import FAINT, INK, RULE, Canvas, text_width
from icehouse.store import files_at

if TYPE_CHECKING:
    from icehouse.heads import HeadCard

MARGIN, LEFT, TOP, SIDE, BARS, GAP = 20, 64, 92, 260, 50, 80
RIGHT, IDEAL = "#1f6feb", "#b58407"
BINS = 15  # of the calibration error
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
TITLE = 16
LEAST, LARGEST = 2.5, 9.0  # radius of a point, of a few answers and of the most


def write_reliability(card: HeadCard, folder: str | Path) -> str:
    """Write ``reliability.png`` into a folder or URL, beside the metrics that it shows."""
    return files_at(folder).commit("reliability.png", draw_reliability(card))


def draw_reliability(card: HeadCard) -> bytes:
    """Draw a diagram for each split that was measured, as a PNG.

    Each point is a bin of confidence, at its mean confidence and the share of its answers that
    is right, and its area is the number of answers; on the line both are the same, below it the
    head is too sure. The bars show how many answers are in each bin.
    """
    splits = [name for name in card.reliability if card.reliability[name]]
    title = f"{card.task}, {card.name}: right answers by confidence ({card.calibration.kind})"
    width = LEFT + len(splits) * (SIDE + GAP) - GAP + MARGIN + 10
    canvas = Canvas(max(width, text_width(title, TITLE) + 2 * MARGIN), TOP + SIDE + BARS + 76)
    canvas.text((MARGIN, 24), title, TITLE, INK)
    for number, name in enumerate(splits):
        left = LEFT + number * (SIDE + GAP)
        _square(canvas, left)
        _points(canvas, left, card.reliability[name])
        canvas.text((left, TOP - 34), f"{name}, {card.metrics[name]['n']:,} images", 12, INK)
        canvas.text((left, TOP - 16), _numbers(card, name), 11, FAINT)
    return canvas.png()


def _square(canvas: Canvas, left: float) -> None:
    right, bottom = left + SIDE, TOP + SIDE
    for tick in TICKS:
        x, y = left + tick * SIDE, bottom - tick * SIDE
        canvas.line([(left, y), (right, y)], RULE)
        canvas.line([(x, TOP), (x, bottom)], RULE)
        canvas.text((left - 8, y), f"{tick:.2f}", 11, FAINT, "rm")
        canvas.text((x, bottom + BARS + 22), f"{tick:.2f}", 11, FAINT, "mm")
    canvas.line([(left, bottom), (right, TOP)], IDEAL, 1.4)
    canvas.text((left + SIDE / 2, bottom + BARS + 44), "confidence", 11, FAINT, "mm")


def _points(canvas: Canvas, left: float, bins: Sequence[Sequence[float]]) -> None:
    bottom, most = TOP + SIDE, max(count for count, _, _ in bins)
    points = [(left + sure * SIDE, bottom - right * SIDE) for _, sure, right in bins]
    if len(points) > 1:
        canvas.line(points, RIGHT, 1.6)
    floor = bottom + BARS + 10
    canvas.line([(left, floor), (left + SIDE, floor)], RULE)
    canvas.text((left - 8, floor - BARS + 8), f"{most:,}", 11, FAINT, "rm")
    canvas.text((left - 8, floor), "0", 11, FAINT, "rm")
    for (count, sure, _), at in zip(bins, points, strict=True):
        canvas.mark(at, None, radius(count, most), RIGHT, filled=True)
        x = left + (min(int(sure * BINS), BINS - 1) + 0.5) / BINS * SIDE
        canvas.line([(x, floor), (x, floor - max(count / most * BARS, 1))], RIGHT, SIDE / BINS - 4)


def radius(count: float, most: float) -> float:
    """Return how large the point of a bin is: its area is the number of answers, but not less."""
    return max(LEAST, LARGEST * math.sqrt(count / most))


def _numbers(card: HeadCard, split: str) -> str:
    metrics = card.metrics[split]
    shown = [("ECE", "ece"), ("Brier", "brier"), ("log loss", "log_loss")]
    found = [f"{name} {metrics[key]:.3f}" for name, key in shown if metrics.get(key) is not None]
    return "  ".join(found)
