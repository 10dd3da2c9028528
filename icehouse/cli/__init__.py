"""The command line: parse, one library call, print. Nothing is computed here.

The rooms are imported inside the verbs: they bring torch and scikit-learn, which take seconds,
and ``icehouse --help`` should answer at once.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from icehouse.errors import IcehouseError, Interrupted, UsageError

__all__ = ["main"]

STOPPED = 130
"""The status of a program that Ctrl-C has ended; typer gives it too."""


def main() -> None:
    """Run the command line; errors and Ctrl-C end in one message, without a traceback."""
    # Imports make half a million objects that stay; whenever they are a quarter more, Python would
    # look through all of them: in all for half a second of every verb.
    gc.set_threshold(10_000)
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        with _ended_by_interrupt():
            from icehouse.cli._verbs import app  # Ctrl-C may come amid this import, too

            app()
    except IcehouseError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        codes = {Interrupted: STOPPED, UsageError: 2}
        sys.exit(next((code for kind, code in codes.items() if isinstance(error, kind)), 1))
    except SystemExit as end:
        if end.code == STOPPED:
            print("error: stopped by Ctrl-C; what was stored is kept", file=sys.stderr)
        raise


@contextmanager
def _ended_by_interrupt() -> Iterator[None]:
    """Let Ctrl-C end the program where a verb does not handle it itself.

    By SystemExit: Python gives the status 130 to no program in which a KeyboardInterrupt came
    through ``exec``, as it does in many an import.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # who started the program wants no Ctrl-C for it
        return
    signal.signal(signal.SIGINT, lambda *_: sys.exit(STOPPED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
