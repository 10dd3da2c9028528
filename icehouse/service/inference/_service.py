"""Everything that answers about images: encoders, heads, and what the store knows. No HTTP."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from icehouse.embedder import (
    TextEncoder,
    choose_encoder,
    choose_text_encoder,
    one_torch_thread,
    reopen_text_encoder,
)
from icehouse.errors import IcehouseError, LookupFailed
from icehouse.review import Prediction
from icehouse.service.inference._batcher import Batcher, BatchOptions
from icehouse.service.inference._heads import Asked, Heads, HeadWork, Served
from icehouse.service.inference._images import REMOTE_WATCH
from icehouse.service.inference._library import Library
from icehouse.service.inference._metrics import Metrics
from icehouse.service.inference._options import ServiceOptions
from icehouse.service.inference._seen import Seen, Upload, joined
from icehouse.service.inference._station import Encoded, Station
from icehouse.store import Store, parts_of

LOG = logging.getLogger(__name__)

Vectors = npt.NDArray[np.floating[Any]]


class Service:
    """Encoders and heads at work.

    Parameters
    ----------
    store : Store
    options : ServiceOptions, optional
    metrics : Metrics, optional

    Raises
    ------
    LookupFailed, HeadError, EncoderError
        Something that is to be served cannot be.
    UsageError, MissingExtra
        The index is no Milvus, or its client is not installed.
    """

    def __init__(
        self, store: Store, options: ServiceOptions | None = None, metrics: Metrics | None = None
    ) -> None:
        self.store = store
        self.options = options or ServiceOptions()
        self.metrics = metrics or Metrics()
        self.library = Library(store, index=self.options.index)
        self.heads = Heads(store, self.options.heads)
        self.stations: dict[str, Station] = {}
        self._words: dict[str, TextEncoder] = {}
        self._opening, self._looking = threading.Lock(), threading.Lock()
        self._until = ExitStack()
        wanted = [head.encoder_id for head in self.heads.every()]
        wanted += [choose_encoder(store, name) for name in self.options.encoders]
        if not wanted:
            wanted = [choose_encoder(store)]
        for encoder_id in wanted:
            self._open(encoder_id)
            if self.options.index is not None:
                self.library.open(encoder_id)
        if not any(station.on_gpu for station in self.stations.values()):
            self._until.enter_context(one_torch_thread())  # batches are side by side
            self._until.enter_context(threadpool_limits(1))
        limit = BatchOptions(limit=2**20)  # what waits here was let in already
        self._asker = Batcher(HeadWork(), "heads", limit)
        self._end = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._watcher.start()

    def _open(self, encoder_ids: str) -> None:
        for encoder_id in parts_of(encoder_ids):
            if encoder_id not in self.stations:
                seen = self.metrics.batches_of(encoder_id)
                station = Station(self.store, encoder_id, self.options.station, seen)
                self.metrics.watch(encoder_id, station.count)
                self.stations = {**self.stations, encoder_id: station}

    def close(self) -> None:
        """Finish what was accepted, and end all threads."""
        self._end.set()
        for station in self.stations.values():
            station.close()
        self._asker.close()
        self._watcher.join(30)
        self._until.close()

    # What it is asked.

    def encoder(self, name: str | None) -> str:
        """Return the encoder_id that is meant: by default that of the first head.

        Raises
        ------
        LookupFailed
            No such encoder is served.
        """
        served = list(self.stations)
        return served[0] if name is None else _meant(name, served, "is served")

    def trouble(self) -> dict[str, str | None]:
        """Return what is wrong with each encoder and the heads, None for nothing."""
        found = {name: station.trouble() for name, station in self.stations.items()}
        wrong = self._asker.trouble()
        return found if wrong is None else {**found, "heads": wrong}

    async def see(
        self, uploads: Sequence[Upload], encoder_ids: Sequence[str]
    ) -> list[Seen | IcehouseError]:
        """Return images with their vectors, or what is wrong with each.

        Parameters
        ----------
        uploads : sequence of Upload
        encoder_ids : sequence of str
            Each may join several.

        Raises
        ------
        ServiceBusy, ServiceDown
            There is no answer at all.
        """
        parts = list(dict.fromkeys(p for each in encoder_ids for p in parts_of(each)))
        data = [upload.data for upload in uploads if upload.data is not None]
        ids = [upload.image_id for upload in uploads if upload.image_id is not None]
        encoded = await self._encode(data, parts)
        known = iter(await asyncio.to_thread(self._known, ids, parts) if ids else ())
        sent = iter(range(len(data)))
        found: list[Seen | IcehouseError] = []
        for upload in uploads:
            if upload.data is None:
                found.append(next(known))
                continue
            row = next(sent)
            found.append(joined({part: encoded[part][row] for part in parts}))
        return found

    async def _encode(
        self, data: list[bytes], parts: Sequence[str]
    ) -> dict[str, list[Encoded | BaseException]]:
        if not data:
            return {part: [] for part in parts}
        waiting: dict[str, list[asyncio.Future[Encoded]]] = {}
        try:
            for part in parts:
                submitted = self.stations[part].submit(data)
                waiting[part] = [asyncio.wrap_future(future) for future in submitted]
            return {
                part: await asyncio.gather(*futures, return_exceptions=True)
                for part, futures in waiting.items()
            }
        finally:  # what nobody waits for any more is not to be done
            for futures in waiting.values():
                for future in futures:
                    future.cancel()

    def _known(self, ids: Sequence[bytes], parts: Sequence[str]) -> list[Seen | IcehouseError]:
        found: list[Seen | IcehouseError] = []
        columns = [self.library.vectors(part, ids) for part in parts]
        for image, several in zip(ids, zip(*columns, strict=True), strict=True):
            vectors = {}
            for part, vector in zip(parts, several, strict=True):
                if isinstance(vector, LookupFailed):
                    found.append(vector)
                    break
                vectors[part] = vector
            else:
                found.append(Seen(image, None, vectors))
        return found

    async def predict(self, served: Served, seen: Sequence[Seen]) -> list[Prediction]:
        """Return what a head says of images whose vectors are known."""
        asked = [Asked(served, each.image_id, each.vector(served.encoder_id)) for each in seen]
        futures = self._asker.submit(asked)
        return list(await asyncio.gather(*map(asyncio.wrap_future, futures)))

    def words(self, encoder_id: str | None, text: str) -> tuple[str, Vectors]:
        """Return the encoder that is meant and the vector of a text, shape (1, D).

        Raises
        ------
        LookupFailed
            No such encoder.
        UsageError
            No encoder of the store takes words.
        """
        if encoder_id is not None:
            encoder_id = _meant(encoder_id, self.store.encoder_ids(), "is in the store")
        chosen = choose_text_encoder(self.store, encoder_id)
        with self._opening:
            if chosen not in self._words:
                station = self.stations.get(chosen)
                own = None if station is None else station.work.encoder
                if not isinstance(own, TextEncoder):
                    own = reopen_text_encoder(self.store, chosen)
                self._words[chosen] = own
        return chosen, self._words[chosen].encode_text([text])

    def _watch(self) -> None:
        said = ""
        near = isinstance(self.store.path, Path)
        pause = self.options.watch if near else max(self.options.watch, REMOTE_WATCH)
        while not self._end.wait(pause):
            try:
                self.look()
                said = ""
            except Exception as error:  # it may be away for a while; what is at hand is served
                if str(error) != said:
                    LOG.exception("what has changed in the store could not be read")
                said = str(error)

    def look(self) -> None:
        """Take up what has changed in the store.

        Raises
        ------
        StoreError
            It is not there, or cannot be read.
        """
        self.store.check_format()
        with self._looking:
            for head in self.heads.refresh(self._open):
                self.metrics.replaced(head)
            self.library.refresh()


def _meant(name: str, among: Sequence[str], where: str) -> str:
    """Return the encoder_id that begins so. What a request says is never taken for a path."""
    found = [each for each in among if each == name] or [e for e in among if e.startswith(name)]
    if len(found) != 1:
        these = ", ".join(among)
        raise LookupFailed(f"no encoder {name[:80]!r} {where}; these are: {these}")
    return found[0]
