"""What the tests of the embedder share: encoders that are opened once, and child processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from icehouse.embedder import Encoder, EncoderRequest, open_encoder, open_on

ENCODERS = ("descriptor", "thumbnail", "timm-folder", "clip-folder", "timm-file", "tiny")
ON_OPENVINO = ("timm-folder on OpenVINO", "clip-folder on OpenVINO")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Let torch use one thread, as the pipeline does: the networks here are too small for more."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def timm_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights that fits timm's smallest residual network as timm makes it."""
    from icehouse.embedder import _torchvision_ops  # noqa: F401

    # isort: split
    import timm
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("timm-file") / "weights.safetensors"
    save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), path)
    return path


@pytest.fixture(scope="session")
def encoder_names(timm_folder: Path, clip_folder: Path, timm_file: Path) -> dict[str, str]:
    """The name that opens each of ENCODERS."""
    names = (
        "descriptor",
        "thumbnail",
        f"timm:local-dir:{timm_folder}",
        f"clip:local-dir:{clip_folder}",
        f"timm:test_resnet@{timm_file}",
        "tiny",
    )
    return dict(zip(ENCODERS, names, strict=True))


@pytest.fixture(scope="session")
def opened(encoder_names: dict[str, str]) -> Callable[[str], Encoder]:
    """Open one of ENCODERS or ON_OPENVINO in float32, once for all tests."""

    def open_one(which: str) -> Encoder:
        name, _, engine = which.partition(" on ")
        request = EncoderRequest(encoder_names[name], "float32")
        return open_on(request, engine.lower()).encoder if engine else open_encoder(request)

    return cache(open_one)


@pytest.fixture(params=(*ENCODERS, *ON_OPENVINO))
def encoder(request: pytest.FixtureRequest, opened: Callable[[str], Encoder]) -> Encoder:
    """Each kind of encoder in turn, in float32."""
    return opened(request.param)


@pytest.fixture(scope="session")
def photos() -> list[np.ndarray]:
    """Sixty-four small pictures of four shapes, uint8 (height, width, 3). Read only."""
    random = np.random.default_rng(7)
    pictures = []
    for number in range(64):
        height, width = ((48, 40), (40, 56), (64, 64), (97, 33))[number % 4]
        y, x = np.mgrid[0:height, 0:width]
        waves = [np.sin((x * a + y * b) / 9) for a, b in random.uniform(-2, 2, size=(3, 2))]
        noise = random.integers(0, 40, size=(height, width, 3))
        pictures.append((np.stack(waves, axis=2) * 100 + 108 + noise).astype(np.uint8))
    return pictures


@pytest.fixture(scope="session")
def child() -> Callable[..., subprocess.Popen[str]]:
    """Start a Python of its own that runs a program, with arguments and further environment."""

    def start(program: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **environment},
        )

    return start


@pytest.fixture(scope="session")
def run_child(child: Callable[..., subprocess.Popen[str]]) -> Callable[..., str]:
    """Run a program in a Python of its own to its end, and return what it printed."""

    def run(program: str, *arguments: object, **environment: str) -> str:
        with child(program, *arguments, **environment) as process:
            try:
                printed, _ = process.communicate(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == 0, printed
        return printed

    return run
