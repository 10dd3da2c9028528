"""Claim: what ``tiny`` sees is above its teacher on EuroSAT (logistic >= 0.945), enough for fields
and roads (five folds >= 0.93) and digits (five folds >= 0.97), and carries over to dogs that it
never saw (20 breeds >= 0.70); beside its teacher, its own architecture with random weights,
``descriptor`` and raw pixels."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _common import encoder, icehouse, real, show, workplace
from PIL import Image

from icehouse.demo import write_digits
from icehouse.embedder import EncoderRequest, choose_encoder
from icehouse.heads import Fractions, LabelledSet, choose_task, load_labelled, make_head
from icehouse.heads import out_of_fold as cross_validate
from icehouse.store import Store

SIDE = 16
CLAIMS = {
    "EuroSAT, test split": 0.945,
    "fields and roads, 5 folds": 0.93,
    "20 unseen breeds, 60/40": 0.70,
    "digits, 5 folds": 0.97,
}


def main() -> None:
    """Run it; with words as arguments only what is called by them, such as "digits"."""
    data, wanted = real(), sys.argv[1:]
    with workplace() as folder:
        sources = {
            "EuroSAT, test split": (data / "eurosat.csv", None),
            "fields and roads, 5 folds": (data / "fields_roads", None),
            "20 unseen breeds, 60/40": (unseen_breeds(data, folder), "60/0/40"),
            "digits, 5 folds": (write_digits(folder / "digits"), None),
        }
        encoders = {
            "tiny": "tiny",
            "its teacher": encoder(data),
            "random weights": f"timm:local-dir:{random_weights(folder / 'random')}",
            "descriptor": "descriptor",
        }
        rows = []
        for what, (source, split) in sources.items():
            if wanted and not any(word in what for word in wanted):
                continue
            store = folder / f"store-{len(rows)}"
            reached = {}
            for name, encoder_name in encoders.items():
                reached[name] = probe(store, source, encoder_name, split, folds="folds" in what)
                print(f"{what}: {name} {reached[name]:.3f}", flush=True)
            reached["raw pixels"] = probe_pixels(Store.open(store), split, folds="folds" in what)
            claim = CLAIMS[what]
            rows.append((what, f">= {claim}", reached["tiny"] >= claim, *reached.values()))
    show("logistic probe, top-1", ("on", "claim", "holds", *encoders, "raw pixels"), rows)


def probe(store: Path, source: Path, encoder: str, split: str | None, *, folds: bool) -> float:
    """Embed, fit, and return the top-1 accuracy."""
    icehouse("embed", source, "--store", store, "--encoder", encoder)
    given = ("--split", split) if split else ()
    given = (*given, "--folds", 5) if folds else given
    name = f"logistic-{len(list(store.glob('features/*')))}"
    card = icehouse(
        *("fit-head", "--store", store, "--encoder", encoder, "--head", "logistic"),
        *("--name", name, *given),
    )
    metrics = card.results[0]["metrics"]
    return float(metrics["out-of-fold" if folds else "test"]["top1"])


def probe_pixels(store: Store, split: str | None, *, folds: bool) -> float:
    """Fit the same head on the same split of images of 16 by 16 pixels, and nothing else."""
    fractions = Fractions.parse(split) if split else None
    task = choose_task(store)
    data = load_labelled(store, choose_encoder(store, "tiny"), task, fractions=fractions)
    data = replace(data, X=pixels(store, data))
    head = make_head("logistic", {})
    if folds:
        classes = np.array(data.classes)
        judged = cross_validate(head, data, classes, folds=5)
        return float((classes[judged.proba.argmax(axis=1)] == data.y).mean())
    train, test = data.split == "train", data.split == "test"
    return float(
        (head.fit(data.X[train], data.y[train]).predict(data.X[test]) == data.y[test]).mean()
    )


def pixels(store: Store, data: LabelledSet) -> Any:
    """Return images as rows of numbers, float32 of shape (n, 768)."""
    places = store.places()
    rows = []
    for identity in data.ids:
        with Image.open(places[identity.tobytes()].path) as image:
            small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            rows.append(np.asarray(small, np.float32).reshape(-1) / 255)
    return np.stack(rows)


def unseen_breeds(data: Path, folder: Path) -> Path:
    """Make a folder of the breeds that the recipe leaves out: every sixth by name."""
    breeds = sorted(path for path in (data / "stanford_dogs_64").iterdir() if path.is_dir())
    made = folder / "breeds"
    made.mkdir()
    for breed in breeds[5::6]:
        (made / breed.name).symlink_to(breed.resolve(), target_is_directory=True)
    return made


def random_weights(folder: Path) -> Path:
    """Save the architecture of ``tiny`` as it is before training."""
    from icehouse.embedder import _torchvision_ops  # noqa: F401  (before timm imports torchvision)

    # isort: split
    import timm
    import torch
    from safetensors.torch import save_file

    config = json.loads((Path(EncoderRequest("tiny").local_path) / "config.json").read_text())
    torch.manual_seed(0)
    model = timm.create_model(config["architecture"], num_classes=0, **config["model_args"])
    folder.mkdir()
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


if __name__ == "__main__":
    main()
