"""What a worker on a node of a Ray cluster does: it runs the pipeline over a chunk of entries."""

from __future__ import annotations

import pickle
import socket
import traceback
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import ray

from icehouse.embedder._canary import Song, sing
from icehouse.embedder._encoder import EncoderRequest
from icehouse.embedder._engine import Opened, open_on
from icehouse.embedder._pictures import agree
from icehouse.embedder._pipeline import Outcome, Pipeline
from icehouse.embedder._threads import one_torch_thread
from icehouse.embedder._views import Coverage
from icehouse.embedder.sources import Entry, read_ahead
from icehouse.errors import CanaryError, EncoderError, IcehouseError


@dataclass(frozen=True)
class Job:
    """What every worker has to know.

    Attributes
    ----------
    request : EncoderRequest
        With everything resolved that this machine's hardware would else decide.
    encoder_id, song
        Of the encoder as the driver opened it.
    source : str
    images : int
        How many there are for one worker.
    batch_size, threads : int or None
    max_pixels : int
    recipe : tuple of str
        Of augmented views.
    """

    request: EncoderRequest
    encoder_id: str
    song: Song
    source: str
    images: int
    batch_size: int | None
    threads: int | None
    max_pixels: int
    recipe: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """What came of a chunk; times are (seconds, images).

    Nothing here is an exception: not all of them come through a pickle.
    """

    number: int
    outcomes: list[Outcome]
    decoding: tuple[float, int] = (0.0, 0)
    encoding: tuple[float, int] = (0.0, 0)
    engine: str | None = None
    failure: str | None = None
    trace: str = ""


class Worker:
    """Holds the encoder, and answers one chunk after another.

    Parameters
    ----------
    job : Job
    coverage : list of one reference to a Coverage
        What was stored before the run, and what is wanted.
    """

    def __init__(self, job: Job, coverage: list[Any]) -> None:
        self._job = job
        self._coverage: Coverage = ray.get(coverage[0])
        self._batch_size = job.batch_size

    def __call__(self, row: dict[str, Any]) -> dict[str, bytes]:
        """Turn a pickled chunk into a pickled answer."""
        answer = self._answer(int(row["number"]), pickle.loads(row["chunk"]))  # nosec B301
        return {"answer": pickle.dumps(answer)}

    def _answer(self, number: int, entries: list[Entry]) -> Answer:
        outcomes: list[Outcome] = []
        try:
            pipeline = Pipeline(
                self._opened.encoder,
                read_ahead(entries),
                self._job.source,
                self._coverage,
                self._job.recipe,
                batch_size=self._batch_size,
                workers=self._job.threads,
                max_pixels=self._job.max_pixels,
            )
            with one_torch_thread():
                outcomes.extend(pipeline.outcomes())
        except Exception as error:
            words = str(error) if isinstance(error, IcehouseError) else repr(error)
            failure = f"a worker on {socket.gethostname()} cannot go on: {words}"
            return Answer(number, outcomes, failure=failure, trace=traceback.format_exc())
        self._batch_size = pipeline.batch_size  # that memory was found for
        decoding, encoding = pipeline.decoding, pipeline.encoding
        return Answer(
            number,
            outcomes,
            (decoding.seconds, decoding.images),
            (encoding.seconds, encoding.images),
            self._opened.engine,
        )

    @cached_property
    def _opened(self) -> Opened:
        opened = open_on(self._job.request, "auto", self._job.images)
        encoder = opened.encoder
        if encoder.spec.encoder_id != self._job.encoder_id:
            raise EncoderError(
                f"{self._job.request.name} is {encoder.spec.encoder_id} here, and "
                f"{self._job.encoder_id} where the run was started. Give every node the same "
                "weights and the same version of icehouse"
            )
        exact = encoder.spec.precision == "float32"
        if not agree(sing(encoder), self._job.song, exact=exact):
            raise CanaryError(
                f"{self._job.request.name} does not give the vectors here that it gives where the "
                "run was started. Give every node the same versions of all libraries"
            )
        return opened
