"""Encoders that take words as well as images: which of the store's is meant, and opening it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from icehouse.embedder._choose import choose_encoder, reopen_encoder, spoken
from icehouse.embedder._encoder import Encoder, EncoderRequest
from icehouse.errors import UsageError
from icehouse.store import Store

WITH_TEXT = ("clip",)
"""Families of encoders that have a text tower."""


@runtime_checkable
class TextEncoder(Encoder, Protocol):
    """An :class:`Encoder` whose vectors of texts lie in the space of its images."""

    @property
    def logit_scale(self) -> float:
        """What cosines are multiplied by to become logits, as it was learnt in training."""
        ...

    def encode_text(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Turn texts into vectors of length 1, float32 (len(texts), spec.dim)."""
        ...


def choose_text_encoder(store: Store, text: str | None = None) -> str:
    """Return the encoder_id that a text names, as :func:`choose_encoder` does.

    Parameters
    ----------
    store : Store
    text : str, optional
        None: the only one that takes words, whatever others there are.

    Raises
    ------
    LookupFailed
        None, or more than one, is meant.
    UsageError
        It takes no words.
    """
    cards = store.encoder_cards()
    able = [encoder_id for encoder_id, card in cards.items() if _takes_words(card)]
    if text is None and len(able) == 1:
        return able[0]
    if text is None and cards and not able:
        have = ", ".join(spoken(card) for card in cards.values())
        raise UsageError(f"no encoder of the store takes words; it has: {have}. {_way_out()}")
    encoder_id = choose_encoder(store, text)
    if encoder_id not in able:
        names = ", ".join(spoken(cards[each]) for each in able)
        instead = f"In this store these do: {names}" if able else _way_out()
        raise UsageError(
            f"encoder {encoder_id} ({spoken(cards[encoder_id])}) turns images into vectors, "
            f"not words: it has no text tower. {instead}"
        )
    return encoder_id


def reopen_text_encoder(store: Store, encoder_id: str) -> TextEncoder:
    """Load an encoder with its text tower again, and check its canary.

    Raises
    ------
    UsageError
        It takes no words.
    WeightsError, CanaryError
        It is not what it was; as :func:`reopen_encoder`.
    """
    choose_text_encoder(store, encoder_id)
    # What is converted for another engine is the image tower alone.
    encoder = reopen_encoder(store, encoder_id, "torch")
    assert isinstance(encoder, TextEncoder)
    return encoder


def _takes_words(card: dict[str, Any]) -> bool:
    return EncoderRequest(card["request"]["name"]).family in WITH_TEXT


def _way_out() -> str:
    return (
        "CLIP encoders do: embed the images with --encoder clip:MODEL/TAG "
        "(clip:ViT-B-32/laion2b_s34b_b79k) or clip:local-dir:PATH first"
    )
