"""Comparisons as pictures: intervals of accuracies, and accuracy by the number of labels."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from icehouse.report._canvas import FAINT, INK, RULE, Canvas, Point, text_width

if TYPE_CHECKING:
    from icehouse.heads import Comparison, Contender, LabelCounts, LabelCurve

MARGIN, HEADER, FOOTER, ROW = 20, 82, 48, 26
AXIS, PLOT = 520, (560, 400)
BEST, LIKE, WORSE = "#1f6feb", "#1f6feb", "#b58407"
COLOURS = "#1f6feb", "#b58407", "#1a7f37", "#cf222e", "#8250df", "#0e7c86", "#bf3989", "#57606a"
SHAPES: dict[str, tuple[Point, ...] | None] = {
    "logistic": None,
    "mlp": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "forest": ((0, -1.15), (1.1, 0.85), (-1.1, 0.85)),
    "xgboost": ((0, 1.15), (1.1, -0.85), (-1.1, -0.85)),
    "knn": ((0, -1.25), (1.25, 0), (0, 1.25), (-1.25, 0)),
}


def draw_comparison(comparison: Comparison) -> bytes:
    """Draw the accuracy of each contender with its interval, the best on top, as a PNG."""
    rows = comparison.contenders
    names = [_name(each) for each in rows]
    left = MARGIN + max(text_width(name, 14) for name in names) + 16
    right = left + AXIS
    bottom = HEADER + len(rows) * ROW
    canvas = Canvas(right + 70, bottom + FOOTER)
    _heading(canvas, f"{comparison.task}: accuracy on {_measured(comparison)}")
    _legend(canvas)
    ticks = _ticks(min(each.low for each in rows), max(each.high for each in rows))
    span = ticks[-1] - ticks[0]

    def x(value: float) -> float:
        return left + (value - ticks[0]) / span * AXIS

    for tick in ticks:
        canvas.line([(x(tick), HEADER - 6), (x(tick), bottom)], RULE)
        canvas.text((x(tick), bottom + 14), f"{tick:.2f}", 12, FAINT, "mm")
    for number, each in enumerate(rows):
        y = HEADER + (number + 0.5) * ROW
        colour = LIKE if each.like_best else WORSE
        at = x(each.metrics.top1), y
        canvas.text((MARGIN, y), names[number], 14)
        canvas.line([(x(each.low), y), (x(each.high), y)], colour, 2)
        canvas.mark(at, None, 5, colour, filled=each.p is None or not each.like_best)
        canvas.text((right + 16, y), f"{each.metrics.top1:.3f}", 14)
    return canvas.png()


def draw_label_counts(counts: LabelCounts) -> bytes:
    """Draw accuracy by the number of labels of each class, a line a contender, as a PNG."""
    curves = counts.curves
    beside = max(text_width(_name(curve), 13) for curve in curves)
    left, right = MARGIN + 44, MARGIN + 44 + PLOT[0]
    top, bottom = HEADER - 20, HEADER - 20 + PLOT[1]
    height = max(bottom + 56, top + len(curves) * 22 + MARGIN)
    canvas = Canvas(right + 40 + 34 + beside + 60, height)
    images = f"{counts.images:,} {'test' if counts.split == 'test' else 'validation'} images"
    _heading(canvas, f"{counts.task}: accuracy on {images}, by labels of each class")
    sizes = sorted({point.count for curve in curves for point in curve.points})
    found = [point.accuracy for curve in curves for point in curve.points]
    ticks = _ticks(min(found), max(found))
    first, last = math.log(sizes[0]), math.log(sizes[-1])

    def place(count: int, accuracy: float) -> Point:
        across = (math.log(count) - first) / (last - first) if last > first else 0.5
        up = (accuracy - ticks[0]) / (ticks[-1] - ticks[0])
        return left + across * PLOT[0], bottom - up * PLOT[1]

    for tick in ticks:
        y = place(sizes[0], tick)[1]
        canvas.line([(left, y), (right, y)], RULE)
        canvas.text((left - 12, y), f"{tick:.2f}", 12, FAINT, "rm")
    for size in sizes:
        canvas.text((place(size, 0)[0], bottom + 18), str(size), 12, FAINT, "mm")
    canvas.text(((left + right) / 2, bottom + 40), "labels of each class", 12, FAINT, "mm")
    colours = colours_of(curve.encoder for curve in curves)
    for number, curve in reversed(list(enumerate(curves))):  # the best is drawn last, on top
        colour = colours[curve.encoder]
        shape = SHAPES.get(curve.head)
        points = [place(point.count, point.accuracy) for point in curve.points]
        if len(points) > 1:
            canvas.line(points, colour, 1.6)
        y = top + 6 + number * 22
        canvas.line([(right + 40, y), (right + 64, y)], colour, 1.6)
        for at in (*points, (right + 52, y)):
            canvas.mark(at, shape, 4, colour, filled=True)
        canvas.text((right + 74, y), _name(curve), 13)
        canvas.text((right + 74 + beside + 14, y), f"{curve.points[-1].accuracy:.3f}", 13, FAINT)
    return canvas.png()


def colours_of(encoders: Iterable[str]) -> dict[str, str]:
    """Return a colour for each encoder: by its name, so that it is the same in other pictures.

    Of two encoders that would have the same, the later by name takes the next that is free; our
    own, which need no download, are in most pictures and come first.
    """
    found: dict[str, str] = {}
    for encoder in sorted(set(encoders), key=lambda name: (":" in name, name)):
        first = zlib.crc32(encoder.encode()) % len(COLOURS)
        wanted = COLOURS[first:] + COLOURS[:first]
        free = [colour for colour in wanted if colour not in found.values()]
        found[encoder] = (free or wanted)[0]
    return found


def _measured(comparison: Comparison) -> str:
    side = "test" if comparison.split == "test" else "validation"
    times = f", {comparison.seeds} splits" if comparison.seeds > 1 else ""
    return f"{comparison.images:,} {side} images{times}, with 95 % intervals"


def _heading(canvas: Canvas, title: str) -> None:
    canvas.text((MARGIN, 26), title, 18, INK)


def _legend(canvas: Canvas) -> None:
    x: float = MARGIN + 5
    for words, colour, filled in (
        ("the best", BEST, True),
        ("not distinguishable from it", LIKE, False),
        ("worse (p < 0.05)", WORSE, True),
    ):
        canvas.mark((x, 54), None, 5, colour, filled)
        canvas.text((x + 12, 54), words, 13, FAINT)
        x += 12 + text_width(words, 13) + 28


def _ticks(low: float, high: float) -> list[float]:
    """Return round shares around a range, between 0 and 1, about six of them."""
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if (high - low) / s <= 7 or s == 0.2)
    first = min(math.floor(low / step + 1e-9), round(1 / step) - 1)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [number * step for number in range(first, last + 1)]


def _name(each: Contender | LabelCurve) -> str:
    return f"{each.encoder} + {each.called}"
