"""How the training went, where the head kept its curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from icehouse.report.page._blocks import Chart, Charts, Section, named
from icehouse.report.page._evidence import Evidence
from icehouse.report.page._plot import Axis, Plot, round_ticks

SIDES = {"train": ("one", "training"), "val": ("two", "held out")}


def training_section(evidence: Evidence) -> Section | None:
    """Return loss and accuracy after each epoch; None where the head kept neither."""
    by_kind: dict[str, dict[str, Sequence[float]]] = {}
    for name, values in (evidence.curves or {}).items():
        side, _, kind = name.partition("_")
        if side in SIDES and kind and len(values) and all(map(math.isfinite, values)):
            by_kind.setdefault(kind, {})[side] = values
    if not by_kind:
        return None
    return Section(
        "training",
        "How the training went",
        "Both curves should fall and then lie flat; where the one of images held out rises while "
        "the other goes on falling, the head learns by heart.",
        (Charts(tuple(_chart(kind, sides) for kind, sides in by_kind.items())),),
    )


def _chart(kind: str, sides: Mapping[str, Sequence[float]]) -> Chart:
    epochs = max(map(len, sides.values()))
    highest = max(max(values) for values in sides.values()) or 1.0
    title = f"{named(kind).replace('_', ' ').capitalize()} by epoch"
    plot = Plot(
        title,
        Axis("epoch", 0, epochs, round_ticks(epochs)),
        Axis(named(kind), 0, highest * 1.05, round_ticks(highest)),
    )
    for side, values in sides.items():
        points = [(float(epoch), float(value)) for epoch, value in enumerate(values, 1)]
        plot.line(points, SIDES[side][0], SIDES[side][1])
    legend = tuple(
        (SIDES[s][0], f"{SIDES[s][1]}: {v[-1]:.3f} at the end") for s, v in sides.items()
    )
    return Chart(title, plot.svg(), "", legend)
