"""Claim: on a CPU, embedding is several times as fast as what a user would write with open_clip or
timm (a DataLoader of two workers, float32, np.save), at the same vectors, and comes near to
what decoding and encoding allow together. How many times depends on the processor: how much faster
it multiplies bfloat16 than float32, and that with AMX more than with AVX512-BF16. So the table
says too what share of the products that the processor is able to do the network has been given.

    python benchmarks/embed_cpu.py [images]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from _common import icehouse, show, workplace
from PIL import Image

from icehouse.embedder._device import best_device
from icehouse.store import Store

IMAGES = 512
ROUNDS = 3
SIZE = 480, 640
SHAPES = (1_024, 1_024, 4_096), (2_048, 2_048, 2_048), (4_096, 4_096, 4_096)
GPU_SHAPES = *SHAPES, (8_192, 8_192, 8_192)
TRIES = 10
TARGETS = {"ViT-B-32": 5.0, "resnet50": 10.0}
SCRIPT = """
import sys, time
from icehouse.embedder import _torchvision_ops
import numpy as np, torch
from pathlib import Path
from PIL import Image

class Images(torch.utils.data.Dataset):
    def __init__(self, folder, transform):
        self.paths, self.transform = sorted(Path(folder).glob("*.jpg")), transform
    def __len__(self):
        return len(self.paths)
    def __getitem__(self, number):
        return self.transform(Image.open(self.paths[number]).convert("RGB"))

weights, folder, out = sys.argv[1:]
device = "cuda" if torch.cuda.is_available() else "cpu"
if (Path(weights) / "open_clip_config.json").exists():
    import open_clip
    model, _, transform = open_clip.create_model_and_transforms("local-dir:" + weights)
    forward = lambda batch: torch.nn.functional.normalize(model.encode_image(batch), dim=-1)
else:
    import timm
    from timm.data import create_transform, resolve_model_data_config
    model = timm.create_model("local-dir:" + weights, pretrained=True)
    transform = create_transform(**resolve_model_data_config(model))
    model.reset_classifier(0)
    forward = model
model.eval().to(device)
images = Images(folder, transform)
started = time.perf_counter()
with torch.inference_mode():
    loader = torch.utils.data.DataLoader(images, batch_size=32, num_workers=2)
    np.save(out, torch.cat([forward(batch.to(device)).cpu() for batch in loader]).numpy())
print(len(images) / (time.perf_counter() - started))
"""


def main() -> None:
    """Run it."""
    count = int(sys.argv[1]) if sys.argv[1:] else IMAGES
    with workplace() as folder:
        draw(folder / "images", count)
        compare(folder, folder / "images", folder / "images", TARGETS)


def compare(folder: Path, images: Path, first: Path, targets: Mapping[str, float]) -> None:
    """Embed by icehouse, and the first of the images by hand, in turn; print how fast each was."""
    os.environ["ICEHOUSE_CACHE"] = str(folder / "cache")
    rows = []
    able = peak()
    for architecture, target in targets.items():
        weights = make_weights(folder / architecture, architecture)
        family = "clip" if "ViT" in architecture else "timm"
        name = f"{family}:local-dir:{weights}"
        if best_device().type == "cpu":
            # Measures the engines and keeps the conversion, once for each machine.
            words = ("embed", images, "--store", folder / "none", "--encoder", name)
            icehouse(*words, "--dry-run", 64, "--engine", "openvino")
        each = products(name)
        for number in range(ROUNDS):
            store = folder / f"{architecture}-{number}"
            words = ("embed", images, "--store", store, "--encoder", name)
            speed = icehouse(*words).results[0]["speed"]
            plain = by_hand(weights, first, folder / "by-hand.npy")
            cosine = lowest_cosine(store, images, folder / "by-hand.npy")
            ratio = speed["achieved"] / plain
            rows.append(
                (
                    architecture,
                    speed["engine"],
                    speed["achieved"],
                    plain,
                    f"{ratio:.2f} (asked {target:g})",
                    speed["decode"],
                    speed["encode"],
                    f"{speed['achieved'] / speed['bound']:.0%}",
                    f"{speed['encode'] * each / able:.0%}",
                    f"{cosine:.5f}",
                )
            )
    count = len(list(images.iterdir()))
    show(
        f"{count} JPEG of 640x480, to a committed store, images/s, loading left out",
        (
            "encoder", "engine", "icehouse", "by hand", "ratio", "decode", "encode",
            "of the bound", "encode: of the peak", "lowest centred cosine",
        ),
        rows,
    )  # fmt: skip
    print(f"the peak: {able / 1e9:.0f} GFLOP/s, the best of some products of bfloat16 matrices")


def draw(folder: Path, count: int) -> None:
    """Write photographs as far as a decoder can tell: coloured noise of every scale."""
    folder.mkdir()
    random = np.random.default_rng(0)
    height, width = SIZE
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    falloff = 1 / np.maximum(np.hypot(y, x), 1 / width)
    for number in range(count):
        waves = np.fft.rfft2(random.standard_normal((3, height, width)))
        pixels = np.fft.irfft2(waves * falloff, s=SIZE)
        pixels = pixels / pixels.std() * random.uniform(25, 70) + random.uniform(80, 170, (3, 1, 1))
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8).transpose(1, 2, 0))
        image.save(folder / f"{number:05d}.jpg", quality=90)


def make_weights(folder: Path, architecture: str) -> Path:
    """Write random weights as a folder that open_clip or timm loads."""
    from icehouse.embedder import _torchvision_ops  # noqa: F401

    # isort: split
    import open_clip
    import timm
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    torch.manual_seed(0)
    model: Any
    if "ViT" in architecture:
        model = open_clip.create_model(architecture)
        config = {
            "model_cfg": open_clip.get_model_config(architecture),
            "preprocess_cfg": open_clip.get_model_preprocess_cfg(model),
        }
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")
        return folder
    model = timm.create_model(architecture)
    config = {
        "architecture": architecture,
        "num_classes": model.num_classes,
        "pretrained_cfg": {**model.pretrained_cfg, "input_size": [3, 224, 224]},
    }
    (folder / "config.json").write_text(json.dumps(config, default=str))
    save_file(model.state_dict(), folder / "model.safetensors")
    return folder


def peak() -> float:
    """Return the multiplications and additions in bfloat16 a second, of all cores or of the GPU."""
    import torch

    device = best_device()
    on_gpu = device.type == "cuda"
    wait = torch.cuda.synchronize if on_gpu else lambda: None
    best = 0.0
    for rows, inner, columns in GPU_SHAPES if on_gpu else SHAPES:
        left = torch.randn(rows, inner, device=device).bfloat16()
        right = torch.randn(columns, inner, device=device).bfloat16()
        for _ in range(TRIES):
            wait()
            started = time.perf_counter()
            torch.nn.functional.linear(left, right)
            wait()
            took = time.perf_counter() - started
            best = max(best, 2 * rows * inner * columns / took)
    return best


def products(name: str) -> float:
    """Return how many multiplications and additions of matrix products an image takes."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from icehouse.embedder import EncoderRequest, open_encoder
    from icehouse.embedder._whole import exporting

    encoder: Any = open_encoder(EncoderRequest(name, "float32"))
    pixels = torch.zeros((1, *encoder.spec.preprocess.size, 3), dtype=torch.uint8)
    with exporting(), FlopCounterMode(display=False) as counter:
        encoder.compute(pixels.to(encoder.device))
    return float(counter.get_total_flops())


def by_hand(weights: Path, images: Path, out: Path) -> float:
    """Return the images/s of the script that a user would write."""
    words = [sys.executable, "-c", SCRIPT, str(weights), str(images), str(out)]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def lowest_cosine(store: Path, images: Path, vectors: Path) -> float:
    """Return the lowest cosine to the vectors by hand, their mean subtracted from both."""
    opened = Store.open(store)
    features = opened.features(opened.encoder_ids()[0]).load()
    rows = opened.catalog.rows(images.name, ["key", "image_id"]).to_pylist()
    place = {image.tobytes(): number for number, image in enumerate(features.ids)}
    order = [place[row["image_id"]] for row in sorted(rows, key=lambda row: row["key"])]
    theirs = np.load(vectors)
    ours = features.vectors[order[: len(theirs)]].astype(np.float32)
    ours, theirs = ours - theirs.mean(axis=0), theirs - theirs.mean(axis=0)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / lengths).min())


if __name__ == "__main__":
    main()
