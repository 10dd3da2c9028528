"""Where a logit changes with the picture; for networks of torch and heads that have gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from icehouse.embedder import NetworkEncoder
from icehouse.errors import UsageError
from icehouse.explain._explanation import Floats, Pixels
from icehouse.explain._hooks import listening
from icehouse.explain._logits import Logits, logit_of
from icehouse.explain._occlusion import Answer
from icehouse.explain._options import BY_GRADIENT, GRAD_CAM, METHODS
from icehouse.explain._question import Question
from icehouse.explain._sight import Sight

STEPS, AT_ONCE = 32, 8
LEAST = 4  # pixels of a side of a map; smaller ones hardly say where
SMOOTHING = 1 / 32  # of the picture's side


def integrated_gradients(sight: Sight, seed: int = 0) -> Answer:  # noqa: ARG001
    """Add up gradients on the way from the hidden picture to the whole one (Sundararajan 2017).

    The values of all pixels add up to the difference of the two logits. They are smoothed: of a
    network with strides each pixel by itself says little.
    """
    encoder, view = cast(NetworkEncoder, sight.encoders[0]), sight.views[0]
    whole, hidden = (_tensor(encoder, each) for each in (view.pixels, view.hidden))
    shares = (torch.arange(STEPS, device=encoder.device) + 0.5) / STEPS

    def answer(question: Question) -> Floats:
        logit, total = logit_of(question), torch.zeros_like(whole)
        for some in shares.split(AT_ONCE):
            path = hidden + some.view(-1, 1, 1, 1) * (whole - hidden)
            path.requires_grad_()
            value = logit(encoder.compute(path)).sum()
            total += torch.autograd.grad(value, path)[0].sum(dim=0)
        found = (total * (whole - hidden)).sum(dim=-1)[0] / STEPS
        sigma = SMOOTHING * max(sight.shape)
        return gaussian_filter(found.double().cpu().numpy(), sigma, mode="nearest")

    return answer


def grad_cam(sight: Sight, seed: int = 0) -> Answer:  # noqa: ARG001
    """Weigh the last feature maps by their mean gradients (Selvaraju et al. 2017, "Grad-CAM").

    Signs are kept, and the map is spread so that it adds up to what it did before. Where a mean
    over the maps and a linear head come after them, that is the logit but for a constant.
    """
    encoder = cast(NetworkEncoder, sight.encoders[0])
    pixels = _tensor(encoder, sight.views[0].pixels)
    layer = last_maps(encoder, pixels)

    def answer(question: Question) -> Floats:
        maps, slope = _with_gradient(encoder, pixels, layer, logit_of(question))
        found = (slope.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1, keepdim=True)
        share = found[0, 0].numel() / np.prod(sight.shape)
        large = torch.nn.functional.interpolate(found, sight.shape, mode="bilinear")
        return (large[0, 0] * share).double().cpu().numpy()

    return answer


def last_maps(encoder: NetworkEncoder, pixels: torch.Tensor) -> torch.nn.Module:
    """Return the last module of a network that gives maps (1, C, H, W) of 4x4 or more.

    Raises
    ------
    UsageError
        It has no convolutions beyond the one that cuts a picture into patches.
    """
    found: list[torch.nn.Module] = []
    convolutions: list[torch.nn.Module] = []

    def note(module: torch.nn.Module, output: torch.Tensor) -> None:
        if isinstance(module, torch.nn.Conv2d):
            convolutions.append(module)
        if output.ndim == 4 and min(output.shape[2:]) >= LEAST:
            found.append(module)

    with torch.no_grad(), listening(encoder.module.modules(), note):
        encoder.compute(pixels)
    if len(convolutions) < 2 or not found:
        others = ", ".join(method for method in METHODS if method != GRAD_CAM)
        raise UsageError(
            f"grad-cam needs feature maps of convolutions, and {encoder.spec.architecture} has "
            f"none (a transformer sees patches). Give another method: {others}"
        )
    return found[-1]


def _with_gradient(
    encoder: NetworkEncoder, pixels: torch.Tensor, layer: torch.nn.Module, logit: Logits
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the output of a layer, and the gradient of a logit by it, both float32."""
    kept: list[torch.Tensor] = []

    def keep(_: torch.nn.Module, output: torch.Tensor) -> torch.Tensor:
        kept[:] = [output.detach().requires_grad_()]  # if it runs twice, the last one counts
        return kept[0].clone()

    with listening([layer], keep):
        value = logit(encoder.compute(pixels)).sum()
    [slope] = torch.autograd.grad(value, kept[0])
    return kept[0].detach().float(), slope.float()


def _tensor(encoder: NetworkEncoder, pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(np.float32)[None]).to(encoder.device)


def check_gradients(method: str, encoders: int, network: bool, differentiable: bool) -> None:
    """Refuse a method by gradients where there are none.

    Raises
    ------
    UsageError
        Naming the methods that work.
    """
    if method not in BY_GRADIENT or (encoders == 1 and network and differentiable):
        return
    why = (
        "the head has none; logistic, mlp and ensembles of them do"
        if not differentiable
        else "the encoder is no network of torch"
        if not network
        else "the head rests on several encoders"
    )
    others = ", ".join(each for each in METHODS if each not in BY_GRADIENT)
    raise UsageError(f"{method} needs gradients, and {why}. Give another method: {others}")


BY_GRADIENTS: dict[str, Callable[[Sight, int], Answer]] = dict(
    zip(BY_GRADIENT, (integrated_gradients, grad_cam), strict=True)
)
