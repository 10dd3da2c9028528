"""Origins that note that they are read, wait, or kill who reads them; for other processes too."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from icehouse.embedder.sources import FileBytes, read_file


@dataclass(frozen=True)
class Noted:
    """A file that notes each time it is read, after a while."""

    path: str
    log: str
    seconds: float = 0.0

    def read(self) -> FileBytes:
        with open(self.log, "a") as log:
            log.write(f"{self.path}\n")
        time.sleep(self.seconds)
        return read_file(self.path)


@dataclass(frozen=True)
class Deadly(Noted):
    """Kills the process that reads it, the first so many times."""

    times: int = 1

    def read(self) -> FileBytes:
        read = super().read()
        if Path(self.log).read_text().split().count(self.path) <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return read
