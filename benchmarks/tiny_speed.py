"""Claim: ``tiny`` freezes 1,000 images/s and more of 64 pixels on two cores, from JPEG files to a
committed store; beside what a user would write with timm: a DataLoader, float32, np.save."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from _common import icehouse, real, show, workplace

ROUNDS = 3
SCRIPT = """
import sys, time
from icehouse.embedder import EncoderRequest, _torchvision_ops
import numpy as np, timm, torch
from pathlib import Path
from PIL import Image
from timm.data import create_transform, resolve_model_data_config

class Images(torch.utils.data.Dataset):
    def __init__(self, folder, transform):
        self.paths, self.transform = sorted(Path(folder).rglob("*.jpg")), transform
    def __len__(self):
        return len(self.paths)
    def __getitem__(self, number):
        return self.transform(Image.open(self.paths[number]).convert("RGB"))

folder, out = sys.argv[1:]
model = timm.create_model(f"local-dir:{EncoderRequest('tiny').local_path}", pretrained=True).eval()
images = Images(folder, create_transform(**resolve_model_data_config(model)))
started = time.perf_counter()
with torch.inference_mode():
    loader = torch.utils.data.DataLoader(images, batch_size=64, num_workers=2)
    np.save(out, torch.cat([model(batch) for batch in loader]).numpy())
print(len(images) / (time.perf_counter() - started))
"""


def main() -> None:
    """Run it."""
    data = real() / "eurosat"
    rows, rates, others = [], [], []
    with workplace() as folder:
        for number in range(ROUNDS):
            run = icehouse("embed", data, "--store", folder / str(number), "--encoder", "tiny")
            report = run.results[0]
            rates.append(report["speed"]["achieved"])
            others.append(by_hand(data, folder / f"{number}.npy"))
            rows.append(
                (
                    report["encoded"],
                    report["speed"]["achieved"],
                    report["speed"]["decode"],
                    report["speed"]["encode"],
                    others[-1],
                    rates[-1] / others[-1],
                    rates[-1] >= 1000,
                )
            )
    show(
        "disk to store, images/s (loading left out on both sides)",
        ("images", "icehouse", "decode alone", "encode alone", "by hand", "ratio", ">= 1,000"),
        rows,
    )


def by_hand(images: Path, out: Path) -> float:
    """Return the images/s of the script that a user would write."""
    words = [sys.executable, "-c", SCRIPT, str(images), str(out)]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
