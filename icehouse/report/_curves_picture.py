"""Training curves as a picture: loss and accuracy after each epoch, trained on and held out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from icehouse.report._canvas import FAINT, INK, RULE, Canvas, text_width

if TYPE_CHECKING:
    from icehouse.heads import Curves, HeadCard
    from icehouse.store import Store

MARGIN, TOP, PLOT, APART = 20, 92, (400, 260), 90
TRAINED, HELD = "#b58407", "#1f6feb"


def write_curves(store: Store, card: HeadCard, curves: Curves) -> str:
    """Draw the curves of a stored head as ``curves.png`` beside it; return where it is."""
    title = f"{card.task}: training of {card.name}"
    return store.files.commit(f"{card.folder}/curves.png", draw_curves(curves, title))


def draw_curves(curves: Curves, title: str) -> bytes:
    """Draw loss and accuracy side by side, the epoch that was kept marked, as a PNG."""
    width = 2 * MARGIN + 2 * (PLOT[0] + 44) + APART
    canvas = Canvas(width, TOP + PLOT[1] + 64)
    canvas.text((MARGIN, 26), title, 18, INK)
    _legend(canvas, curves)
    left = MARGIN + 44
    for name, train, val in (
        ("loss, nats", curves.train_loss, curves.val_loss),
        ("accuracy", curves.train_accuracy, curves.val_accuracy),
    ):
        _plot(canvas, left, name, {TRAINED: train, HELD: val}, curves.kept)
        left += PLOT[0] + 44 + APART
    return canvas.png()


def _plot(
    canvas: Canvas, left: float, name: str, lines: dict[str, Sequence[float]], kept: int
) -> None:
    right, bottom = left + PLOT[0], TOP + PLOT[1]
    values = [value for line in lines.values() for value in line]
    epochs = max(map(len, lines.values()))
    ticks = _ticks(min(values), max(values))

    def y(value: float) -> float:
        return bottom - (value - ticks[0]) / (ticks[-1] - ticks[0]) * PLOT[1]

    def x(epoch: int) -> float:
        return left + (epoch / (epochs - 1) if epochs > 1 else 0.5) * PLOT[0]

    canvas.text((left, TOP - 18), name, 14, INK)
    for tick in ticks:
        canvas.line([(left, y(tick)), (right, y(tick))], RULE)
        canvas.text((left - 12, y(tick)), f"{tick:.3g}", 12, FAINT, "rm")
    for epoch in {0, kept, epochs - 1}:
        canvas.text((x(epoch), bottom + 18), str(epoch + 1), 12, FAINT, "mm")
    canvas.text(((left + right) / 2, bottom + 40), "epoch", 12, FAINT, "mm")
    for colour, line in lines.items():
        if len(line) > 1:
            canvas.line([(x(epoch), y(value)) for epoch, value in enumerate(line)], colour, 1.8)
        if line:
            canvas.mark((x(kept), y(line[kept])), None, 4, colour, filled=True)


def _legend(canvas: Canvas, curves: Curves) -> None:
    x: float = MARGIN
    lines = [("trained on", TRAINED), *([("held out", HELD)] if curves.val_loss else [])]
    for words, colour in lines:
        canvas.line([(x, 54), (x + 24, 54)], colour, 1.8)
        canvas.text((x + 32, 54), words, 13, FAINT)
        x += 32 + text_width(words, 13) + 28
    canvas.mark((x + 5, 54), None, 4, FAINT, filled=True)
    canvas.text((x + 16, 54), f"kept: epoch {curves.kept + 1}", 13, FAINT)


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers around a range, about five of them."""
    span = max(high - low, 1e-3 * max(abs(high), 1e-3))
    power = 10.0 ** math.floor(math.log10(span / 4))
    step: float = next(power * each for each in (1, 2, 5, 10) if power * each >= span / 4)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [number * step for number in range(first, max(last, first + 1) + 1)]
