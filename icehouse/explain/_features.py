"""What the first layer of a network looks for, and where in a picture it finds it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from icehouse.embedder import decode, enough
from icehouse.errors import UsageError
from icehouse.explain._explainer import Explainer
from icehouse.explain._hooks import listening


@dataclass(frozen=True)
class FirstLayer:
    """The first convolution of a network.

    Attributes
    ----------
    name : str
        Of the layer in the network.
    kernels : array of float32, shape (C, height, width, 3)
        What each channel looks for, as colours around 0.
    maps : array of float32, shape (C, H, W)
        How much of it there is at each place of the picture.
    """

    name: str
    kernels: npt.NDArray[np.float32]
    maps: npt.NDArray[np.float32]


def first_layer(explainer: Explainer, data: bytes) -> FirstLayer:
    """Look into the first convolution of a head's encoder.

    Parameters
    ----------
    explainer : Explainer
    data : bytes
        A file.

    Raises
    ------
    ImageError
        It is no picture.
    UsageError
        The encoder is no network, or does not begin with a convolution on colours.
    """
    encoder = explainer.network()
    image = decode(data, enough=enough(encoder.spec.preprocess))
    pixels = torch.from_numpy(encoder.preprocess(image)[None]).to(encoder.device)
    found: list[tuple[torch.nn.Conv2d, torch.Tensor]] = []

    def note(module: torch.nn.Module, output: torch.Tensor) -> None:
        assert isinstance(module, torch.nn.Conv2d)
        found.append((module, output))

    names = {m: n for n, m in encoder.module.named_modules() if isinstance(m, torch.nn.Conv2d)}
    with torch.no_grad(), listening(names, note):
        encoder.compute(pixels)
    if not found or found[0][0].weight.shape[1] != 3:
        raise UsageError(
            f"{encoder.spec.architecture} does not begin with a convolution on colours, which "
            "could be shown; leave --features out"
        )
    layer, maps = found[0]
    kernels = layer.weight.detach().permute(0, 2, 3, 1)
    return FirstLayer(names[layer], kernels.float().cpu().numpy(), maps[0].float().cpu().numpy())
