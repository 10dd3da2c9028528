"""Progress bars: for ``embed`` images/s, errors, time left; for ``compare`` what is fitted."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f} images/s")


class EmbedProgress:
    """A context in which the object itself is the callback of :func:`icehouse.embedder.embed`."""

    def __init__(self) -> None:
        # On stderr, so that the JSON lines on stdout stay clean.
        self._progress = Progress(
            TextColumn("embedding"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TextColumn("{task.fields[errors]} errors"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._progress.stop()

    def __call__(self, done: int, total: int, errors: int) -> None:
        """Show that ``done`` of ``total`` inputs are finished."""
        if self._task is None:
            self._progress.start()  # not before: an empty bar leaves an empty line
            self._task = self._progress.add_task("", total=total, errors=errors)
            self._progress.update(self._task, completed=done)
        self._progress.update(self._task, completed=done, errors=errors)


class FitProgress:
    """A context in which the object itself is the callback of :func:`icehouse.heads.compare`."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("fitting"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[what]}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._progress.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show that ``done`` of ``total`` heads are measured, and which one is next."""
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task("", total=total, what=what)
        self._progress.update(self._task, completed=done, what=what)
