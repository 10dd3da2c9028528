"""Training curves as a picture: loss and accuracy after each epoch, trained on and held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from icehouse.report._axes import digits_of, steps_around, steps_of_shares
from icehouse.report._canvas import FAINT, INK, RULE, Canvas, text_width

if TYPE_CHECKING:
    from icehouse.heads import Curves, HeadCard
    from icehouse.store import Store

MARGIN, TOP, PLOT, AXIS, BESIDE = 20, 112, (400, 260), 44, 90
TRAINED, HELD = "#b58407", "#1f6feb"
SIDES = {TRAINED: "trained on", HELD: "held out"}
LINE = 16  # units between names of curves that end at the same place


def write_curves(store: Store, card: HeadCard, curves: Curves) -> str:
    """Draw the curves of a stored head as ``curves.png`` beside it; return where it is."""
    title = f"{card.task}: training of {card.name}"
    return store.files.commit(f"{card.folder}/curves.png", draw_curves(curves, title))


def draw_curves(curves: Curves, title: str) -> bytes:
    """Draw loss and accuracy side by side, the epoch that was kept marked, as a PNG."""
    canvas = Canvas(2 * (MARGIN + AXIS + PLOT[0] + BESIDE), TOP + PLOT[1] + 64)
    canvas.text((MARGIN, 26), title, 18, INK)
    canvas.mark((MARGIN + 5, 54), None, 4, FAINT, filled=True)
    canvas.text((MARGIN + 16, 54), f"kept: epoch {curves.kept + 1}", 13, FAINT)
    loss = {TRAINED: curves.train_loss, HELD: curves.val_loss}
    accuracy = {TRAINED: curves.train_accuracy, HELD: curves.val_accuracy}
    left = MARGIN + AXIS
    losses = [*curves.train_loss, *curves.val_loss]
    for name, lines, ticks in (
        ("loss, nats", loss, steps_around(min(losses), max(losses))),
        (
            "accuracy",
            accuracy,
            steps_of_shares(value for line in accuracy.values() for value in line),
        ),
    ):
        drawn = {colour: line for colour, line in lines.items() if line}
        _plot(canvas, left, name, drawn, ticks, curves.kept)
        left += PLOT[0] + BESIDE + MARGIN + AXIS
    return canvas.png()


def _plot(
    canvas: Canvas,
    left: float,
    name: str,
    lines: Mapping[str, Sequence[float]],
    ticks: list[float],
    kept: int,
) -> None:
    right, bottom = left + PLOT[0], TOP + PLOT[1]
    epochs = max(map(len, lines.values()))

    def y(value: float) -> float:
        return bottom - (value - ticks[0]) / (ticks[-1] - ticks[0]) * PLOT[1]

    def x(epoch: int) -> float:
        return left + (epoch / (epochs - 1) if epochs > 1 else 0.5) * PLOT[0]

    said = ", ".join(f"{SIDES[colour]} {line[kept]:.3f}" for colour, line in lines.items())
    canvas.text((left, TOP - 22), name, 14, INK)
    canvas.text((left + text_width(name, 14) + 12, TOP - 22), f"kept: {said}", 12, FAINT)
    for tick in ticks:
        canvas.line([(left, y(tick)), (right, y(tick))], RULE)
        canvas.text((left - 12, y(tick)), f"{tick:.{digits_of(ticks)}f}", 12, FAINT, "rm")
    ends = [end for end in (0, epochs - 1) if abs(x(end) - x(kept)) >= 2 * LINE]
    for epoch in (kept, *ends):
        canvas.text((x(epoch), bottom + 18), str(epoch + 1), 12, FAINT, "mm")
    canvas.text(((left + right) / 2, bottom + 40), "epoch", 12, FAINT, "mm")
    for colour, line in lines.items():
        if len(line) > 1:
            canvas.line([(x(epoch), y(value)) for epoch, value in enumerate(line)], colour, 1.8)
        canvas.mark((x(kept), y(line[kept])), None, 4, colour, filled=True)
    places = _apart([y(line[-1]) for line in lines.values()])
    for (colour, line), place in zip(lines.items(), places, strict=True):
        canvas.text((x(len(line) - 1) + 12, place), SIDES[colour], 12, colour)


def _apart(places: list[float]) -> list[float]:
    """Move the places of two names apart, if they are nearer than a line is high."""
    if len(places) < 2 or abs(places[0] - places[1]) >= LINE:
        return places
    middle, way = sum(places) / 2, 1 if places[0] > places[1] else -1
    return [middle + way * LINE / 2, middle - way * LINE / 2]
