"""The command line: parse, one library call, print. Nothing is computed here.

The rooms are imported inside the verbs: they bring torch and scikit-learn, which take seconds,
and ``icehouse --help`` should answer at once.
"""

from __future__ import annotations

import sys

from icehouse.cli import (  # noqa: F401  (they add their verbs to the app)
    _care,
    _compare,
    _freeze,
    _learn,
    _look,
)
from icehouse.cli._app import app
from icehouse.errors import IcehouseError, Interrupted, UsageError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; errors of icehouse end in one message, without a traceback."""
    debug = "--debug" in sys.argv
    sys.argv = [word for word in sys.argv if word != "--debug"]
    try:
        app()
    except IcehouseError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        codes = {Interrupted: 130, UsageError: 2}
        sys.exit(next((code for kind, code in codes.items() if isinstance(error, kind)), 1))
