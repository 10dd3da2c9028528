"""``descriptor``: what pictures look like without learning anything.

Three classical statistics from scikit-image, side by side: a colour histogram (Swain and
Ballard 1991), histograms of oriented gradients (Dalal and Triggs 2005) and local binary
patterns (Ojala et al. 2002). It needs no weights, and is the floor that an encoder must beat.
"""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import numpy.typing as npt
from skimage.color import rgb2gray, rgb2hsv
from skimage.feature import hog, local_binary_pattern

from icehouse.embedder._decode import Pixels
from icehouse.embedder._encoder import EncoderRequest
from icehouse.embedder._preprocess import preprocess
from icehouse.embedder._spec import EncoderSpec, PreprocessSpec
from icehouse.errors import UnknownEncoder, UsageError

SIDE = 64
HUES, SATURATIONS, VALUES = 8, 3, 3
ORIENTATIONS, CELL, BLOCK = 9, 16, 2
PATTERN_POINTS, PATTERN_GRID = 8, 4
PATTERNS = PATTERN_POINTS + 2  # of the "uniform" kind

Vector = npt.NDArray[np.float32]


class DescriptorEncoder:
    """Colour, gradient and texture statistics of a 64x64 picture.

    Each of the three parts has length 1, so that none drowns the others in a cosine.
    """

    def __init__(self, request: EncoderRequest) -> None:
        layout = PreprocessSpec(size=(SIDE, SIDE), resize_to=(SIDE, SIDE), interpolation="bilinear")
        cells = SIDE // CELL - BLOCK + 1
        self.spec = EncoderSpec(
            family="descriptor",
            architecture="descriptor",
            config={"scikit-image": version("scikit-image").rpartition(".")[0]},
            weights_sha256="",
            preprocess=request.pictures.applied_to(layout),
            precision="float32",
            normalise="none",
            dim=HUES * SATURATIONS * VALUES
            + cells * cells * BLOCK * BLOCK * ORIENTATIONS
            + PATTERN_GRID * PATTERN_GRID * PATTERNS,
            stored_as=request.stored_as,
        )

    def preprocess(self, image: Pixels) -> Pixels:
        """See :meth:`Encoder.preprocess`."""
        return preprocess(image, self.spec.preprocess)

    def encode(self, batch: Pixels) -> Vector:
        """See :meth:`Encoder.encode`."""
        return np.stack([self._describe(image) for image in batch])

    def _describe(self, image: Pixels) -> Vector:
        grey = rgb2gray(image)
        gradients = hog(
            grey,
            orientations=ORIENTATIONS,
            pixels_per_cell=(CELL, CELL),
            cells_per_block=(BLOCK, BLOCK),
            block_norm="L2-Hys",
        )
        parts = (_colours(image), gradients, _textures(grey))
        return np.concatenate([_unit(part) for part in parts]).astype(np.float32)


def load(request: EncoderRequest) -> DescriptorEncoder:
    """Make the encoder ``descriptor``."""
    if request.name != "descriptor":
        raise UnknownEncoder(f"no encoder {request.name!r}; descriptor takes nothing after it")
    if request.precision not in (None, "float32"):
        raise UsageError(f"descriptor computes in float32, not {request.precision}")
    if request.pictures.normalise != "encoder":
        raise UsageError("descriptor has no mean to replace; leave --normalise out")
    return DescriptorEncoder(request)


def _colours(image: Pixels) -> npt.NDArray[np.float64]:
    bins = np.array([HUES, SATURATIONS, VALUES])
    hsv = (rgb2hsv(image).reshape(-1, 3) * bins).astype(np.int64)
    hue, saturation, value = np.minimum(hsv, bins - 1).T
    code = (hue * SATURATIONS + saturation) * VALUES + value
    # The square root makes a dot product of histograms their Bhattacharyya coefficient.
    return np.sqrt(np.bincount(code, minlength=int(bins.prod())) / len(code))


def _textures(grey: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    levels = np.round(grey * 255).astype(np.uint8)
    codes = local_binary_pattern(levels, PATTERN_POINTS, 1, method="uniform").astype(np.int64)
    cell = SIDE // PATTERN_GRID
    grid = codes.reshape(PATTERN_GRID, cell, PATTERN_GRID, cell).swapaxes(1, 2)
    rows = grid.reshape(PATTERN_GRID**2, cell * cell)
    offset = rows + np.arange(len(rows))[:, None] * PATTERNS
    counts = np.bincount(offset.reshape(-1), minlength=len(rows) * PATTERNS)
    return np.sqrt(counts / (cell * cell))


def _unit(part: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = np.linalg.norm(part)
    return part / length if length > 0 else part
