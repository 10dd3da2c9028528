"""The layers of open_clip's image tower, without what nobody reads.

Of the last layer only the class token goes on, yet open_clip computes all of them: a fifteenth of
the arithmetic of ViT-B/32. There it asks for that token alone, which changes no vector. An
exporter is given each layer's attention as plain products, because torch's own is traced with
copies that cost other engines a fortieth.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch.nn.functional import linear, scaled_dot_product_attention


def trim(visual: torch.nn.Module) -> None:
    """Replace the layers of an image tower, if it is one that reads its class token and no more."""
    if not isinstance(visual, VisionTransformer) or visual.attn_pool is not None:
        return
    *others, last = layers = list(visual.transformer.resblocks)
    if visual.pool_type == "tok" and visual.transformer.batch_first and all(map(_plain, layers)):
        last.forward = partial(_layer, last, slice(1))
        for layer in others:
            layer.forward = partial(_traced_or_own, layer)


def _plain(layer: torch.nn.Module) -> bool:
    return type(layer) is ResidualAttentionBlock and not hasattr(layer, "ln_1_kv")


def _traced_or_own(layer: Any, tokens: torch.Tensor, attn_mask: None = None) -> torch.Tensor:
    if torch.compiler.is_exporting():
        return _layer(layer, slice(None), tokens)
    return ResidualAttentionBlock.forward(layer, tokens, attn_mask=attn_mask)  # its fast path


def _layer(layer: Any, read: slice, tokens: torch.Tensor, **_: None) -> torch.Tensor:
    """Return what a layer makes of some of its tokens: (n, t, d) to (n, those, d)."""
    normed = layer.ln_1(tokens)
    found = tokens[:, read] + layer.ls_1(_attend(layer.attn, normed[:, read], normed))
    return found + layer.ls_2(layer.mlp(layer.ln_2(found)))


def _attend(
    attention: torch.nn.MultiheadAttention, asking: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    """Let tokens (n, a, d) attend to tokens (n, t, d), as torch does it: softmax(QK'/sqrt(d)) V."""
    width, heads = attention.embed_dim, attention.num_heads
    weight, bias = attention.in_proj_weight, attention.in_proj_bias

    def split(projected: torch.Tensor) -> torch.Tensor:
        return projected.unflatten(-1, (heads, -1)).transpose(1, 2)

    # Rows that do not lie beside each other would be multiplied one by one.
    asked = linear(asking.contiguous(), weight[:width], bias[:width])
    keys, values = linear(tokens, weight[width:], bias[width:]).chunk(2, dim=-1)
    answer = scaled_dot_product_attention(split(asked), split(keys), split(values))
    return attention.out_proj(answer.transpose(1, 2).flatten(2))
