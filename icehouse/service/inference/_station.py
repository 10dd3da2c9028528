"""An encoder at work: bytes of images in, the vectors that ``embed`` would store for them out."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icehouse.embedder import (
    Encoder,
    EncoderSpec,
    ImageFile,
    ImageInfo,
    Pixels,
    SteadyEncoder,
    check_canary,
    enough,
    reopen_encoder,
)
from icehouse.errors import (
    IcehouseError,
    ImageError,
    ImageErrorKind,
    ServiceBusy,
    VectorError,
)
from icehouse.service.inference._batcher import Batcher, BatchOptions, Seen
from icehouse.service.inference._options import StationOptions
from icehouse.store import Store, image_id

FRESH = 5.0  # seconds for which the canary is believed
CANARY_SECONDS = 10.0
EXPECTED = 10**6  # images that a server encodes: to find out which engine is faster is worth it

NOTHING = ImageInfo("", 0, 0)

Vector = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Encoded:
    """What came of an image.

    Attributes
    ----------
    image_id : bytes
    vector : array of float16 or float32, shape (D,)
        As the store keeps it.
    info : ImageInfo
    """

    image_id: bytes
    vector: Vector
    info: ImageInfo


@dataclass(frozen=True)
class _Picture:
    pixels: Pixels
    image_id: bytes = b""
    info: ImageInfo = NOTHING


class EncoderWork:
    """An encoder as the work of a batcher.

    Parameters
    ----------
    store : Store
        That has met it.
    encoder_id : str
    options : StationOptions
    """

    def __init__(self, store: Store, encoder_id: str, options: StationOptions) -> None:
        self._store = store
        self._encoder_id = encoder_id
        self._options = options
        self.steady = self._open()
        self.spec: EncoderSpec = self.steady.encoder.spec
        self._enough = enough(self.spec.preprocess)
        self._dtype = np.dtype(self.spec.stored_as)

    def _open(self) -> SteadyEncoder:
        engine = self._options.engine
        return SteadyEncoder(reopen_encoder(self._store, self._encoder_id, engine, EXPECTED))

    @property
    def encoder(self) -> Encoder:
        """The one that works at the moment."""
        return self.steady.encoder

    @property
    def full(self) -> int:
        """See :class:`Work`."""
        return self.steady.full

    @property
    def most(self) -> int:
        """See :class:`Work`."""
        return self.steady.batch_size

    def prepare(self, given: bytes | Pixels) -> _Picture:
        """Decode the bytes of an image; what is no bytes is decoded and of its size already."""
        if not isinstance(given, bytes):
            return _Picture(given)
        if not given:
            raise ImageError(ImageErrorKind.EMPTY, "there are no bytes")
        file = ImageFile(given, self._options.max_pixels)
        try:
            pixels = self.encoder.preprocess(file.decode(self._enough))
        except MemoryError as error:
            detail = "there is not enough memory for it"
            raise ImageError(ImageErrorKind.TOO_LARGE, detail) from error
        return _Picture(pixels, image_id(given), file.info)

    def run(self, batch: list[_Picture]) -> Sequence[Encoded | Exception]:
        """Encode prepared images."""
        vectors = self.steady.encode([picture.pixels for picture in batch])
        with np.errstate(over="ignore"):
            stored = vectors.astype(self._dtype)
        finite = np.isfinite(stored).all(axis=1)
        wrong = VectorError("the encoder gives no vector for this image that could be stored")
        return [
            Encoded(picture.image_id, vector, picture.info) if good else wrong
            for picture, vector, good in zip(batch, stored, finite, strict=True)
        ]

    def renew(self) -> None:
        """Open the encoder anew; its canary is compared with the store's."""
        self.steady = self._open()


class Station:
    """An encoder, the threads that work with it, and whether it can be relied on.

    Parameters
    ----------
    store : Store
    encoder_id : str
    options : StationOptions, optional
    seen : callable, optional
        See :class:`Batcher`.
    work : EncoderWork, optional
        By default one that is opened.

    Raises
    ------
    WeightsError, CanaryError
        The encoder is not what it was.
    """

    def __init__(
        self,
        store: Store,
        encoder_id: str,
        options: StationOptions | None = None,
        seen: Seen = lambda _size, _seconds: None,
        work: EncoderWork | None = None,
    ) -> None:
        options = options or StationOptions()
        self.encoder_id = encoder_id
        self.work = work or EncoderWork(store, encoder_id, options)
        self._store = store
        steady = self.work.steady
        self.on_gpu = steady.on_gpu
        batches = BatchOptions(steady.workers, steady.at_once, options.limit, options.window)
        self._batcher = Batcher(self.work, f"encoder {encoder_id}", batches, seen)
        self._sung = -FRESH
        self._wrong: str | None = "its canary has not been heard yet"
        self._singing = threading.Lock()

    def count(self) -> int:
        """Return how many images are waited for."""
        return self._batcher.waiting

    def submit(self, images: Sequence[bytes]) -> list[Future[Encoded]]:
        """Ask for the vectors of images, all or none.

        Raises
        ------
        ServiceBusy, ServiceDown
            At once; what is wrong with an image is said by its future, as ImageError.
        """
        return self._batcher.submit(images)

    def trouble(self, seconds: float = CANARY_SECONDS) -> str | None:
        """Say what is wrong, or None where its canary was heard some seconds ago, at most.

        The canary goes the way of all images, through the queue. A thread that has died is known
        at once.
        """
        if (wrong := self._batcher.trouble()) is not None:
            return wrong
        if time.monotonic() - self._sung > FRESH and self._singing.acquire(blocking=False):
            try:
                self._wrong = self._sing(seconds)
                self._sung = time.monotonic() if self._wrong is None else -FRESH
            finally:
                self._singing.release()
        return self._batcher.trouble() or self._wrong

    def _sing(self, seconds: float) -> str | None:
        if not self._store.features(self.encoder_id).exists:
            return "the store is not there, or does not know this encoder any more"
        try:
            check_canary(self._store, _Voice(self.work, self._batcher, seconds))
        except ServiceBusy:
            return None  # it works, and has all hands full
        except TimeoutError:
            return f"its canary was not encoded within {seconds:g} s"
        except IcehouseError as error:
            return str(error)
        return None

    def close(self) -> None:
        """Finish what was asked for, and end the threads."""
        self._batcher.close()


class _Voice:
    """The encoder as the canary's check asks it: what it is given stands in the queue with all."""

    def __init__(
        self,
        work: EncoderWork,
        batcher: Batcher[bytes | Pixels, _Picture, Encoded],
        seconds: float,
    ) -> None:
        self.spec = work.spec
        self.preprocess = work.encoder.preprocess
        self._batcher = batcher
        self._seconds = seconds

    def encode(self, batch: Pixels) -> npt.NDArray[np.float32]:
        """Return vectors as they are stored."""
        end = time.monotonic() + self._seconds
        futures = self._batcher.submit(list(batch))
        try:
            songs = [future.result(max(0.0, end - time.monotonic())) for future in futures]
        finally:
            for future in futures:
                future.cancel()
        return np.stack([song.vector for song in songs]).astype(np.float32)
