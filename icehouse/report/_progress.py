"""Progress bars: for ``embed`` images/s, errors, time left; for ``compare`` what is fitted."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

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


class _Bar:
    """A context with a bar on stderr, so that the JSON lines on stdout stay clean."""

    def __init__(self, *columns: ProgressColumn) -> None:
        console = Console(stderr=True)
        self._progress = Progress(*columns, TimeRemainingColumn(), console=console, transient=True)
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

    def _show(self, done: int, total: int, **said: Any) -> None:
        if self._task is None:
            self._progress.start()  # not before: an empty bar leaves an empty line
            self._task = self._progress.add_task("", total=total, **said)
            # What was done before the first call tells nothing of the speed.
            self._progress.update(self._task, completed=done)
        self._progress.update(self._task, completed=done, total=total, **said)


class EmbedProgress(_Bar):
    """A context in which the object itself is the callback of :func:`icehouse.embedder.embed`."""

    def __init__(self) -> None:
        errors = TextColumn("{task.fields[errors]} errors")
        super().__init__(
            TextColumn("embedding"), BarColumn(), MofNCompleteColumn(), _Rate(), errors
        )

    def __call__(self, done: int, total: int, errors: int) -> None:
        """Show that ``done`` of ``total`` inputs are finished."""
        self._show(done, total, errors=errors)


class StepProgress(_Bar):
    """A context in which the object itself is the callback of work in several steps."""

    def __init__(self) -> None:
        what = TextColumn("{task.fields[what]}", markup=False)
        super().__init__(what, BarColumn(), MofNCompleteColumn())

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` are finished in a step."""
        self._show(done, total, what=what)


class FitProgress(_Bar):
    """A context in which the object itself is the callback of :func:`icehouse.heads.compare`."""

    def __init__(self) -> None:
        what = TextColumn("{task.fields[what]}", markup=False)
        super().__init__(TextColumn("fitting"), BarColumn(), MofNCompleteColumn(), what)

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show that ``done`` of ``total`` heads are measured, and which one is next."""
        self._show(done, total, what=what)
