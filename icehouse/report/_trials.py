"""Trials of tuning as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from icehouse.report._tables import new_table

if TYPE_CHECKING:
    from icehouse.heads import Trial, Tuned

SHOWN = 10


def trials_table(tuned: Tuned) -> Table:
    """Return the best trials, and in any case that of the settings as they were given."""
    names = list(tuned.trials[0].settings)
    table = new_table(f"trials: {len(tuned.trials)}", "trial", tuned.objective, *names, "s", gap=1)
    numbered = [(tuned.trials.index(trial), trial) for trial in tuned.ranked]
    shown = numbered[:SHOWN] + [pair for pair in numbered[SHOWN:] if pair[0] == 0]
    for number, trial in shown:
        table.add_row(
            f"{number} (as given)" if number == 0 else str(number),
            trial.state if trial.value is None else f"{trial.value:.4f}",
            *(_value(trial, name) for name in names),
            f"{trial.seconds:.1f}",
        )
    return table


def _value(trial: Trial, name: str) -> str:
    value: Any = trial.settings[name]
    return f"{value:.3g}" if isinstance(value, float) else escape(str(value))
