"""Claim: whole process against whole process, embedding with ViT-B/32 takes less than a third of
the time of clip-retrieval's ``clip inference`` on the same images and weights.

clip-retrieval wants older libraries, so it lives in an environment of its own, whose Python the
variable CLIP_RETRIEVAL names::

    python -m venv other
    other/bin/pip install torch==2.13.0 clip-retrieval==2.45.0
    other/bin/pip install "setuptools<70"
    CLIP_RETRIEVAL=other/bin/python python benchmarks/clip_retrieval.py [images]

The first of our runs converts the network for OpenVINO and keeps that, if so much is to be encoded
that it pays; the second finds it there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from _common import icehouse, show, workplace
from embed_cpu import draw, make_weights

from icehouse.store import Store

IMAGES = 6_144
ROUNDS = 2
TARGET = 3.5
SCRIPT = """
import sys, torch
try:
    import torchvision
except RuntimeError:  # a torchvision that was not built for this torch
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    for name in [name for name in sys.modules if name.startswith("torchvision")]:
        del sys.modules[name]
from clip_retrieval.clip_inference.main import main
images, out, weights = sys.argv[1:]
main(
    input_dataset=images, output_folder=out, clip_model="open_clip:ViT-B-32/" + weights,
    enable_text=False, num_prepro_workers=2, batch_size=32,
)
"""


def main() -> None:
    """Run it."""
    other = os.environ.get("CLIP_RETRIEVAL")
    if not other:
        print("skipped: CLIP_RETRIEVAL names no Python that has clip-retrieval")
        sys.exit(0)
    count = int(sys.argv[1]) if sys.argv[1:] else IMAGES
    rows = []
    with workplace() as folder:
        os.environ["ICEHOUSE_CACHE"] = str(folder / "cache")
        draw(folder / "images", count)
        weights = make_weights(folder / "weights", "ViT-B-32")
        checkpoint = as_checkpoint(weights)
        for number in range(ROUNDS):
            store = folder / f"store-{number}"
            name = f"clip:local-dir:{weights}"
            ours = icehouse("embed", folder / "images", "--store", store, "--encoder", name)
            out = folder / f"theirs-{number}"
            started = time.perf_counter()
            words = [other, "-c", SCRIPT, str(folder / "images"), str(out), str(checkpoint)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            theirs = time.perf_counter() - started
            if done.returncode:
                sys.exit(done.stderr)
            vectors = np.load(next(out.rglob("*.npy")))
            rows.append(
                (
                    count,
                    ours.results[0]["speed"]["engine"],
                    ours.seconds,
                    theirs,
                    f"{theirs / ours.seconds:.2f} (asked {TARGET:g})",
                    f"{lowest_cosine(store, vectors):.5f}",
                )
            )
    show(
        "ViT-B/32, JPEG of 640x480, seconds of the whole process",
        ("images", "engine", "icehouse", "clip-retrieval", "ratio", "lowest centred cosine"),
        rows,
    )


def as_checkpoint(weights: Path) -> Path:
    """Write the weights as clip-retrieval's open_clip reads them."""
    import torch
    from safetensors.torch import load_file

    path = weights.with_suffix(".pt")
    torch.save(load_file(weights / "open_clip_model.safetensors"), path)
    return path


def lowest_cosine(path: Path, vectors: np.ndarray) -> float:
    """Return the lowest cosine to the other program's vectors, their mean subtracted from both."""
    store = Store.open(path)
    features = store.features(store.encoder_ids()[0]).load()
    rows = store.catalog.rows("images", ["key", "image_id"]).to_pylist()
    place = {image.tobytes(): number for number, image in enumerate(features.ids)}
    order = [place[row["image_id"]] for row in sorted(rows, key=lambda row: row["key"])]
    ours, theirs = features.vectors[order].astype(np.float32), vectors.astype(np.float32)
    ours, theirs = ours - theirs.mean(axis=0), theirs - theirs.mean(axis=0)
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / lengths).min())


if __name__ == "__main__":
    main()
