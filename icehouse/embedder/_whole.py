"""All of a torch encoder that is arithmetic as one module, for other engines to take over."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from icehouse.embedder._torch_encoder import TorchEncoder


class Whole(torch.nn.Module):
    """Bytes in, vectors out."""

    def __init__(self, encoder: TorchEncoder) -> None:
        super().__init__()
        self.module = encoder.module
        self._compute = encoder.compute
        # An exporter that finds a module in training puts it, and all inside it, back there.
        self.eval()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Turn uint8 (n, H, W, 3) into float32 (n, D)."""
        return self._compute(pixels)


@contextmanager
def exporting() -> Iterator[None]:
    """Let torch trace operators that others know, and keep its advice to itself."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    # The fast path is one operator of torch's own, which nothing else can run.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
