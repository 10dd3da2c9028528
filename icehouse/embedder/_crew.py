"""What a run asks of those who do the work, wherever they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from icehouse.embedder._pipeline import Outcome, StageTimes


class Crew(Protocol):
    """Those who turn entries into outcomes: threads of this process, or a cluster.

    Attributes
    ----------
    decoding, encoding : StageTimes
    """

    decoding: StageTimes
    encoding: StageTimes

    @property
    def on_gpu(self) -> bool:
        """Whether encoding happens beside decoding, and takes nothing from it."""
        ...

    @property
    def workers(self) -> int:
        """How many inputs can be read at the same time."""
        ...

    @property
    def decoders(self) -> int:
        """How many images can be decoded at the same time."""
        ...

    @property
    def encoders(self) -> int:
        """How many batches can be encoded at the same time."""
        ...

    @property
    def engine(self) -> str:
        """The library that does the arithmetic."""
        ...

    def stop(self) -> None:
        """Begin nothing more."""
        ...

    def outcomes(self) -> Iterator[Outcome]:
        """Yield outcomes as they come; at the end raise what could not be handled."""
        ...

    def close(self) -> None:
        """End everything, dropping what was not taken."""
        ...
