"""Mean and standard deviation of a dataset's channels, as the network will see its pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from icehouse.embedder._decode import decode
from icehouse.embedder._encoder import Encoder, EncoderRequest, open_encoder
from icehouse.embedder._layout import enough
from icehouse.embedder._spec import Triple
from icehouse.embedder._threads import cores
from icehouse.embedder.sources import Entry
from icehouse.errors import ImageError, SourceError

DIGITS = 6


def with_statistics(
    request: EncoderRequest, entries: Sequence[Entry], max_pixels: int
) -> EncoderRequest:
    """Return a request that says the mean and deviation, where those of the dataset are asked for.

    Raises
    ------
    SourceError
        As :func:`channel_statistics`.
    UsageError
        The encoder has no mean.
    """
    pictures = request.pictures
    if pictures.normalise == "encoder" or pictures.statistics is not None:
        return request
    statistics = channel_statistics(entries, open_encoder(request), max_pixels)
    return replace(request, pictures=replace(pictures, statistics=statistics))


def channel_statistics(
    entries: Iterable[Entry],
    encoder: Encoder,
    max_pixels: int,
) -> tuple[Triple, Triple]:
    """Measure the channels of all pictures that can be read, in one pass.

    Parameters
    ----------
    entries : iterable of Entry
    encoder : Encoder
        For its preprocessing.
    max_pixels : int

    Returns
    -------
    mean, std : (float, float, float)
        Of red, green and blue, on a scale of 0 to 1, to six digits. Sums are of integers: the
        order of the inputs does not matter.

    Raises
    ------
    SourceError
        None of them can be read, or they are all of one colour.
    """

    small = enough(encoder.spec.preprocess)

    def measure(entry: Entry) -> tuple[int, list[int], list[int]]:
        try:
            data = entry.origin.read().data
            pixels = encoder.preprocess(decode(data, max_pixels, small))
        except ImageError:
            return 0, [0] * 3, [0] * 3
        values = pixels.reshape(-1, 3).astype(np.uint32)
        return len(values), values.sum(0).tolist(), (values * values).sum(0, np.uint64).tolist()

    count, totals, squares = 0, [0] * 3, [0] * 3
    with ThreadPoolExecutor(cores()) as threads:
        for n, total, square in threads.map(measure, entries):
            count += n
            totals = [a + b for a, b in zip(totals, total, strict=True)]
            squares = [a + b for a, b in zip(squares, square, strict=True)]
    if not count:
        raise SourceError("none of the inputs can be read, so their mean cannot be taken")
    means = [total / count for total in totals]
    deviations = [
        max(0.0, square / count - mean * mean) ** 0.5
        for square, mean in zip(squares, means, strict=True)
    ]
    if min(deviations) <= 0:
        raise SourceError(
            "all pixels of a channel have one value, so it cannot be normalised; "
            "leave --normalise dataset out"
        )
    red, green, blue = (
        (round(m / 255, DIGITS), round(d / 255, DIGITS))
        for m, d in zip(means, deviations, strict=True)
    )
    return (red[0], green[0], blue[0]), (red[1], green[1], blue[1])
