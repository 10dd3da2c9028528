"""``fsck`` of runs: each is a sealed file whose name ends with the beginning of its seal."""

from __future__ import annotations

from icehouse.store._files import Files
from icehouse.store._sealed import seal_of, unsealed
from icehouse.store.care._check_layout import LAYOUT
from icehouse.store.care._findings import Finding, found


def check_runs(files: Files) -> list[Finding]:
    """Compare the runs of a store with their seals."""
    names = [
        name
        for task in files.folders("runs")
        for name in files.names(f"runs/{task}", ".json")
        if LAYOUT.fullmatch(name)
    ]
    wrong = zip(names, files.each(names, lambda name: _wrong(files, name)), strict=True)
    return [found("run", name, what) for name, what in wrong if what]


def _wrong(files: Files, name: str) -> str | None:
    try:
        seal = seal_of(unsealed(files.read(name)))
    except FileNotFoundError:  # removed meanwhile
        return None
    except ValueError as error:
        return f"damaged: {error}"
    return None if name.endswith(f"-{seal[:16]}.json") else "it is another run than its name says"
