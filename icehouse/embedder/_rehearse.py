"""A dry run: how fast a dataset would be frozen here, by some of its images, writing nothing."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from icehouse.embedder._embed import EmbedOptions
from icehouse.embedder._encoder import EncoderRequest
from icehouse.embedder._engine import open_on
from icehouse.embedder._pipeline import Pipeline, StageTimes
from icehouse.embedder._reading import timed
from icehouse.embedder._report import Speed, make_speed
from icehouse.embedder._statistics import with_statistics
from icehouse.embedder._threads import one_torch_thread
from icehouse.embedder._views import Coverage, Wanted
from icehouse.embedder.sources import Listing, read_ahead
from icehouse.errors import UsageError


@dataclass(frozen=True)
class Rehearsal:
    """What a dry run found.

    Attributes
    ----------
    source, encoder_id : str
    inputs : int
        Listed by the source.
    tried, encoded : int
        Of these, how many were read, and how many became a vector.
    views : int
        Augmented views that were made of them.
    errors : dict
        The rest of what was read but copies, by kind.
    opening : float
        Seconds until the encoder was open, which every run takes once.
    seconds : float
        For what was tried.
    estimate : float or None
        Seconds that all of the source would take, with opening; None where nothing was encoded.
    speed : Speed or None
    """

    source: str
    encoder_id: str
    inputs: int
    tried: int
    encoded: int
    views: int
    errors: dict[str, int]
    opening: float
    seconds: float
    estimate: float | None
    speed: Speed | None


def rehearse(
    listing: Listing,
    request: EncoderRequest | str,
    images: int,
    *,
    options: EmbedOptions | None = None,
) -> Rehearsal:
    """Encode some images of a source, spread evenly over it, and keep nothing.

    Parameters
    ----------
    listing : Listing
    request : EncoderRequest or str
    images : int
        How many, at most.
    options : EmbedOptions, optional

    Raises
    ------
    EncoderError, UsageError
        See :mod:`icehouse.errors`.
    """
    if images < 1:
        raise UsageError(f"a dry run takes 1 image or more, got {images}")
    options = options or EmbedOptions()
    if options.engine == "ray":
        raise UsageError("a dry run measures this machine, and no cluster; leave --engine ray out")
    request = EncoderRequest(request) if isinstance(request, str) else request
    readable = [entry for entry in listing.entries if entry.error is None]
    step = max(1, len(readable) / images)
    some = [readable[int(number * step)] for number in range(min(images, len(readable)))]
    started = time.perf_counter()
    request = with_statistics(request, some, options.max_pixels)
    opened = open_on(request, options.engine, len(readable))
    opening = time.perf_counter() - started
    reading = StageTimes()
    pipeline = Pipeline(
        opened.encoder,
        timed(read_ahead(some), reading),
        listing.source,
        Coverage(wanted=Wanted.by(options.views, listing.entries)),
        options.views.augment,
        batch_size=options.batch_size,
        workers=options.workers,
        max_pixels=options.max_pixels,
    )
    started = time.perf_counter()
    encoded, errors = _try(pipeline)
    seconds = time.perf_counter() - started
    return Rehearsal(
        source=listing.source,
        encoder_id=opened.encoder.spec.encoder_id,
        inputs=len(listing.entries),
        tried=len(some),
        encoded=encoded,
        views=pipeline.encoding.images - encoded,
        errors=dict(sorted(errors.items())),
        opening=opening,
        seconds=seconds,
        estimate=opening + seconds * len(readable) / len(some) if encoded else None,
        speed=make_speed(pipeline, opened, seconds, reading),
    )


def _try(pipeline: Pipeline) -> tuple[int, Counter[str]]:
    """Return how many inputs were encoded, and the errors of others by kind."""
    encoded, errors = 0, Counter[str]()
    with one_torch_thread():
        try:
            for outcome in pipeline.outcomes():
                errors.update(str(row.error) for row in outcome.rows if row.error)
                encoded += len(outcome.rows) if outcome.vectors is not None else 0
        finally:
            pipeline.close()
    return encoded, errors
