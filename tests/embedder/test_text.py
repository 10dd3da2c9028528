"""Words in the space of images: as open_clip has them, and by which of a store's encoders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icehouse.embedder import (
    Encoder,
    EncoderRequest,
    TextEncoder,
    _torchvision_ops,  # noqa: F401
    choose_text_encoder,
    embed,
    list_source,
    open_encoder,
    reopen_text_encoder,
    similarity,
)
from icehouse.embedder._clip import TEXTS_AT_ONCE
from icehouse.errors import CanaryError, EncoderError, LookupFailed, UsageError
from icehouse.store import Store

# isort: split
import open_clip
import torch

TEXTS = ["a photo of a dog", "The SEA", "", "naïve café – 10 % ☃", "word " * 100]


@pytest.fixture
def clip(opened: Callable[[str], Encoder]) -> Any:
    return opened("clip-folder")


def by_open_clip(folder: Path, texts: list[str]) -> np.ndarray:
    name = f"local-dir:{folder}"
    model: Any = open_clip.create_model(name).eval()
    with torch.inference_mode():
        vectors = model.encode_text(open_clip.get_tokenizer(name)(texts))
        return (vectors / vectors.norm(dim=-1, keepdim=True)).numpy()


def test_texts_are_those_of_open_clip_to_the_last_digits(clip: Any, clip_folder: Path) -> None:
    vectors = clip.encode_text(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, by_open_clip(clip_folder, TEXTS), atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, TEXTS_AT_ONCE, TEXTS_AT_ONCE + 1])
def test_any_number_of_texts_is_encoded_in_its_order(clip: Any, count: int) -> None:
    texts = [f"number {number % 7}" for number in range(count)]
    vectors = clip.encode_text(texts)
    assert vectors.shape == (count, clip.spec.dim)
    once = clip.encode_text(texts[:7])
    for number in range(count):
        np.testing.assert_allclose(vectors[number], once[number % 7], atol=1e-5)


def test_texts_are_in_the_precision_of_images_but_the_scale_is_exact(
    clip: Any, clip_folder: Path
) -> None:
    half: Any = open_encoder(EncoderRequest(f"clip:local-dir:{clip_folder}", "bfloat16"))
    assert {p.dtype for p in half.module.parameters()} == {torch.bfloat16}
    vectors = half.encode_text(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert similarity(vectors, clip.encode_text(TEXTS)).min() > 0.99
    assert half.logit_scale == clip.logit_scale == pytest.approx(1 / 0.07, rel=1e-6)
    rounded = torch.tensor(np.log(1 / 0.07)).bfloat16().exp()
    assert abs(float(rounded) - half.logit_scale) > 0.01


def configured(folder: Path, to: Path, **text: Any) -> Path:
    """Copy a folder of weights, and change what its configuration says of texts."""
    shutil.copytree(folder, to)
    file = to / "open_clip_config.json"
    config = json.loads(file.read_text())
    config["model_cfg"]["text_cfg"].update(text)
    file.write_text(json.dumps(config))
    return to


def test_the_tokenizer_is_the_one_that_the_configuration_names(
    clip: Any, clip_folder: Path, tmp_path: Path
) -> None:
    cased = configured(clip_folder, tmp_path / "net", tokenizer_kwargs={"clean": "whitespace"})
    encoder: Any = open_encoder(EncoderRequest(f"clip:local-dir:{cased}", "float32"))
    texts = ["the sea", "THE SEA"]
    np.testing.assert_allclose(encoder.encode_text(texts), by_open_clip(cased, texts), atol=1e-5)
    same, other = (similarity(*each.encode_text(texts)[:, None]) for each in (clip, encoder))
    assert same > 0.9999 > other


def test_a_tokenizer_that_is_not_there_does_not_keep_images_out(
    clip_folder: Path, tmp_path: Path, photos: list[np.ndarray]
) -> None:
    folder = configured(clip_folder, tmp_path / "net", hf_tokenizer_name="nobody/none")
    encoder: Any = open_encoder(EncoderRequest(f"clip:local-dir:{folder}", "float32"))
    assert encoder.encode(np.stack([encoder.preprocess(photos[0])])).shape == (1, 32)
    # Which of the two depends on whether transformers, which open_clip does not need, is there.
    with pytest.raises(EncoderError, match=r"tokenizer of clip:.* needs a|cannot load clip"):
        encoder.encode_text(["the sea"])


@pytest.fixture
def few(pictures: Path, tmp_path: Path) -> Path:
    """One picture."""
    (tmp_path / "few").mkdir()
    shutil.copy(pictures / "disc" / "00.png", tmp_path / "few")
    return tmp_path / "few"


def taken(store: Store, few: Path, name: str, precision: str | None = None) -> str:
    request = EncoderRequest(name, precision)
    return embed(store, list_source(few), request, dataset="few").encoder_id


def test_the_only_encoder_that_takes_words_is_meant(
    store: Store, few: Path, encoder_names: dict[str, str]
) -> None:
    with pytest.raises(LookupFailed, match="has no features yet"):
        choose_text_encoder(store)
    plain = taken(store, few, "descriptor")
    with pytest.raises(UsageError, match=r"no encoder of the store takes words; it has: desc"):
        choose_text_encoder(store)
    with pytest.raises(UsageError, match=r"not words: it has no text tower\. CLIP encoders do"):
        choose_text_encoder(store, "descriptor")
    clip = taken(store, few, encoder_names["clip-folder"], "float32")
    assert choose_text_encoder(store) == clip
    assert choose_text_encoder(store, encoder_names["clip-folder"]) == clip
    with pytest.raises(UsageError, match=f"{plain} .* In this store these do: clip:local-dir"):
        choose_text_encoder(store, plain)
    half = taken(store, few, encoder_names["clip-folder"], "bfloat16")
    with pytest.raises(LookupFailed, match="several encoders; choose one"):
        choose_text_encoder(store)
    assert choose_text_encoder(store, half) == half


def test_it_is_opened_again_with_its_text_tower_whatever_engine_images_had(
    store: Store, few: Path, opened: Callable[[str], Encoder], encoder_names: dict[str, str]
) -> None:
    opened("clip-folder on OpenVINO")  # the conversion is kept from here on
    encoder_id = taken(store, few, encoder_names["clip-folder"], "float32")
    encoder = reopen_text_encoder(store, encoder_id)
    assert isinstance(encoder, TextEncoder)
    assert encoder.spec.encoder_id == encoder_id
    before: Any = opened("clip-folder")
    np.testing.assert_array_equal(encoder.encode_text(TEXTS), before.encode_text(TEXTS))


def test_its_canary_is_heard_first(store: Store, few: Path, encoder_names: dict[str, str]) -> None:
    encoder_id = taken(store, few, encoder_names["clip-folder"], "float32")
    file = Path(store.path) / "features" / encoder_id / "canary.npy"
    np.save(file, -np.load(file))
    with pytest.raises(CanaryError, match="does not give the vectors"):
        reopen_text_encoder(store, encoder_id)
