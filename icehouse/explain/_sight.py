"""A picture as encoders see it, whole or with parts hidden.

A head may rest on several encoders, which crop and resize each in its way. Parts are chosen in the
frame of the first one, and every other hides what lies in the same place of the original.

Hidden parts fade at their edges: a sharp one is a shape of its own, and what it adds to a picture
outweighed what it took away (a grey square in a field is most like a road).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter

from icehouse.embedder import Encoder, decode, enough, seen
from icehouse.errors import UsageError
from icehouse.explain._explanation import Pixels

Masks = npt.NDArray[np.bool_]  # (n, H, W): what is hidden
SoftMasks = npt.NDArray[np.float32]  # and how much of it, 0 to 1
BATCH = 16
LEAST = 8  # pixels; of less there are no parts to tell apart
BLUR, FADE = 1 / 8, 1 / 32  # of the picture's side

Box = tuple[float, float, float, float]
Vectors = npt.NDArray[np.floating]


@dataclass(frozen=True)
class View:
    """What one encoder sees.

    Attributes
    ----------
    pixels, hidden : array of uint8, shape (H, W, 3)
        The picture, and what is seen of its parts when they are hidden.
    rows, columns : array of int64, shape (H,) and (W,)
        Where in the frame each pixel lies; -1 for outside of it.
    """

    pixels: Pixels
    hidden: Pixels
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]

    def without(self, masks: SoftMasks) -> Pixels:
        """Return the picture with parts hidden, uint8 (n, H, W, 3)."""
        inside = (self.rows >= 0)[:, None] & (self.columns >= 0)
        own = (masks[:, self.rows[:, None], self.columns] * inside)[..., None]
        change = self.hidden.astype(np.float32) - self.pixels
        return np.round(self.pixels + own * change).astype(np.uint8)


@dataclass(frozen=True)
class Sight:
    """What all encoders of a head see of a picture.

    Attributes
    ----------
    encoders : tuple of Encoder
    views : tuple of View
        One for each encoder.
    box : (float, float, float, float)
        Which part of the original the frame is, as :func:`icehouse.embedder.seen` says it.
    """

    encoders: tuple[Encoder, ...]
    views: tuple[View, ...]
    box: Box

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frame."""
        height, width = self.views[0].pixels.shape[:2]
        return height, width

    def vectors(self, masks: Masks) -> Vectors:
        """Return what encoders make of the picture with parts hidden, (n, D), as it is stored."""
        parts = [
            np.concatenate([encoder.encode(some) for some in _batches(view, masks)])
            for encoder, view in zip(self.encoders, self.views, strict=True)
        ]
        types = (encoder.spec.stored_as for encoder in self.encoders)
        stored = [part.astype(name) for part, name in zip(parts, types, strict=True)]
        return np.concatenate(stored, axis=1)


def _batches(view: View, masks: Masks) -> Iterator[Pixels]:
    for start in range(0, len(masks), BATCH):
        yield view.without(faded(masks[start : start + BATCH]))


def faded(masks: Masks) -> SoftMasks:
    """Return masks with soft edges."""
    sigma = FADE * max(masks.shape[1:])
    return gaussian_filter(masks.astype(np.float32), (0, sigma, sigma), mode="nearest")


def look(encoders: Sequence[Encoder], data: bytes, hide: str) -> Sight:
    """Let encoders see a picture.

    Parameters
    ----------
    encoders : sequence of Encoder
    data : bytes
        A file.
    hide : {"mean", "blur", "grey"}
        What is seen of parts that are hidden.

    Raises
    ------
    ImageError
        It is no picture.
    UsageError
        It is too small to have parts.
    """
    views: list[View] = []
    frame, shape = (0.0, 0.0, 1.0, 1.0), (0, 0)
    for encoder in encoders:
        spec = encoder.spec.preprocess
        image = decode(data, enough=enough(spec))
        height, width = image.shape[:2]
        if min(height, width) < LEAST:
            raise UsageError(
                f"a picture of {width}x{height} pixels has no parts to tell apart; give one of "
                f"{LEAST}x{LEAST} or more"
            )
        box = seen(image.shape, spec)
        if not views:
            frame, shape = box, spec.size
        pixels = encoder.preprocess(image)
        places = [_places(spec.size[a], box[a::2], frame[a::2], shape[a]) for a in (0, 1)]
        views.append(View(pixels, HIDDEN[hide](pixels), *places))
    return Sight(tuple(encoders), tuple(views), frame)


def _places(
    count: int, own: tuple[float, ...], frame: tuple[float, ...], size: int
) -> npt.NDArray[np.int64]:
    """Return for each of ``count`` rows (or columns) the one of the frame at the same place."""
    middle = own[0] + (np.arange(count) + 0.5) * (own[1] - own[0]) / count
    found = np.floor((middle - frame[0]) / (frame[1] - frame[0]) * size + 1e-6).astype(np.int64)
    return np.where((found >= 0) & (found < size), found, -1)


def _mean(pixels: Pixels) -> Pixels:
    colour = np.round(pixels.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    return np.broadcast_to(colour, pixels.shape)


def _blurred(pixels: Pixels) -> Pixels:
    sigma = BLUR * max(pixels.shape[:2])
    return gaussian_filter(pixels, (sigma, sigma, 0), mode="nearest")


def _grey(pixels: Pixels) -> Pixels:
    return np.array(Image.fromarray(pixels).convert("L").convert("RGB"))


HIDDEN: Mapping[str, Callable[[Pixels], Pixels]] = {
    "mean": _mean,
    "blur": _blurred,
    "grey": _grey,
}
