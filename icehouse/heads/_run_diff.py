"""What is not the same in two runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from icehouse.heads._runs import Run


@dataclass(frozen=True)
class Difference:
    """What is not the same in two runs; None where one of them lacks it."""

    of: str
    name: str
    a: Any
    b: Any


@dataclass(frozen=True)
class RunDiff:
    """Two runs, compared.

    Attributes
    ----------
    a, b : str
        Their ids.
    same_recipe, same_metrics : bool
        Whether they have the same settings and data, and the same numbers, bit for bit.
    differences : tuple of Difference
        Of "fit", "settings", "options", "chosen", "data", "versions" and "metrics".
    """

    a: str
    b: str
    same_recipe: bool
    same_metrics: bool
    differences: tuple[Difference, ...]


def diff_runs(a: Run, b: Run) -> RunDiff:
    """Say what differs between two runs: settings, data, versions and metrics."""
    one, other = _flat(a), _flat(b)
    keys = list(dict.fromkeys([*one, *other]))
    found = tuple(
        Difference(*key, one.get(key), other.get(key))
        for key in keys
        if one.get(key) != other.get(key)
    )
    same = a.metrics_sha256 == b.metrics_sha256
    return RunDiff(a.id, b.id, a.recipe == b.recipe, same, found)


def _flat(run: Run) -> dict[tuple[str, str], Any]:
    values = asdict(run)
    flat = {("fit", name): values[name] for name in ("task", "head", "kind", "encoder_id")}
    for of in ("settings", "options", "chosen", "versions"):
        flat |= {(of, name): value for name, value in values[of].items()}
    data = values["data"]
    flat |= {("data", name): value for name, value in data.items() if name != "images"}
    flat |= {("data", f"images {split}"): n for split, n in data.get("images", {}).items()}
    for split, numbers in run.metrics.items():
        flat |= {("metrics", f"{split} {name}"): value for name, value in numbers.items()}
    return flat
