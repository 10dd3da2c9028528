"""Claim: ``tiny`` costs little to have. The wheel is at most 8 MB, it loads in at most 0.3 s beyond
what importing torch alone takes, and OpenVINO computes the same vectors from the same weights
(cosine >= 0.999).

The first time it is loaded through timm, whose import takes longer than all else; what is kept of
its conversion to OpenVINO then opens without timm, and that is what the claim is about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from _common import show, workplace

LOAD = """
import json, sys, time
start = time.perf_counter()
import torch
have_torch = time.perf_counter()
from icehouse.embedder import EncoderRequest, open_on
opened = open_on(EncoderRequest("tiny"), sys.argv[1])
ready = time.perf_counter()
assert opened.engine == sys.argv[1]
print(json.dumps([have_torch - start, ready - have_torch]))
"""
RUNS = 7


def main() -> None:
    """Run it."""
    with workplace() as folder:
        root = Path(__file__).parents[1]
        words = ["pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, root]
        subprocess.run([sys.executable, "-m", *map(str, words)], check=True)
        wheel = next(folder.glob("*.whl")).stat().st_size / 2**20
        load("openvino", folder)  # converts, and keeps it
        runs = [(load("torch", folder), load("openvino", folder)) for _ in range(RUNS)]
    (_, through_timm), (torch_s, kept) = np.median(runs, axis=0)
    lowest = engines_agree()
    show(
        "tiny in the package",
        ("what", "measured", "claim", "holds"),
        [
            ("wheel, MB", wheel, "<= 8", wheel <= 8),
            ("import torch, s", torch_s, "", ""),
            ("load, s beyond that", kept, "<= 0.3", kept <= 0.3),
            ("load through timm, s beyond that", through_timm, "", ""),
            ("lowest cosine, torch and OpenVINO", lowest, ">= 0.999", lowest >= 0.999),
        ],
    )


def load(engine: str, cache: Path) -> list[float]:
    """Return the seconds of importing torch, and of all that comes after it."""
    environment = {**os.environ, "ICEHOUSE_CACHE": str(cache)}
    words = [sys.executable, "-c", LOAD, engine]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def engines_agree() -> float:
    """Return the lowest cosine of eight pictures' vectors, about their mean too."""
    import openvino
    import torch

    from icehouse.embedder import EncoderRequest, open_encoder, similarity
    from icehouse.embedder._pictures import draw

    encoder = open_encoder(EncoderRequest("tiny", "float32"))
    pictures = np.stack([encoder.preprocess(picture) for picture in draw()])
    known = encoder.encode(pictures)
    spec = encoder.spec.preprocess
    mean, std = (np.array(v, np.float32) for v in (spec.mean, spec.std))
    inputs = ((pictures / np.float32(255) - mean) / std).transpose(0, 3, 1, 2)
    exported = torch.export.export(encoder.module, (torch.from_numpy(inputs),))
    network = openvino.convert_model(exported)
    worst = 1.0
    for precision in ("f32", "bf16"):
        compiled = openvino.Core().compile_model(
            network, "CPU", {"INFERENCE_PRECISION_HINT": precision}
        )
        vectors = compiled(inputs)[0]
        worst = min(worst, float(similarity(vectors, known).min()))
    return worst


if __name__ == "__main__":
    main()
