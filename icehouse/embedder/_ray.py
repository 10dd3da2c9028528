"""The pipeline on a Ray cluster: chunks of entries go out, outcomes come back.

Who lists, plans and writes is this process alone. A chunk that does not come back, because its
worker or its node died, is tried again in eight parts, those too, and so on: what kills every
worker is found to be one image, and becomes an error of its own, and nothing loops for ever.
"""

from __future__ import annotations

import logging
import math
import pickle
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from icehouse.embedder._canary import sing
from icehouse.embedder._encoder import Encoder, EncoderRequest
from icehouse.embedder._pipeline import Outcome, StageTimes
from icehouse.embedder._plan import error_row
from icehouse.embedder._ray_cluster import Shape, connected, shape
from icehouse.embedder._steady import CPU_BATCH, GPU_BATCH, GPU_WORKERS, STABLE_BATCH
from icehouse.embedder._views import Coverage
from icehouse.embedder.sources import Entry
from icehouse.errors import EncoderError, ImageErrorKind

if TYPE_CHECKING:
    from icehouse.embedder._ray_worker import Answer

BATCHES_EACH = 4
CHUNKS_EACH = 4
PARTS = 8
DEATHS = 2
"""Of workers, at one image alone, until it is held to be the cause."""
BARREN = 2
"""Rounds from which nothing at all comes back, until it is held not to be for the images."""

Chunk = list[Entry]


@dataclass(frozen=True)
class Settings:
    """How workers run; None as in a pipeline of one machine. ``recipe`` is of augmented views."""

    address: str | None
    batch_size: int | None
    workers: int | None
    max_pixels: int
    recipe: tuple[str, ...] = ()


class RayPipeline:
    """Workers all over a cluster that turn entries into outcomes; a ``Crew`` as Pipeline is.

    Parameters
    ----------
    encoder : Encoder
        As it was opened here.
    request : EncoderRequest
        That opens the very same elsewhere.
    entries : iterable of Entry
    source : str
        Where the entries come from.
    coverage : Coverage
        What is stored already, and what is wanted.
    settings : Settings
    """

    def __init__(
        self,
        encoder: Encoder,
        request: EncoderRequest,
        entries: Iterable[Entry],
        source: str,
        coverage: Coverage,
        settings: Settings,
    ) -> None:
        self._encoder = encoder
        self._request = request
        self._entries = list(entries)
        self._source = source
        self._coverage = coverage
        self._settings = settings
        self.decoding = StageTimes()
        self.encoding = StageTimes()
        self._shape = Shape(1, 1, 0)
        self._engines: set[str] = set()
        self._deaths: dict[str, int] = {}
        self._stop = threading.Event()
        self._listening = False
        self._open = ExitStack()

    @property
    def on_gpu(self) -> bool:
        """Whether GPUs encode."""
        return self._shape.gpus > 0

    @property
    def workers(self) -> int:
        """How many inputs can be read at the same time."""
        return self._shape.workers * self._threads

    @property
    def decoders(self) -> int:
        """How many images can be decoded at the same time."""
        return self._shape.workers * min(self._threads, max(self._shape.cpus, 1))

    @property
    def encoders(self) -> int:
        """How many batches can be encoded at the same time."""
        return self._shape.workers if self.on_gpu else self.decoders

    @property
    def engine(self) -> str:
        """The libraries that did the arithmetic, and how many workers used them."""
        number = self._shape.workers
        word = "worker" if number == 1 else "workers"
        return f"{' and '.join(sorted(self._engines))} in {number} {word} of Ray"

    def stop(self) -> None:
        """Take no more answers; what workers are at is dropped."""
        self._stop.set()
        # A handler of Ctrl-C runs amid the waiting for a chunk that may take minutes.
        if self._listening and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt

    def outcomes(self) -> Iterator[Outcome]:
        """Yield outcomes as they come; at the end raise what a worker could not handle."""
        self._open.enter_context(connected(self._settings.address))
        self._shape = shape(self._settings.workers)
        chunks = _split(self._entries, self._chunk_size)
        barren = 0
        while chunks and not self._stop.is_set():
            back: set[int] = set()
            for answer in self._answers(chunks):
                back.add(answer.number)
                yield from self._taken(answer)
            barren = 0 if back else barren + 1
            lost = [chunk for number, chunk in enumerate(chunks) if number not in back]
            chunks = []
            for chunk in lost if not self._stop.is_set() else ():
                again, failed = self._try_again(chunk, barren)
                chunks += again
                yield from failed

    def close(self) -> None:
        """End the workers, and the cluster if it is this run's own."""
        self._stop.set()
        self._open.close()

    @property
    def _threads(self) -> int:
        return self._settings.workers or (GPU_WORKERS if self.on_gpu else self._shape.cpus)

    @property
    def _chunk_size(self) -> int:
        """So large that all threads fill their batches, and so small that all workers have some."""
        batch = self._settings.batch_size or (GPU_BATCH if self.on_gpu else CPU_BATCH)
        large = self._threads * batch * (1 if self.on_gpu else BATCHES_EACH)
        share = math.ceil(len(self._entries) / (self._shape.workers * CHUNKS_EACH))
        return max(min(large, share), STABLE_BATCH)

    def _answers(self, chunks: list[Chunk]) -> Iterator[Answer]:
        """Yield what comes back of some chunks, until all have come or died, or it is stopped."""
        from ray.exceptions import RayError

        # A row is a block is a batch; to fetch ahead would keep each back until the next one came.
        batches = iter(
            self._dataset(chunks).iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            )
        )
        came = False
        try:
            while not self._stop.is_set():
                self._listening = True
                batch = next(batches, None)
                self._listening = False
                if batch is None:
                    return
                came = True
                yield from map(pickle.loads, batch["answer"].to_pylist())
        except KeyboardInterrupt:
            if not self._stop.is_set():
                raise
        except RayError as error:  # an answer was lost with its node; all others are asked again
            if not came:
                last = str(error).strip().splitlines()[-1]  # of a traceback: what it is about
                raise EncoderError(f"workers of the Ray cluster cannot work: {last}") from error
        finally:
            self._listening = False

    def _dataset(self, chunks: list[Chunk]) -> Any:
        import ray.data

        from icehouse.embedder._ray_worker import Job, Worker

        logging.getLogger("ray.data").setLevel(logging.CRITICAL + 1)
        threads = None if self.on_gpu and not self._settings.workers else self._threads
        job = Job(
            request=self._request,
            encoder_id=self._encoder.spec.encoder_id,
            song=sing(self._encoder),
            source=self._source,
            images=math.ceil(len(self._entries) / self._shape.workers),
            batch_size=self._settings.batch_size,
            threads=threads,
            max_pixels=self._settings.max_pixels,
            recipe=self._settings.recipe,
        )
        rows = [{"number": n, "chunk": pickle.dumps(chunk)} for n, chunk in enumerate(chunks)]
        with warnings.catch_warnings():
            # Its context cannot be copied, nor a number of retries be given, without a warning.
            warnings.simplefilter("ignore", DeprecationWarning)
            context = ray.data.DataContext.get_current().copy()
            context.enable_progress_bars = False
            context.max_errored_blocks = -1  # a chunk that does not come back is tried again here
            with ray.data.DataContext.current(context):
                # A retry by Ray would wait for the same worker, for ever if its node is gone.
                return ray.data.from_items(rows, override_num_blocks=len(rows)).map(
                    Worker,
                    fn_constructor_args=(job, [ray.put(self._coverage)]),
                    num_cpus=self._shape.cpus,
                    num_gpus=self._shape.gpus or None,
                    compute=ray.data.ActorPoolStrategy(
                        size=min(self._shape.workers, len(chunks)), max_tasks_in_flight_per_actor=1
                    ),
                    max_restarts=-1,
                    max_task_retries=0,
                )

    def _taken(self, answer: Answer) -> Iterator[Outcome]:
        self.decoding.add(*answer.decoding)
        self.encoding.add(*answer.encoding)
        if answer.engine:
            self._engines.add(answer.engine)
        yield from answer.outcomes
        if answer.failure is not None:
            raise EncoderError(answer.failure) from RuntimeError(answer.trace)

    def _try_again(self, chunk: Chunk, barren: int) -> tuple[list[Chunk], list[Outcome]]:
        """Return the parts of a chunk whose worker died; or, if it is one image, its error."""
        if len(chunk) > 1:
            if barren >= BARREN:
                raise EncoderError(
                    f"workers of the Ray cluster die at whatever they are given, such as the "
                    f"{len(chunk)} images from {chunk[0].key!r} to {chunk[-1].key!r}. Look into "
                    "the logs of Ray on its nodes, for instance for too little memory"
                )
            return _split(chunk, math.ceil(len(chunk) / PARTS)), []
        [entry] = chunk
        self._deaths[entry.key] = self._deaths.get(entry.key, 0) + 1
        if self._deaths[entry.key] < DEATHS:
            return [chunk], []
        detail = f"each of {DEATHS} workers that were given this image alone died"
        row = error_row(entry, self._source, ImageErrorKind.UNREADABLE, detail)
        return [], [Outcome([row])]


def _split(entries: Chunk, size: int) -> list[Chunk]:
    return [entries[i : i + size] for i in range(0, len(entries), size)]
