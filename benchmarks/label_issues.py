"""Claim: of EuroSAT's training labels 5 or 20 % are flipped, at random or to the class that theirs
is most taken for. ``label-issues`` ranks them at least as well as cleanlab's best ranking, as how
unsure the head is, and as chance, in every row; the two wrong labels of fields_roads come first.

EuroSAT is encoded by ``tiny``. Of fields_roads the lists of two encoders and of an ensemble of both
are shown. The claim was made of MobileNetV2 alone, and held until C was chosen by the number of
images; since then one right label stands between the two. The ensemble, which was tried after that
on the same photographs, names them first: with two wrong labels in all that is an example.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from _common import encoder, icehouse, real, show, workplace
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score

from icehouse.heads import StoredHead, folds_of, load_head, training_set
from icehouse.review import label_issues
from icehouse.store import Store, ids_from_bytes, positions

TASK, HEAD, SEED = "eurosat", "logistic", 2024
SHARES, WAYS = (0.05, 0.2), ("random", "confusion")
METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
WRONG = {"fields/3.jpg", "fields/5.jpg"}

Scores = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]


def main() -> None:
    """Run it."""
    data = real()
    with workplace() as folder:
        store = frozen(data, folder)
        stored = load_head(store, TASK, HEAD)
        clean = training_set(store, stored.card)
        taken_for = confusions(clean.y, folds_of(store, stored).proba, stored.classes)
        rows = []
        for share in SHARES:
            for way in WAYS:
                y = flip(clean.y, share, way, taken_for)
                relabel(store, clean.ids, clean.y, y)
                rows += compared(store, stored, clean.y, f"{share:.0%} by {way}")
                relabel(store, clean.ids, y, clean.y)
        columns = ("flipped", "measure", "ours", "cleanlab", "1 - max p", "|p - 0.5|", "random")
        show("flipped labels of EuroSAT, found", (*columns, "holds"), rows)
        fields_and_roads(data, folder / "roads")


def frozen(data: Path, folder: Path) -> Store:
    """Embed the training images of EuroSAT with ``tiny``, and fit a head."""
    header, *lines = (data / "eurosat.csv").read_text().splitlines()
    (folder / "eurosat").symlink_to(data / "eurosat")
    manifest = folder / "eurosat.csv"
    manifest.write_text("\n".join([header, *(line for line in lines if line.endswith(",train"))]))
    icehouse("embed", manifest, "--store", folder / "store", "--encoder", "tiny")
    icehouse("fit-head", "--store", folder / "store", "--head", HEAD, "--folds", 5)
    return Store.open(folder / "store")


def confusions(y: npt.NDArray[Any], proba: Scores, classes: npt.NDArray[Any]) -> dict[str, str]:
    """Return the class that each class is most often taken for."""
    said = classes[proba.argmax(axis=1)]
    return {
        name: max(
            sorted(set(classes) - {name}), key=lambda other: int((said[y == name] == other).sum())
        )
        for name in classes
    }


def flip(
    y: npt.NDArray[Any], share: float, way: str, taken_for: dict[str, str]
) -> npt.NDArray[Any]:
    """Return labels of which a share is wrong."""
    random = np.random.default_rng(SEED)
    wrong = y.copy()
    for row in random.choice(len(y), round(share * len(y)), replace=False):
        others = sorted(set(taken_for) - {y[row]})
        wrong[row] = random.choice(others) if way == "random" else taken_for[y[row]]
    return wrong


def relabel(store: Store, ids: Any, before: npt.NDArray[Any], after: npt.NDArray[Any]) -> None:
    """Record the labels that have changed."""
    rows = np.flatnonzero(before != after)
    said = [(ids[row].tobytes(), (str(after[row]),)) for row in rows]
    store.labels.record(TASK, said, annotator="chance", origin="benchmark")


def compared(
    store: Store, stored: StoredHead, truth: npt.NDArray[Any], name: str
) -> list[tuple[object, ...]]:
    """Rank the labels of the store in every way; return two rows of the table."""
    data = training_set(store, stored.card)
    bad = data.y != truth
    issues = label_issues(store, stored, min_score=0).issues
    ours = np.zeros(len(data))
    rows = positions(ids_from_bytes(bytes.fromhex(each.image_id) for each in issues), data.ids)
    ours[rows] = [each.score for each in issues]
    proba = folds_of(store, stored).proba.astype(np.float64)
    given = np.searchsorted(stored.classes, data.y)
    best_of = {
        "cleanlab": cleanlabs(given, proba / proba.sum(axis=1, keepdims=True)),
        "1 - max p": [1 - proba.max(axis=1)],
        "|p - 0.5|": [-np.abs(proba.max(axis=1) - 0.5)],
        "random": [np.random.default_rng(SEED).random(len(data))],
    }
    table = []
    measures: dict[str, Callable[[Flags, Scores], float]] = {
        "average precision": average_precision_score,
        "precision at k": at_k,
    }
    for what, measure in measures.items():
        own = float(measure(bad, ours))
        others = [max(float(measure(bad, s)) for s in some) for some in best_of.values()]
        table.append((name, what, own, *others, own >= max(others)))
    return table


def cleanlabs(given: npt.NDArray[np.int64], proba: Scores) -> list[Scores]:
    """Return its rankings: by each score, plain, adjusted, and with the issues it finds first."""
    found = find_label_issues(given, proba, n_jobs=1)
    scores = []
    for method in METHODS:
        for adjusted in (False, True)[: 1 if method == METHODS[2] else 2]:
            quality = get_label_quality_scores(
                given, proba, method=method, adjust_pred_probs=adjusted
            )
            scores += [-quality, found - quality]
    return scores


def at_k(bad: Flags, score: Scores) -> float:
    """Return the precision among so many as were flipped."""
    return float(bad[np.argsort(-score, kind="stable")[: bad.sum()]].mean())


def fields_and_roads(data: Path, store: Path) -> None:
    """Show the first labels of the photographs of which two are known to be wrong."""
    heads = {"tiny": "tiny", "mobilenetv2": encoder(data)}
    for head, name in heads.items():
        icehouse("embed", data / "fields_roads", "--store", store, "--encoder", name)
        fitted = "--head", HEAD, "--name", head, "--encoder", name, "--folds", 5
        icehouse("fit-head", "--store", store, *fitted)
    both = "--head", "ensemble", "--of", ",".join(heads), "--name", "both", "--folds", 5
    icehouse("fit-head", "--store", store, *both)
    for head in (*heads, "both"):
        issues = icehouse("label-issues", "--store", store, "--head", head).results
        rows = [(i["key"], i["label"], i["suggested"][0], i["score"]) for i in issues]
        holds = {row[0] for row in rows[:2]} == WRONG
        show(
            f"fields_roads, {head}, both wrong labels first: {holds}",
            ("image", "label", "suggested", "wrong"),
            rows[:5],
        )


if __name__ == "__main__":
    main()
