"""Drive a pipeline into a writer, and stop in good order when asked to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from icehouse.embedder._crew import Crew
from icehouse.embedder._memory import give_back_freed_memory
from icehouse.embedder._plan import Plan
from icehouse.embedder._threads import one_torch_thread
from icehouse.embedder._writer import Writer
from icehouse.errors import Interrupted, StoreError

Progress = Callable[[int, int, int], None]


def run(pipeline: Crew, writer: Writer, plan: Plan, total: int, progress: Progress | None) -> None:
    """Write all that a pipeline yields.

    Parameters
    ----------
    pipeline : Crew
    writer : Writer
    plan : Plan
        That the pipeline carries out.
    total : int
        Inputs, those included that need no work.
    progress : callable or None
        Called with the inputs done, their number, and the errors so far.

    Raises
    ------
    Interrupted
        Ctrl-C. All that was finished is kept, as it is with every other error.
    """
    finished = total - len(plan.todo)
    try:
        with one_torch_thread(), _stopped_by_interrupt(pipeline) as asked:
            for outcome in pipeline.outcomes():
                writer.add(outcome)
                finished += len(outcome.rows)
                if progress:
                    progress(finished, total, sum((plan.errors + writer.errors).values()))
    except StoreError:
        raise  # what could not be written now could not be written once more
    except BaseException:
        writer.commit()
        raise
    finally:
        pipeline.close()
    writer.commit()
    give_back_freed_memory()  # what comes after needs other memory than a network
    if writer.refused is not None:
        raise writer.refused
    if asked.is_set() and finished < total:
        raise Interrupted(
            f"stopped after {finished:,} of {total:,} inputs. All of them are kept; "
            "run the same command again to go on"
        )


@contextmanager
def _stopped_by_interrupt(pipeline: Crew) -> Iterator[threading.Event]:
    """Let the first Ctrl-C ask the pipeline to finish, and the second one break in."""
    asked = threading.Event()

    def ask(_signal: int, _frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        pipeline.stop()

    if threading.current_thread() is not threading.main_thread():
        yield asked  # signals are the main thread's
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
