"""Read, hash, decode, batch and encode, in workers that each do all of it.

A worker fills a batch and encodes it. While one encodes, the others read and decode, so the
decoding of many keeps one GPU busy, and on a CPU one thread for each core does both. The queue
of results is short: memory does not grow with the dataset.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from icehouse.embedder._augment import augment
from icehouse.embedder._decode import ImageFile, Pixels
from icehouse.embedder._encoder import Encoder
from icehouse.embedder._layout import enough
from icehouse.embedder._plan import error_row
from icehouse.embedder._steady import SteadyEncoder
from icehouse.embedder._threads import cores
from icehouse.embedder._views import Coverage
from icehouse.embedder.sources import Entry
from icehouse.errors import ImageError
from icehouse.store import CatalogRow, image_id

RESULTS_WAITING = 4


@dataclass(frozen=True)
class Outcome:
    """What came of some inputs.

    Attributes
    ----------
    rows : list of CatalogRow
    vectors : array of float32, shape (n, D), or None
        None for rows that need no vector: errors, and images whose vector is there or on
        its way.
    ids : list of bytes
        The image of each vector.
    views : list of int
        The view of each vector; 0 is the plain image.
    failed : bytes or None
        The image_id of the one row, if its file was read but is not a picture.
    """

    rows: list[CatalogRow]
    vectors: npt.NDArray[np.float32] | None = None
    ids: list[bytes] = field(default_factory=list)
    views: list[int] = field(default_factory=list)
    failed: bytes | None = None

    def part(self, numbers: list[int]) -> Outcome:
        """Return only these of its rows, with their vectors."""
        rows = [self.rows[number] for number in numbers]
        if self.vectors is None:
            return replace(self, rows=rows)
        kept = {row.image_id for row in rows}
        where = [number for number, image in enumerate(self.ids) if image in kept]
        return replace(
            self,
            rows=rows,
            vectors=self.vectors[where],
            ids=[self.ids[number] for number in where],
            views=[self.views[number] for number in where],
        )


@dataclass
class _Batch:
    """Images that are to be encoded together: a row an image, and pixels for each of its views."""

    rows: list[CatalogRow] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    views: list[int] = field(default_factory=list)
    pixels: list[Pixels] = field(default_factory=list)


@dataclass
class StageTimes:
    """Seconds of work of one stage, summed over the workers, and the images it worked on."""

    seconds: float = 0.0
    images: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, seconds: float, images: int) -> None:
        """Count some work."""
        with self.lock:
            self.seconds += seconds
            self.images += images


class Pipeline:
    """Workers that turn entries into outcomes.

    Parameters
    ----------
    encoder : Encoder
    entries : iterable of Entry
    source : str
        Where the entries come from.
    coverage : Coverage
        What is stored already, and what is wanted.
    recipe : tuple of str
        How augmented views are made.
    batch_size : int or None
        None: 16, or 256 on a GPU.
    workers : int or None
        None: one for each core, or 16 for one GPU.
    max_pixels : int
    """

    def __init__(
        self,
        encoder: Encoder,
        entries: Iterable[Entry],
        source: str,
        coverage: Coverage,
        recipe: tuple[str, ...] = (),
        *,
        batch_size: int | None,
        workers: int | None,
        max_pixels: int,
    ) -> None:
        self._encoder = encoder
        self._enough = enough(encoder.spec.preprocess)
        self._source = source
        self._coverage = coverage
        self._recipe = recipe
        self._max_pixels = max_pixels
        self._steady = SteadyEncoder(encoder, batch_size)
        self.on_gpu = self._steady.on_gpu
        self.workers = workers or self._steady.workers
        # Work is measured in seconds of one worker; at most one worker a core decodes at a time.
        self.decoders = min(self.workers, cores())
        self.encoders = self._steady.at_once if self.on_gpu else self.decoders
        self.engine = str(getattr(encoder, "engine", "torch"))
        self._elsewhere = self.on_gpu or self.engine != "torch"
        self.decoding = StageTimes()
        self.encoding = StageTimes()
        self._waiting = iter(entries)
        self._claimed: set[bytes] = set()
        self._lock = threading.Lock()
        self._gpu = threading.Semaphore(self.encoders) if self.on_gpu else nullcontext()
        self._stop = threading.Event()
        self._working = 0
        self._threads: list[threading.Thread] = []
        self._results: queue.Queue[Outcome | BaseException | None] = queue.Queue(RESULTS_WAITING)

    @property
    def batch_size(self) -> int:
        """How many images are encoded at once, as far as memory was found for them."""
        return self._steady.batch_size

    def stop(self) -> None:
        """Let the workers finish the batch that they are at, and no more."""
        self._stop.set()

    def outcomes(self) -> Iterator[Outcome]:
        """Yield outcomes as they come; at the end raise what a worker could not handle."""
        self._threads = [
            threading.Thread(target=self._work, daemon=True) for _ in range(self.workers)
        ]
        self._working = len(self._threads)
        for thread in self._threads:
            thread.start()
        failure: BaseException | None = None
        while self._working:
            result = self._results.get()
            if result is None:
                self._working -= 1
            elif isinstance(result, BaseException):
                failure = failure or result
                self.stop()
            else:
                yield result
        self.close()
        if failure is not None:
            raise failure

    def close(self) -> None:
        """End the workers, dropping what was not taken."""
        self.stop()
        while self._working:
            if self._results.get() is None:
                self._working -= 1
        # What an engine keeps for each thread goes with the thread; were the program to end amid
        # that, the C++ of some would abort it.
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                batch = self._fill_batch()
                if not batch.rows:
                    break
                with self._gpu:
                    started = self._clock()
                    vectors = self._steady.encode(batch.pixels)
                    self.encoding.add(self._clock() - started, len(batch.pixels))
                self._results.put(Outcome(batch.rows, vectors, batch.ids, batch.views))
        except BaseException as error:
            self._results.put(error)
        finally:
            self._results.put(None)

    def _fill_batch(self) -> _Batch:
        batch = _Batch()
        while len(batch.pixels) < self.batch_size and not self._stop.is_set():
            with self._lock:
                entry = next(self._waiting, None)
            if entry is None:
                break
            started = time.thread_time()
            before = len(batch.pixels)
            without = self._prepare(entry, batch)
            if without is not None:
                self._results.put(without)
            else:
                self.decoding.add(time.thread_time() - started, len(batch.pixels) - before)
        return batch

    def _prepare(self, entry: Entry, batch: _Batch) -> Outcome | None:
        """Put an input into a batch; return what came of it where it needs no vector."""
        identity = None
        try:
            read = entry.origin.read()
            entry = replace(entry, bytes=len(read.data), mtime_ns=read.mtime_ns)
            identity = image_id(read.data)
            file = ImageFile(read.data, self._max_pixels)
            row = CatalogRow(
                key=entry.key,
                image_id=identity,
                width=file.info.width,
                height=file.info.height,
                format=file.info.format,
                bytes=entry.bytes,
                mtime_ns=entry.mtime_ns,
                labels=entry.labels,
                split=entry.split,
                extra=entry.extra,
                source=self._source,
            )
            views = self._coverage.missing(identity, entry)
            with self._lock:
                if not views or identity in self._claimed:
                    return Outcome([row])
                self._claimed.add(identity)
            picture = file.decode(self._enough)
            pixels = [
                self._encoder.preprocess(augment(picture, self._recipe, identity, view))
                for view in views
            ]
        except ImageError as error:
            row = error_row(entry, self._source, error.kind, error.detail)
            return Outcome([row], failed=identity)
        batch.rows.append(row)
        batch.ids += [identity] * len(views)
        batch.views += views
        batch.pixels += pixels
        return None

    def _clock(self) -> float:
        # On a CPU torch works in this very thread; a GPU, or OpenVINO, while the thread waits.
        return time.perf_counter() if self._elsewhere else time.thread_time()
