"""Our vectors are those of the encoders' own libraries, from the file on.

The reference goes the libraries' own way: Pillow decodes, their transforms resize, crop and
normalise, their forward pass encodes. Plain cosine hides differences where all vectors point
the same way, so the mean vector is also subtracted first.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import (
    EncoderRequest,
    _torchvision_ops,  # noqa: F401
    decode,
    open_encoder,
    similarity,
)

# isort: split
import open_clip
import timm
import torch
from timm.data import create_transform, resolve_model_data_config

SHAPES = [
    (240, 320), (320, 240), (64, 64), (97, 131), (300, 300), (40, 200), (200, 40), (33, 47),
]  # fmt: skip
FORMS = {"PNG": 0.9999, "JPEG": 0.999}

Reference = Callable[[Image.Image], np.ndarray]


def files(form: str) -> list[bytes]:
    """Return one picture of each shape as the bytes of a file."""
    random = np.random.default_rng(11)
    found = []
    for number, (height, width) in enumerate(SHAPES):
        y, x = np.mgrid[0:height, 0:width]
        waves = [np.sin((x * a + y * b) / 10) for a, b in random.uniform(-2, 2, size=(3, 2))]
        disc = (x - width / 2) ** 2 + (y - height / 3) ** 2 < (6 + 4 * number) ** 2
        noise = random.integers(0, 30, size=(height, width, 3))
        pixels = np.stack(waves, axis=2) * 80 + 110 + disc[:, :, None] * 35 + noise
        buffer = io.BytesIO()
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        image.save(buffer, form, **({"quality": 90} if form == "JPEG" else {}))
        found.append(buffer.getvalue())
    return found


def assert_parity(name: str, reference: Reference, form: str, length: float = 1e-3) -> None:
    encoder = open_encoder(EncoderRequest(name, "float32"))
    images = files(form)
    ours = encoder.encode(np.stack([encoder.preprocess(decode(data)) for data in images]))
    theirs = np.stack([reference(Image.open(io.BytesIO(data)).convert("RGB")) for data in images])
    assert similarity(ours, theirs).min() >= FORMS[form]
    centre = theirs.mean(axis=0)
    assert similarity(ours - centre, theirs - centre).min() >= 0.999
    np.testing.assert_allclose(
        np.linalg.norm(ours, axis=1), np.linalg.norm(theirs, axis=1), rtol=length
    )


def by_timm(model: Any) -> Reference:
    model.eval()
    transform = create_transform(**resolve_model_data_config(model), is_training=False)

    @torch.inference_mode()
    def encode(image: Image.Image) -> np.ndarray:
        return model(transform(image).unsqueeze(0))[0].numpy()

    return encode


def by_open_clip(name: str) -> Reference:
    model, _, transform = open_clip.create_model_and_transforms(name)
    model.eval()

    @torch.inference_mode()
    def encode(image: Image.Image) -> np.ndarray:
        return model.encode_image(transform(image).unsqueeze(0), normalize=True)[0].numpy()

    return encode


def configured(original: Path, copy: Path, file: str, part: str, change: dict[str, Any]) -> Path:
    """Copy an encoder's folder with other preprocessing."""
    shutil.copytree(original, copy)
    config = json.loads((copy / file).read_text())
    config[part].update(change)
    (copy / file).write_text(json.dumps(config))
    return copy


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("crop_mode", ["center", "squash", "border"])
def test_vectors_are_those_of_timm(
    crop_mode: str, interpolation: str, form: str, timm_folder: Path, tmp_path: Path
) -> None:
    change = {"crop_mode": crop_mode, "interpolation": interpolation}
    folder = configured(timm_folder, tmp_path / "net", "config.json", "pretrained_cfg", change)
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0)
    assert_parity(f"timm:local-dir:{folder}", by_timm(model), form)


@pytest.mark.parametrize("form", FORMS)
def test_vectors_of_tiny_are_those_of_timm(form: str) -> None:
    model = timm.create_model(f"local-dir:{EncoderRequest('tiny').local_path}", pretrained=True)
    # Pillow 13 filters the columns of what is squashed in height first, and rounds in between.
    assert_parity("tiny", by_timm(model), form, length=5e-3)


@pytest.mark.parametrize("form", FORMS)
def test_vectors_of_a_file_of_weights_are_those_of_timm(form: str, timm_file: Path) -> None:
    model = timm.create_model("test_resnet", checkpoint_path=str(timm_file))
    model.reset_classifier(0)
    assert_parity(f"timm:test_resnet@{timm_file}", by_timm(model), form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("resize_mode", ["shortest", "squash", "longest"])
def test_vectors_are_those_of_open_clip(
    resize_mode: str, form: str, clip_folder: Path, tmp_path: Path
) -> None:
    folder = configured(
        clip_folder,
        tmp_path / "net",
        "open_clip_config.json",
        "preprocess_cfg",
        {"resize_mode": resize_mode},
    )
    name = f"local-dir:{folder}"
    assert_parity(f"clip:{name}", by_open_clip(name), form)
