"""From a trained network to a folder that timm loads, and a picture of how it was trained."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from train import MEAN, STD, Settings

from icehouse.embedder import EncoderRequest, open_encoder
from icehouse.embedder._canary import CANARY, sing


def export(network: torch.nn.Module, settings: Settings, folder: Path) -> None:
    """Write ``config.json``, ``model.safetensors`` in float16, and ``canary.npy``."""
    folder.mkdir(exist_ok=True)
    state = {
        name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)
    config = {
        "architecture": settings.architecture,
        "num_classes": 0,
        "num_features": network.num_features,
        "model_args": settings.model_args,
        "pretrained_cfg": {
            "tag": "icehouse",
            "input_size": [3, settings.size, settings.size],
            "interpolation": "bicubic",
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "mean": MEAN,
            "std": STD,
            "num_classes": 0,
            "pool_size": None,
            "first_conv": "conv1.0",
            "classifier": "fc",
            "license": "apache-2.0",
        },
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (folder / CANARY).unlink(missing_ok=True)
    encoder = open_encoder(EncoderRequest(f"timm:local-dir:{folder}", "float32"))
    np.save(folder / CANARY, sing(encoder))


def picture(log: Path, path: Path) -> None:
    """Draw loss and learning rate by step, as a PNG."""
    with log.open(newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    width, height, edge = 800, 360, 48
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    last = rows[-1]["step"]
    for name, ink, top in (("rate", "#b58407", None), ("loss", "#1f6feb", 1.0)):
        highest = top or max(row[name] for row in rows)
        line = [
            (
                edge + (width - 2 * edge) * row["step"] / last,
                height - edge - (height - 2 * edge) * row[name] / highest,
            )
            for row in rows
        ]
        pen.line(line, fill=ink, width=2)
        pen.text((line[-1][0] - 60, line[-1][1] - 16), f"{name} {rows[-1][name]:.3g}", fill=ink)
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = height - edge - (height - 2 * edge) * share
        pen.text((12, y - 6), f"{share:.2f}", fill="#6a737d")
        pen.line([(edge, y), (width - edge, y)], fill="#d8dee4")
        x = edge + (width - 2 * edge) * share
        pen.text((x - 12, height - edge + 8), f"{last * share:.0f}", fill="#6a737d")
    pen.text((edge, 12), "1 - cosine to the teacher, and learning rate, by step", fill="#1b1f24")
    sheet.save(path, optimize=True)
