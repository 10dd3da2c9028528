"""What encoders made of torch share: where and in what precision they run, frozen for sure."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from icehouse.embedder._canary import check_folder
from icehouse.embedder._decode import Pixels
from icehouse.embedder._device import best_device, best_precision
from icehouse.embedder._encoder import EncoderRequest
from icehouse.embedder._pictures import agree, draw
from icehouse.embedder._preprocess import preprocess
from icehouse.embedder._spec import EncoderSpec, PreprocessSpec
from icehouse.errors import UsageError, VectorError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def weights_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """Return the digest of all tensors by name, shape and float32 value.

    It is taken of what was loaded, so it does not depend on the format of the file, and a
    weight that was skipped while loading cannot hide.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        values = tensor.detach().to("cpu")
        values = values.float() if values.is_floating_point() else values
        digest.update(f"{name}{tuple(values.shape)}".encode())
        digest.update(values.contiguous().reshape(-1).numpy().view(np.uint8).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Network:
    """A loaded network, before it is frozen.

    Attributes
    ----------
    family, architecture : str
    config : mapping
        See :class:`EncoderSpec`.
    module : torch.nn.Module
        In float32 on the CPU.
    forward : callable
        From (n, 3, H, W) to (n, D).
    preprocess : PreprocessSpec
    normalise : {"none", "l2"}
    """

    family: str
    architecture: str
    config: Mapping[str, Any]
    module: torch.nn.Module
    forward: Callable[[torch.Tensor], torch.Tensor]
    preprocess: PreprocessSpec
    normalise: str


class TorchEncoder:
    """A frozen torch network as an :class:`Encoder`.

    Parameters
    ----------
    network : Network
    request : EncoderRequest

    Raises
    ------
    UsageError
        No such precision.
    CanaryError
        It gives other vectors than the folder of its weights says.
    """

    def __init__(self, network: Network, request: EncoderRequest) -> None:
        if request.precision not in (None, *DTYPES):
            raise UsageError(
                f"no precision {request.precision!r}; give one of: {', '.join(DTYPES)}"
            )
        self.device = best_device()
        self._thread = threading.local()
        self.module = network.module
        self._forward = network.forward
        self._normalise = network.normalise
        self._layout = request.pictures.applied_to(network.preprocess)
        mean, std = (torch.tensor(v) for v in (self._layout.mean, self._layout.std))
        self._scale = (1 / (255 * std)).view(1, 3, 1, 1).to(self.device)
        self._shift = (-mean / std).view(1, 3, 1, 1).to(self.device)
        weights = weights_sha256(network.module.state_dict())
        # The one place where an encoder is frozen.
        network.module.eval().requires_grad_(False).to(self.device)
        network.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        precision = self._settle(request.precision)
        self.spec = EncoderSpec(
            family=network.family,
            architecture=network.architecture,
            config=network.config,
            weights_sha256=weights,
            preprocess=self._layout,
            precision=precision,
            normalise=network.normalise,
            dim=self.encode(np.zeros((1, *network.preprocess.size, 3), np.uint8)).shape[1],
            stored_as=request.stored_as,
        )
        if request.local_path is not None and self._layout == network.preprocess:
            check_folder(request.local_path, self)

    def _cast(self, dtype: torch.dtype) -> None:
        """Let all of the network compute in one type, which is faster than autocast."""
        self._dtype = dtype
        self.module.to(dtype)

    def _settle(self, asked: str | None) -> str:
        """Cast to the precision asked for, or to bfloat16 where hardware and network bear it.

        Most networks give the same vectors to a cosine of 0.9999. Some do not: MobileNetV2's
        depthwise convolutions bring it down to 0.92, and then float32 is what was meant.
        """
        pictures = np.stack([self.preprocess(picture) for picture in draw()])
        self._cast(torch.float32)
        self.sung_in_float32 = self.encode(pictures)
        precision = asked or best_precision(self.device)
        if precision == "float32":
            return precision
        # A cast puts new memory under a tensor; what it leaves is held, and not copied.
        kept = {} if asked else {name: tensor.detach() for name, tensor in self._tensors()}
        self._cast(DTYPES[precision])
        if asked or agree(self.encode(pictures), self.sung_in_float32):
            return precision
        self._cast(torch.float32)
        for name, tensor in self._tensors():
            tensor.copy_(kept[name])
        return "float32"

    def _tensors(self) -> list[tuple[str, torch.Tensor]]:
        """All that a cast changes, buffers included that no state_dict holds."""
        return [*self.module.named_parameters(), *self.module.named_buffers()]

    def preprocess(self, image: Pixels) -> Pixels:
        """See :meth:`Encoder.preprocess`."""
        return preprocess(image, self._layout)

    @torch.inference_mode()
    def encode(self, batch: Pixels) -> npt.NDArray[np.float32]:
        """See :meth:`Encoder.encode`."""
        try:
            with self._own_stream():
                vectors = self.compute(self._moved(batch)).cpu()
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise MemoryError(str(error)) from error
        if vectors.ndim != 2:
            raise VectorError(
                f"the network gives an array of shape {tuple(vectors.shape)} for an image, "
                "not one vector; choose a model that pools"
            )
        return vectors.numpy()

    def _own_stream(self) -> AbstractContextManager[object]:
        """Let each thread of a GPU have a stream: one batch is copied while another is encoded."""
        if self.device.type != "cuda":
            return nullcontext()
        if not hasattr(self._thread, "stream"):
            self._thread.stream = torch.cuda.Stream(self.device)
            # The weights came by another stream.
            self._thread.stream.wait_stream(torch.cuda.default_stream(self.device))
        return torch.cuda.stream(self._thread.stream)

    def _moved(self, batch: Pixels) -> torch.Tensor:
        pixels = torch.from_numpy(batch)
        if self.device.type == "cuda":  # only from pinned memory does a copy not hold up the thread
            pixels = pixels.pin_memory()
        return pixels.to(self.device, non_blocking=True)

    def compute(self, pixels: torch.Tensor) -> torch.Tensor:
        """Turn uint8 (n, H, W, 3) into float32 (n, D): all of the encoder that is arithmetic."""
        inputs = torch.addcmul(self._shift, pixels.permute(0, 3, 1, 2).float(), self._scale)
        vectors = self._forward(inputs.to(self._dtype)).float()
        if self._normalise == "l2":
            vectors = torch.nn.functional.normalize(vectors, dim=-1)
        return vectors
