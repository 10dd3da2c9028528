"""In which order runs are listed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from icehouse.errors import UsageError
from icehouse.heads._metrics import Metrics
from icehouse.heads._runs import Run

LOWER_IS_BETTER = ("log_loss", "ece", "brier", "seconds")


def sort_runs(runs: Iterable[Run], by: str, on: str | None = None) -> list[Run]:
    """Return runs in an order: by "time", the newest last, or by a number, the best on top.

    Parameters
    ----------
    runs : iterable of Run
    by : str
        "time", "seconds" or a name of :class:`Metrics`. Runs without this number come last.
    on : str, optional
        Split whose numbers count; by default each run's :attr:`Run.measured_on`.

    Raises
    ------
    UsageError
        There is no such number, or no run has numbers of this split.
    """
    runs = sorted(runs, key=lambda run: run.when)
    if on and runs and not any(on in run.metrics for run in runs):
        have = ", ".join(dict.fromkeys(split for run in runs for split in run.metrics))
        raise UsageError(f"no run was measured on {on!r}; on these they were: {have or 'none'}")
    if by == "time":
        return runs
    numbers = [each.name for each in fields(Metrics)]
    if by not in ("seconds", *numbers):
        raise UsageError(
            f"runs cannot be sorted by {by!r}; they can by time, seconds, {', '.join(numbers)}"
        )

    def place(run: Run) -> tuple[bool, float]:
        value = run.seconds if by == "seconds" else run.numbers(on).get(by)
        sign = 1 if by in LOWER_IS_BETTER else -1
        return value is None, sign * (value or 0.0)

    return sorted(runs, key=place)
