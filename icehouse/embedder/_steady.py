"""Batches of which no vector depends: not on how many images they hold, nor on which.

Libraries multiply a few rows by another kernel than many, and round otherwise. From sixteen images
on vectors were seen to be the same bit by bit, so a batch of fewer is filled up with copies of its
last image.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from icehouse.embedder._decode import Pixels
from icehouse.embedder._encoder import Encoder
from icehouse.embedder._memory import keep_freed_memory
from icehouse.embedder._threads import cores
from icehouse.errors import EncoderError

GPU_WORKERS = 16
GPU_AT_ONCE = 2
GPU_BATCH = 256
STABLE_BATCH = 16
CPU_BATCH = STABLE_BATCH  # of more, a layer leaves the cache: a tenth slower, and twice the memory


class SteadyEncoder:
    """An encoder as those use it who encode images by batches.

    Parameters
    ----------
    encoder : Encoder
    batch_size : int, optional
        At most so many images at once. None: 16, or 256 on a GPU.

    Attributes
    ----------
    encoder : Encoder
    batch_size : int
        Halved where there turned out to be no memory for so many.
    device : str
        "cpu", "cuda", …
    at_once : int
        How many batches it works on at the same time.
    workers : int
        Threads that decode and encode: as many as keep it busy.
    """

    def __init__(self, encoder: Encoder, batch_size: int | None = None) -> None:
        self.encoder = encoder
        self.device = str(getattr(getattr(encoder, "device", None), "type", "cpu"))
        self.batch_size = batch_size or (GPU_BATCH if self.on_gpu else CPU_BATCH)
        self.at_once = self.workers = cores()
        if self.on_gpu:  # CUDA copies one batch while it encodes another
            self.at_once, self.workers = (GPU_AT_ONCE if self.device == "cuda" else 1), GPU_WORKERS
        else:
            keep_freed_memory()

    @property
    def on_gpu(self) -> bool:
        """Whether the processor's cores are free for other work meanwhile."""
        return self.device != "cpu"

    @property
    def full(self) -> int:
        """How many images cost as much as one does, or fewer than that."""
        return min(STABLE_BATCH, self.batch_size)

    def encode(self, pixels: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        """Encode preprocessed images; those for which there is no memory at once, by halves.

        Raises
        ------
        EncoderError
            There is no memory for even one.
        """
        size = max(len(pixels), self.full)
        batch = np.stack([*pixels, *[pixels[-1]] * (size - len(pixels))])
        try:
            return self.encoder.encode(batch)[: len(pixels)]
        except MemoryError as error:
            if size == 1:
                raise EncoderError(f"there is no memory for even one image: {error}") from error
        half = size // 2
        self.batch_size = min(self.batch_size, half)
        parts = [self.encode(pixels[i : i + half]) for i in range(0, len(pixels), half)]
        return np.concatenate(parts)
