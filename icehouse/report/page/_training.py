"""How the training went, where the head kept its curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from icehouse.report._axes import digits_of, steps_around, steps_of_shares
from icehouse.report.page._blocks import Chart, Charts, Section, named
from icehouse.report.page._evidence import Evidence
from icehouse.report.page._plot import Axis, Plot, round_ticks

SIDES = {"train": ("two", "trained on"), "val": ("one", "held out")}  # as in curves.png


def training_section(evidence: Evidence) -> Section | None:
    """Return loss and accuracy after each epoch; None where the head kept neither."""
    curves = evidence.curves
    if curves is None:
        return None
    by_kind = {
        "loss": {"train": curves.train_loss, "val": curves.val_loss},
        "accuracy": {"train": curves.train_accuracy, "val": curves.val_accuracy},
    }
    return Section(
        "training",
        "How the training went",
        "Both losses should fall and then lie flat; where the one of images held out rises while "
        "the other goes on falling, the head learns by heart.",
        (Charts(tuple(_chart(kind, sides, curves.kept) for kind, sides in by_kind.items())),),
    )


def _chart(kind: str, every: Mapping[str, Sequence[float]], kept: int) -> Chart:
    sides = {side: values for side, values in every.items() if values}
    epochs = max(map(len, sides.values()))
    found = [value for values in sides.values() for value in values]
    steps = steps_of_shares(found) if kind == "accuracy" else steps_around(0, max(found))
    ticks = [(step, f"{step:.{digits_of(steps)}f}") for step in steps]
    title = f"{named(kind).capitalize()} by epoch"
    plot = Plot(
        title,
        Axis("epoch", 0, epochs, round_ticks(epochs)),
        Axis(named(kind), steps[0], steps[-1], ticks),
    )
    for side, values in sides.items():
        points = [(float(epoch), float(value)) for epoch, value in enumerate(values, 1)]
        plot.line(points, *SIDES[side])
        plot.dot(points[kept], 3.5, SIDES[side][0], f"the epoch kept: {kept + 1}")
    legend = tuple(
        (SIDES[s][0], f"{SIDES[s][1]}: {v[kept]:.3f} in the epoch kept") for s, v in sides.items()
    )
    return Chart(title, plot.svg(), "", legend)
