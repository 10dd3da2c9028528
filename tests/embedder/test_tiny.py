"""``tiny``: what ships in the package is small, checked, and sees."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from icehouse.embedder import Encoder, EncoderRequest, _canary, _pictures, open_encoder, similarity
from icehouse.embedder._encoder import TINY
from icehouse.errors import CanaryError, UnknownEncoder, WeightsError
from icehouse.heads import make_head

Opened = Callable[[str], Encoder]
CONFIG = json.loads((TINY / "config.json").read_text(encoding="utf-8"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the folder of weights, to be spoilt."""
    return shutil.copytree(TINY, tmp_path / "tiny")


def test_it_ships_five_megabytes_at_most() -> None:
    assert sum(path.stat().st_size for path in TINY.iterdir()) <= 5 * 10**6


def test_it_is_a_small_residual_network_of_float16(opened: Opened) -> None:
    from safetensors import safe_open

    encoder: Any = opened("tiny")
    assert CONFIG["architecture"].startswith("resnet")
    assert 1e6 <= sum(p.numel() for p in encoder.module.parameters()) <= 2.5e6
    assert 64 <= encoder.spec.preprocess.size[0] <= 128
    assert 256 <= encoder.spec.dim <= 512
    with safe_open(TINY / "model.safetensors", "pt") as file:
        types = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    assert types == {"F16", "I64"}  # I64: how many batches a batch norm has seen


def test_its_card_names_these_very_weights(opened: Opened) -> None:
    card = (TINY / "README.md").read_text(encoding="utf-8")
    assert opened("tiny").spec.weights_sha256 in card


def test_it_is_what_a_folder_of_timm_would_be(opened: Opened, photos: list[np.ndarray]) -> None:
    tiny = opened("tiny")
    folder = open_encoder(EncoderRequest(f"timm:local-dir:{TINY}", "float32"))
    batch = np.stack([tiny.preprocess(photo) for photo in photos[:8]])
    np.testing.assert_array_equal(tiny.encode(batch), folder.encode(batch))
    assert tiny.spec.encoder_id.startswith("tiny-")


def test_its_name_is_the_same_on_every_machine() -> None:
    request = EncoderRequest("tiny")
    assert request.name == "tiny"
    assert {name for name, _, _ in request.stamps()} >= {"config.json", "model.safetensors"}


def test_it_takes_nothing_after_its_name() -> None:
    with pytest.raises(UnknownEncoder, match="tiny takes nothing after it"):
        open_encoder("tiny:large")


@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch.export warns of its own code
def test_openvino_computes_the_same_vectors(opened: Opened, photos: list[np.ndarray]) -> None:
    openvino = pytest.importorskip("openvino")
    import torch

    tiny: Any = opened("tiny")
    pictures = np.stack([tiny.preprocess(picture) for picture in (*_pictures.draw(), *photos[:8])])
    spec = tiny.spec.preprocess
    mean, std = (np.array(v, np.float32) for v in (spec.mean, spec.std))
    inputs = ((pictures / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)
    network = openvino.convert_model(torch.export.export(tiny.module, (torch.from_numpy(inputs),)))
    ours, theirs = tiny.encode(pictures), openvino.compile_model(network, "CPU")(inputs)[0]
    centre = ours.mean(axis=0)
    assert similarity(ours, theirs).min() >= 0.999
    assert similarity(ours - centre, theirs - centre).min() >= 0.999


def test_logistic_regression_on_its_vectors_reads_digits(opened: Opened) -> None:
    """Scanned digits are far from what it was trained on, and it still sees them."""
    tiny, digits = opened("tiny"), load_digits()
    images = np.round(digits.images * 255 / 16).astype(np.uint8)
    pixels = np.stack([tiny.preprocess(np.stack([i] * 3, axis=2)) for i in images])
    vectors = np.concatenate([tiny.encode(pixels[n : n + 64]) for n in range(0, len(pixels), 64)])
    test = np.arange(len(images)) % 5 == 0
    head = make_head("logistic", {}).fit(vectors[~test], digits.target[~test])
    assert (head.predict(vectors[test]) == digits.target[test]).mean() >= 0.95


# The canary that lies beside the weights.


def test_its_canary_is_what_it_sings(opened: Opened) -> None:
    known = np.load(TINY / _canary.CANARY)
    assert known.dtype == np.float32
    assert similarity(_canary.sing(opened("tiny")), known).min() >= 0.9999


def test_a_folder_that_gives_other_vectors_than_its_canary_is_refused(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["pretrained_cfg"]["mean"] = [0.0, 0.0, 0.0]
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(CanaryError, match=re.escape(f"vectors that {copy / 'canary.npy'} holds")):
        open_encoder(f"timm:local-dir:{copy}")


def test_a_damaged_canary_of_a_folder_is_named(copy: Path) -> None:
    (copy / "canary.npy").write_bytes(b"no array")
    with pytest.raises(WeightsError, match=r"canary.npy is damaged"):
        open_encoder(f"timm:local-dir:{copy}")


def test_a_folder_without_a_canary_is_believed(copy: Path) -> None:
    (copy / "canary.npy").unlink()
    assert open_encoder(f"timm:local-dir:{copy}").spec.dim == CONFIG["num_features"]
