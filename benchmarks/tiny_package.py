"""Claim: ``tiny`` costs little to have. The wheel is at most 8 MB, it loads in at most 0.3 s where
torch and timm are imported, and OpenVINO computes the same vectors from the same weights (cosine
>= 0.999)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from _common import show, workplace

LOAD = """
import json, time
start = time.perf_counter()
import torch
have_torch = time.perf_counter()
import icehouse.embedder._timm
have_timm = time.perf_counter()
from icehouse.embedder import open_encoder
encoder = open_encoder("tiny")
ready = time.perf_counter()
open_encoder("tiny")
again = time.perf_counter()
print(json.dumps([have_torch - start, have_timm - have_torch, ready - have_timm, again - ready]))
"""


def main() -> None:
    """Run it."""
    with workplace() as folder:
        root = Path(__file__).parents[1]
        words = ["pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, root]
        subprocess.run([sys.executable, "-m", *map(str, words)], check=True)
        wheel = next(folder.glob("*.whl")).stat().st_size / 2**20
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", LOAD], capture_output=True, text=True, check=True
            ).stdout
        )
        for _ in range(5)
    ]
    torch_s, timm_s, first, again = np.median(runs, axis=0)
    lowest = engines_agree()
    show(
        "tiny in the package",
        ("what", "measured", "claim", "holds"),
        [
            ("wheel, MB", wheel, "<= 8", wheel <= 8),
            ("import torch, s", torch_s, "", ""),
            ("import timm and icehouse.embedder, s", timm_s, "", ""),
            ("open_encoder, first, s, beyond both", first, "<= 0.3", first <= 0.3),
            ("open_encoder, again, s", again, "", ""),
            ("lowest cosine, torch and OpenVINO", lowest, ">= 0.999", lowest >= 0.999),
        ],
    )


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
