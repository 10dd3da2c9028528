"""What logistic regression is fitted to, on the device that multiplies it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from icehouse.embedder import best_device, best_precision

FloatArray = npt.NDArray[np.floating[Any]]
CELLS = 2**18  # logits at once: what is computed of them stays in the processor's cache
LEAST_ROWS, MOST_ROWS = 256, 4096
EVEN_PARTS = 16  # so that threads end at about the same time,
WORTH = 2**17  # but not of fewer logits than a part is worth
SHARE, LEAST = 8, 4096  # one image in 8 is in the sample, and as many at least
GRAM = 2  # images a feature, of which H is made
SMALL = 2**27  # products in a step, for one thread
ROUGH_SIZE = 2**21  # numbers in X from which rounding them pays


class LogisticData:
    """Features and targets, on the device that multiplies them.

    Parameters
    ----------
    X : array of float, shape (n, D)
    target : array of int, shape (n,), of classes; or of 0 and 1, shape (n, K)
        K columns that have nothing to do with each other; 1 for two classes.
    columns : int, optional
        Number of classes, where ``target`` has not the last of them.
    weights : array of float, shape (problems, n), optional
        Of each image in each problem; by default one problem and all 1.
    penalties : array of float, shape (problems, D), optional
        What the square of a coefficient counts; by default 1.
    """

    def __init__(
        self,
        X: FloatArray,  # noqa: N803
        target: npt.NDArray[Any],
        columns: int | None = None,
        weights: FloatArray | None = None,
        penalties: FloatArray | None = None,
    ) -> None:
        self.device = best_device()
        self.wide = torch.float32 if self.device.type == "mps" else torch.float64
        self.features = self.tensor(X, torch.float32)
        self.mean = self.features.mean(0)
        self.rounded = self.features
        if best_precision(self.device) == "bfloat16" and X.size >= ROUGH_SIZE:
            self.rounded = self.features.bfloat16()
        self.exclusive = target.ndim == 1
        kind = torch.int64 if self.exclusive else torch.float32
        self.target = self.tensor(np.atleast_2d(target.T), kind)  # (1, n) or (K, n)
        self.columns = columns or (int(target.max()) + 1 if self.exclusive else target.shape[1])
        weights = np.ones((1, len(X))) if weights is None else weights
        penalties = np.ones((1, X.shape[1])) if penalties is None else penalties
        counts = weights.sum(axis=1, keepdims=True)
        self.weights = self.tensor(weights / counts, torch.float32)
        self.ridge = self.tensor(penalties / counts, self.wide)
        self._draw_sample()

    @property
    def shape(self) -> tuple[int, int]:
        """Columns of all problems; features, and one for the intercept."""
        return self.columns * len(self.weights), len(self.mean) + 1

    def tensor(self, array: npt.NDArray[Any], dtype: torch.dtype) -> torch.Tensor:
        """Bring an array to where it is multiplied."""
        return torch.as_tensor(np.ascontiguousarray(array)).to(self.device, dtype)

    def relabel(self, rows: npt.NDArray[np.int64], target: npt.NDArray[Any]) -> None:
        """Change the classes of some images, of which each has one."""
        self.target[0, torch.as_tensor(rows)] = self.tensor(target, self.target.dtype)

    @property
    def is_small(self) -> bool:
        """Whether threads would wait for each other longer than they work."""
        return self.features.numel() * self.shape[0] < SMALL

    @property
    def rows(self) -> list[slice]:
        """Images to take at once."""
        return self._slices(len(self.features))

    @property
    def sample_rows(self) -> list[slice]:
        """Images of the sample to take at once."""
        return self._slices(len(self.sample))

    def _slices(self, count: int) -> list[slice]:
        most = min(MOST_ROWS, max(LEAST_ROWS, CELLS // self.shape[0]))
        parts = max(-(-count // most), min(EVEN_PARTS, count * self.shape[0] // WORTH), 1)
        step = -(-count // parts)
        return [slice(begin, begin + step) for begin in range(0, count, step)]

    def proba(self, logits: torch.Tensor) -> torch.Tensor:
        """Return probabilities of logits (problems, columns, n)."""
        return logits.softmax(1) if self.exclusive else logits.sigmoid()

    def _draw_sample(self) -> None:
        count, width = self.features.shape
        every = max(1, min(SHARE, count // LEAST))
        centred = self.features[::every] - self.mean
        ones = torch.ones((len(centred), 1), device=self.device)
        self.sample = torch.cat([centred, ones], 1)
        weights = self.weights[:, None, ::every]
        self.sample_weights = weights / weights.sum(2, keepdim=True)
        some = self.sample[:: max(1, len(centred) // (GRAM * width))]
        self.gram = (some.T @ some).to(self.wide) / len(some)
        self.sample = self.sample.to(self.rounded.dtype)
