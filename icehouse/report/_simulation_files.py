"""A simulation as files: CSV for spreadsheets, Markdown for reports, a picture for the eye."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from icehouse.report._compare_files import _csv, _page, _table
from icehouse.report._simulation_picture import draw_simulation
from icehouse.report._simulation_tables import (
    EXPLAINED,
    accuracy_cells,
    full_lines,
    needed_cells,
    shown_sizes,
    simulation_title,
)
from icehouse.store import files_at

if TYPE_CHECKING:
    from icehouse.review import Simulation

NEEDED = "share", "labels", "low", "high", "saving", "saving_low", "saving_high"


def write_simulation(simulation: Simulation, folder: str | Path) -> list[str]:
    """Write ``simulate.csv``, ``simulate-needed.csv``, ``.md`` and ``.png`` into a folder or URL.

    Returns
    -------
    list of str
        Where they are.
    """
    points = [
        [curve.strategy, curve.head, point.labels, point.accuracy, point.low, point.high]
        for curve in simulation.curves
        for point in curve.points
    ]
    needs = [
        [curve.strategy, curve.head, curve.full, *(getattr(need, name) for name in NEEDED)]
        for curve in simulation.curves
        for need in curve.needed
    ]
    header = ["strategy", "head", "labels", "accuracy", "low", "high"]
    files = files_at(folder)
    return [
        files.commit("simulate.csv", _csv(header, points)),
        files.commit("simulate-needed.csv", _csv(["strategy", "head", "full", *NEEDED], needs)),
        files.commit("simulate.md", _simulation_page(simulation).encode()),
        files.commit("simulate.png", draw_simulation(simulation)),
    ]


def _simulation_page(simulation: Simulation) -> str:
    shares = [need.share for need in simulation.curves[0].needed]
    titles = [name for share in shares for name in (f"labels for {share:.0%}", "saving")]
    sizes = shown_sizes(simulation)
    rows = [
        [curve.strategy, curve.head]
        + [text for need in curve.needed for text in needed_cells(need, " ")]
        for curve in simulation.curves
    ]
    accuracies = [
        [curve.strategy, curve.head, *accuracy_cells(curve, sizes, " ")]
        for curve in simulation.curves
    ]
    tables = [
        _table(["strategy", "head", *titles], rows),
        _table(["strategy", "head", *(f"{size:,} labels" for size in sizes)], accuracies),
    ]
    notes = [EXPLAINED, *full_lines(simulation), *simulation.notes]
    return _page(simulation_title(simulation), "simulate.png", "\n".join(tables), notes)
