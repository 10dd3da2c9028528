"""Shared pictures, encoders and stores: small, drawn by code, real on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source
from icehouse.store import Store


def draw(kind: str, number: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """Draw a picture of one of the kinds "disc", "stripes" and "ramp"; all numbers differ."""
    random = np.random.default_rng([sum(map(ord, kind)), number])
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    shift, scale = random.integers(4, 20), random.integers(2, 5)
    base = {
        "disc": ((x - width / 2) ** 2 + (y - height / 2) ** 2 < (shift + 4) ** 2) * 200.0,
        "stripes": ((x + shift) // scale % 2) * 180.0,
        "ramp": (x + y + shift) * 255.0 / (width + height + 20),
    }[kind]
    tint = random.integers(0, 50, size=3)
    noise = random.integers(0, 12, size=(height, width, 3))
    pixels = np.clip(base[:, :, None] + tint + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder of the tests' own, for child processes too."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["ICEHOUSE_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders "disc" and "stripes", 20 PNG files each. Read only."""
    root = tmp_path_factory.mktemp("pictures")
    for kind in ("disc", "stripes"):
        (root / kind).mkdir()
        for number in range(20):
            draw(kind, number).save(root / kind / f"{number:02d}.png")
    return root


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store.create(tmp_path / "photos.icehouse")


@pytest.fixture
def embedded(store: Store, pictures: Path) -> Store:
    """A store that holds the descriptor features of ``pictures``, dataset and task "shapes"."""
    embed(store, list_source(pictures), "descriptor", dataset="shapes")
    return store


@pytest.fixture(scope="session")
def timm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A timm local-dir with random weights of timm's smallest residual network."""
    from icehouse.embedder import _torchvision_ops  # noqa: F401

    # isort: split
    import timm
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("timm-local")
    torch.manual_seed(0)
    model = timm.create_model("test_resnet", pretrained=False, num_classes=10)
    config = {
        "architecture": "test_resnet",
        "num_classes": 10,
        "num_features": model.num_features,
        "pretrained_cfg": {
            "input_size": [3, 64, 64],
            "interpolation": "bicubic",
            "crop_pct": 0.875,
            "crop_mode": "center",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "num_classes": 10,
            "first_conv": "conv1.0",
            "classifier": "fc",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An open_clip local-dir with random weights of a very small CLIP."""
    from icehouse.embedder import _torchvision_ops  # noqa: F401

    # isort: split
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("clip-local")
    config = {
        "model_cfg": {
            "embed_dim": 32,
            "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
            "text_cfg": {
                "context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2,
            },
        },
        "preprocess_cfg": {
            "mean": [0.48145466, 0.4578275, 0.40821073],
            "std": [0.26862954, 0.26130258, 0.27577711],
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
    }  # fmt: skip
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="session")
def bucket() -> Iterator[tuple[str, Any]]:
    """The URL of an S3 bucket on this machine, and a client of it."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        client = boto3.client("s3")
        client.create_bucket(Bucket="ice")
        yield "s3://ice", client
        client.close()
    server.stop()


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real images and weights that ICEHOUSE_REAL names, or skip."""
    named = os.environ.get("ICEHOUSE_REAL")
    if not named or not Path(named).is_dir():
        pytest.skip("ICEHOUSE_REAL names no folder of real images and weights")
    return Path(named)
