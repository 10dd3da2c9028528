"""Claim: 120 breeds of dogs at 64 pixels, every encoder that there is under every head, in one
table: seconds to fit, accuracy in training, validation and test, recall. XGBoost fits a tree for
each class and takes longer than all others; heads named as arguments leave it out."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from _common import encoder, icehouse, real, show, workplace

HEADS = ("mlp", "logistic", "forest", "knn", "xgboost")


def main() -> None:
    """Run it."""
    data = real()
    with workplace() as folder:
        store = ("--store", folder / "store")
        for name in (encoder(data), "tiny", "descriptor"):
            icehouse("embed", data / "stanford_dogs_64", *store, "--encoder", name)
        heads = ",".join(sys.argv[1:] or HEADS)
        compared = icehouse("compare", *store, "--heads", heads).results[0]
        best = compared["contenders"][0]
        words = ("--head", best["head"], "--encoder", best["encoder_id"])
        icehouse("fit-head", *store, *words)
        page = icehouse(
            "report", *store, "--out", Path(tempfile.gettempdir()) / "icehouse-dogs.html"
        ).results[0]
    rows = [
        (
            each["encoder"].split(":")[-1].split("/")[-1],
            each["head"],
            each["fit_seconds"],
            *(each[side] for side in ("train", "val")),
            *(each["metrics"][name] for name in ("top1", "top5", "recall", "f1", "ece")),
            "" if each["p"] is None else each["p"],
        )
        for each in compared["contenders"]
    ]
    columns = (
        "encoder",
        "head",
        "fit s",
        "train",
        "val",
        "test",
        "top-5",
        "recall",
        "F1",
        "ECE",
        "p",
    )
    title = f"dogs: {compared['trained']:,} to train on, {compared['images']:,} to test"
    show(title, columns, rows)
    print(f"the report of the best, class by class: {page['path']}")


if __name__ == "__main__":
    main()
