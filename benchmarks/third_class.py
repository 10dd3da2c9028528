"""Claim: a third class comes out of a relabelled queue. The five photos that are most ambiguous
between fields and roads become "road and field", and the head is fitted again; the confusion is
shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _common import encoder, icehouse, real, show, workplace

from icehouse.heads import folds_of, load_head, training_set
from icehouse.store import Store

NEW, TASK, COUNT = "road and field", "fields_roads", 5


def main() -> None:
    """Run it."""
    data = real()
    with workplace() as folder:
        path = folder / "store"
        icehouse("embed", data / TASK, "--store", path, "--encoder", encoder(data))
        icehouse("fit-head", "--store", path, "--head", "logistic", "--folds", 5)
        confusion("before", path)
        words = ("--head", "logistic", "--order", "ambiguity")
        flags = icehouse("flag", "--store", path, *words).results[:COUNT]
        store = Store.open(str(path))
        classes = (*store.labels.task(TASK).classes, NEW)
        store.labels.ensure_task(TASK, "single", classes)
        answers = [(bytes.fromhex(flag["image_id"]), (NEW,)) for flag in flags]
        store.labels.record(TASK, answers, annotator="benchmark", origin="benchmark")
        print("relabelled:", ", ".join(flag["key"] for flag in flags))
        for balance in ("none", "weights"):
            words = ("--head", "logistic", "--folds", 5, "--balance", balance)
            icehouse("fit-head", "--store", path, *words)
            confusion(f"after, balance {balance}", path)


def confusion(title: str, path: Path) -> None:
    """Show out-of-fold answers by label."""
    store = Store.open(str(path))
    stored = load_head(store, TASK, "logistic")
    given = training_set(store, stored.card)
    answered = stored.classes[folds_of(store, stored).proba.argmax(axis=1)]
    rows = []
    for label in stored.classes:
        of_it = answered[given.y == label]
        rows.append((label, len(of_it), *(int(np.sum(of_it == name)) for name in stored.classes)))
    show(title, ("label", "images", *(f"answered {name}" for name in stored.classes)), rows)


if __name__ == "__main__":
    main()
