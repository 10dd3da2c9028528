"""The image tower of open_clip with the last layer's one token: the same vectors, less work."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from icehouse.embedder import _torchvision_ops  # noqa: F401  (before open_clip imports it)

# isort: split
from open_clip.transformer import VisionTransformer
from torch.utils.flop_counter import FlopCounterMode

from icehouse.embedder._clip_layers import trim
from icehouse.embedder._whole import exporting

TOWER = {
    "image_size": 32,
    "patch_size": 8,
    "width": 32,
    "layers": 3,
    "heads": 4,
    "mlp_ratio": 4.0,
    "output_dim": 16,
}


def tower(**changes: Any) -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(**{**TOWER, **changes}).eval().requires_grad_(False)


def images(count: int = 3) -> torch.Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def flops(network: torch.nn.Module) -> int:
    """Count multiplications and additions of matrix products, those of the scores left out."""
    # What the fast path does in one operator is counted as nothing.
    with exporting(), FlopCounterMode(display=False) as counter:
        network(images())
    return int(counter.get_total_flops())


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"final_ln_after_pool": True},
        {"ls_init_value": 0.1},
        {"no_ln_pre": True},
        {"layers": 1},
        {"pool_type": "avg"},
        {"attentional_pool": True, "attn_pooler_queries": 4},
        {"act_kwargs": None, "block_type": "custom"},
    ],
)
def test_vectors_stay_the_same(changes: dict[str, Any], count: int) -> None:
    network = tower(**{name: value for name, value in changes.items() if value is not None})
    before = network(images(count))
    trim(network)
    torch.testing.assert_close(network(images(count)), before, rtol=1e-5, atol=1e-6)


def test_an_exporter_is_given_the_same_network() -> None:
    network = tower()
    before = network(images())
    trim(network)
    with exporting():
        exported = torch.export.export(network, (images(),)).module()
    torch.testing.assert_close(exported(images()), before, rtol=1e-5, atol=1e-6)


def test_weights_keep_their_names() -> None:
    network = tower()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trim(network)
    assert list(network.state_dict()) == list(before)
    network.load_state_dict(before)


def test_the_last_layer_works_for_one_token() -> None:
    """Queries, the way out and the MLP, 10 d^2 of its 12 d^2, for 1 of 17 tokens."""
    whole = flops(tower())
    network = tower()
    trim(network)
    assert whole - flops(network) == 2 * 3 * 16 * 10 * 32**2


@pytest.mark.parametrize("changes", [{"pool_type": "avg"}, {"attentional_pool": True}])
def test_a_tower_that_reads_all_tokens_is_left_alone(changes: dict[str, Any]) -> None:
    network = tower(**changes)
    whole = flops(network)
    trim(network)
    assert flops(network) == whole
