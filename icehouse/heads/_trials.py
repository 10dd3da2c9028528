"""Trials of tuning on disk: one JSON line each, under a name that says what they are trials of.

::

    tuning/<task>/<digest>.jsonl    what is tuned, then the trials in their order

The digest is of what is tuned, so trials on other data, or with other settings that are fixed,
are in a file of their own. There is no image_id in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from icehouse.errors import HeadCorrupt
from icehouse.store import Store, seal_of

FOLDER = "tuning"
DONE, FAILED = "done", "failed"


@dataclass(frozen=True)
class Trial:
    """Settings that were tried.

    Attributes
    ----------
    settings : dict
        Those that are tuned.
    value : float or None
        What they came to; None where they failed.
    seconds : float
        Of all folds.
    state : {"done", "failed"}
    """

    settings: dict[str, Any]
    value: float | None
    seconds: float
    state: str = DONE


@dataclass(frozen=True)
class TrialFile:
    """The trials of one question.

    Attributes
    ----------
    store : Store
    task : str
    question : mapping
        All that decides what a trial comes to, but for its settings.
    """

    store: Store
    task: str
    question: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Relative to the store."""
        return f"{FOLDER}/{self.task}/{seal_of(dict(self.question))[:16]}.jsonl"

    def read(self) -> list[Trial]:
        """Return the trials that were kept.

        Raises
        ------
        HeadCorrupt
            The file is damaged.
        """
        try:
            _, *lines = self.store.files.read(self.name).decode().splitlines()
            return [Trial(**json.loads(line)) for line in lines]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as error:
            path = self.store.files.where(self.name)
            raise HeadCorrupt(f"{path} is damaged ({error}). Remove it and tune again") from error

    def keep(self, trials: Sequence[Trial]) -> None:
        """Commit the file anew, with all trials so far."""
        lines = [dict(self.question), *(asdict(trial) for trial in trials)]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        self.store.files.commit(self.name, text.encode())
