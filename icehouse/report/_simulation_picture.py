"""A simulation as a picture: accuracy by labels with bands, a panel for each head."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from icehouse.report._canvas import FAINT, INK, RULE, Canvas, Point, text_width
from icehouse.report._compare_pictures import COLOURS, _ticks

if TYPE_CHECKING:
    from icehouse.review import Curve, Simulation

MARGIN, TOP, PLOT, GAP = 20, 70, (560, 400), 90
RANDOM, GREY = "random", "#6a737d"
BAND, BANDS = 0.18, 3  # how strong bands are, of so many; of more they are weaker
DASH = 7.0
ROUND = 1, 2, 5


def draw_simulation(simulation: Simulation) -> bytes:
    """Draw accuracy by labels, on a logarithmic axis, as a PNG; random in dashes."""
    heads = list(dict.fromkeys(curve.head for curve in simulation.curves))
    names = [curve.strategy for curve in simulation.curves]
    beside = max(text_width(name, 13) for name in names)
    left = MARGIN + 44
    legend = left + PLOT[0] + 40
    rows = max(names.count(name) for name in names) and len(names) // len(heads)
    panel = max(PLOT[1], rows * 22) + GAP
    canvas = Canvas(legend + 34 + beside + 30, TOP + panel * len(heads))
    title = f"{simulation.task}: accuracy on {simulation.images:,} images, by labels"
    canvas.text((MARGIN, 26), title, 18, INK)
    said = f"{simulation.encoder}, means and 95 % intervals of {simulation.seeds} seeds"
    canvas.text((MARGIN, 48), said, 13, FAINT)
    strategies = sorted({curve.strategy for curve in simulation.curves} - {RANDOM})
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(strategies)}
    colours[RANDOM] = GREY
    for number, head in enumerate(heads):
        curves = [curve for curve in simulation.curves if curve.head == head]
        top = TOP + number * panel
        place = _axes(canvas, curves, left, top)
        for curve in reversed(curves):  # the best is drawn last, on top
            band = BAND * min(1, BANDS / len(curves))
            _draw(canvas, curve, colours[curve.strategy], place, band)
        _goals(canvas, curves[0], left, place)  # over the bands, to be read
        for row, curve in enumerate(curves):
            y = top + 10 + row * 22
            dash = DASH if curve.strategy == RANDOM else None
            line(canvas, [(legend, y), (legend + 24, y)], colours[curve.strategy], dash)
            canvas.text((legend + 34, y), curve.strategy, 13)
    return canvas.png()


def _axes(
    canvas: Canvas, curves: list[Curve], left: float, top: float
) -> Callable[[float, float], Point]:
    """Draw the grid of one head; return where labels and accuracies lie."""
    right, bottom = left + PLOT[0], top + PLOT[1]
    points = [point for curve in curves for point in curve.points]
    lows = [p.accuracy if p.low is None else p.low for p in points]
    highs = [p.accuracy if p.high is None else p.high for p in points]
    goals = [need.share * curves[0].full for need in curves[0].needed]
    ticks = _ticks(max(0, min(lows)), min(1, max(*highs, *goals)))
    first, last = (math.log(end(p.labels for p in points)) for end in (min, max))

    def place(labels: float, accuracy: float) -> Point:
        across = (math.log(labels) - first) / (last - first) if last > first else 0.5
        up = (accuracy - ticks[0]) / (ticks[-1] - ticks[0])
        return left + across * PLOT[0], bottom - up * PLOT[1]

    for tick in ticks:
        y = place(1, tick)[1]
        canvas.line([(left, y), (right, y)], RULE)
        canvas.text((left - 12, y), f"{tick:.2f}", 12, FAINT, "rm")
    for labels in round_numbers(math.exp(first), math.exp(last)):
        x = place(labels, 0)[0]
        canvas.text((x, bottom + 16), f"{labels:,}", 12, FAINT, "mm")
    canvas.text(((left + right) / 2, bottom + 38), f"labels, {curves[0].head}", 12, FAINT, "mm")
    return place


def _goals(
    canvas: Canvas, curve: Curve, left: float, place: Callable[[float, float], Point]
) -> None:
    for need in curve.needed:
        y = place(1, need.share * curve.full)[1]
        line(canvas, [(left, y), (left + PLOT[0], y)], INK, 2.5)
        canvas.text((left + 4, y - 8), f"{need.share:.0%} of {curve.full:.3f}", 11, INK)


def _draw(
    canvas: Canvas,
    curve: Curve,
    colour: str,
    place: Callable[[float, float], Point],
    band: float,
) -> None:
    points = [place(each.labels, each.accuracy) for each in curve.points]
    if curve.points[0].low is not None:
        highs = [place(each.labels, min(each.high or 0, 1)) for each in curve.points]
        lows = [place(each.labels, max(each.low or 0, 0)) for each in curve.points]
        canvas.area([*highs, *reversed(lows)], colour, band)
    if len(points) > 1:
        line(canvas, points, colour, DASH if curve.strategy == RANDOM else None)
    else:
        canvas.mark(points[0], None, 4, colour, filled=True)


def line(canvas: Canvas, points: list[Point], colour: str, dash: float | None) -> None:
    """Draw a line through points, in dashes of a length if one is given."""
    if dash is None:
        canvas.line(points, colour, 1.8)
        return
    left, drawn = dash, True
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        length, done = math.hypot(to_x - x, to_y - y), 0.0
        while done < length:
            step = min(left, length - done)
            ends = [
                (x + (to_x - x) * part / length, y + (to_y - y) * part / length)
                for part in (done, done + step)
            ]
            if drawn:
                canvas.line(ends, colour, 1.8)
            done, left = done + step, left - step
            if left <= 1e-9:
                left, drawn = dash, not drawn


def round_numbers(low: float, high: float) -> list[int]:
    """Return 1, 2 and 5 by powers of ten between two numbers.

    Examples
    --------
    >>> round_numbers(20, 700)
    [20, 50, 100, 200, 500]
    """
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [digit * 10**exponent for exponent in exponents for digit in ROUND]
    found = [int(number) for number in every if low - 1e-9 <= number <= high + 1e-9]
    return found or [round(low)]
