"""How the training went, where the head kept its curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from icehouse.report.page._blocks import Chart, Charts, Section, named
from icehouse.report.page._evidence import Evidence
from icehouse.report.page._plot import Axis, Plot, round_ticks

SIDES = {"train": ("one", "training"), "val": ("two", "held out")}


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
        "Both curves should fall and then lie flat; where the one of images held out rises while "
        "the other goes on falling, the head learns by heart.",
        (Charts(tuple(_chart(kind, sides, curves.kept) for kind, sides in by_kind.items())),),
    )


def _chart(kind: str, every: Mapping[str, Sequence[float]], kept: int) -> Chart:
    sides = {side: values for side, values in every.items() if values}
    epochs = max(map(len, sides.values()))
    highest = max(max(values) for values in sides.values()) or 1.0
    title = f"{named(kind).capitalize()} by epoch"
    plot = Plot(
        title,
        Axis("epoch", 0, epochs, round_ticks(epochs)),
        Axis(named(kind), 0, highest * 1.05, round_ticks(highest)),
    )
    for side, values in sides.items():
        points = [(float(epoch), float(value)) for epoch, value in enumerate(values, 1)]
        plot.line(points, SIDES[side][0], SIDES[side][1])
    legend = tuple(
        (SIDES[s][0], f"{SIDES[s][1]}: {v[kept]:.3f} in the epoch kept") for s, v in sides.items()
    )
    return Chart(title, plot.svg(), "", legend)
