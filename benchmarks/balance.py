"""Claim: where a class has few images, balancing raises its recall and costs the others little.
Fields and roads as they are, and with one in five of the smaller class left to train on; every
image is answered by a head that was not fitted on it, in five folds, by five seeds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from _common import icehouse, real, show, workplace

from icehouse.heads import BALANCES, load_labelled, make_head
from icehouse.heads._balance import choose_rows, with_views
from icehouse.heads._split import make_folds
from icehouse.store import Store

HEADS = ("logistic", "mlp", "forest", "xgboost", "knn")
FOLDS, SEEDS, LEFT = 5, 5, 5
VIEWS = 4


def main() -> None:
    """Run it."""
    photos = real() / "fields_roads"
    encoder = sys.argv[1] if len(sys.argv) > 1 else "tiny"
    with workplace() as folder:
        embed(photos, folder / "s", encoder)
        store = Store.open(folder / "s")
        data = load_labelled(store, store.encoder_ids()[0], store.labels.tasks()[0])
        data = with_views(store, data)
    names, count = np.unique(data.y, return_counts=True)
    small = str(names[count.argmin()])
    sizes = ", ".join(f"{n} {name}" for name, n in zip(names, count, strict=True))
    for title, keep in ((sizes, 1), (f"one in {LEFT} of {small} to train on", LEFT)):
        show(
            f"{title}; encoder {encoder}; {FOLDS} folds, {SEEDS} seeds",
            ("head", "balance", f"recall of {small}", "±", "recall of the others", "mean of both"),
            [row(data, small, head, balance, keep) for head in HEADS for balance in BALANCES],
        )


def embed(photos: Path, store: Path, encoder: str) -> None:
    """Embed the photos with views of all, so that folds and fewer images can use them."""
    icehouse("embed", photos, "--store", store, "--encoder", encoder, "--views", VIEWS)


def row(data: Any, small: str, kind: str, balance: str, keep: int) -> tuple[object, ...]:
    """Return the recalls of a head, means over the seeds."""
    found = [recalls(data, small, kind, balance, keep, seed) for seed in range(SEEDS)]
    of_small, of_others = np.array(found).T
    mean = float((of_small + of_others).mean() / 2)
    spread = float(of_small.std(ddof=1))
    return kind, balance, float(of_small.mean()), spread, float(of_others.mean()), mean


def recalls(
    data: Any, small: str, kind: str, balance: str, keep: int, seed: int
) -> tuple[float, float]:
    """Return the recall of the small class and of the others, out of fold."""
    fold = make_folds(data.ids, data.y, FOLDS, seed)
    is_small = data.y == small
    rank = np.zeros(len(data), np.int64)
    rank[is_small] = np.random.default_rng(seed).permutation(is_small.sum())
    settings = {} if kind == "knn" or kind == "logistic" else {"seed": seed}
    right = np.zeros(len(data), bool)
    for number in range(FOLDS):
        held = fold == number
        chosen = choose_rows(data, ~held & (rank % keep == 0), balance, seed)
        head = make_head(kind, settings).fit(chosen.X, chosen.y, chosen.weight, chosen.groups)
        right[held] = head.predict(data.X[held]) == data.y[held]
    return float(right[is_small].mean()), float(right[~is_small].mean())


if __name__ == "__main__":
    main()
