"""Claim: of 50 pictures of another kind, planted among 27,000, distances to neighbours put most
among the first 100, and local outlier factors do not. A set that lacks one of EuroSAT's classes is
never said to cover another one that has it: half of the class (8 to 92 %) and 1 % of the others are
called uncovered; one that lacks nothing is.

EuroSAT, photographs of fields and roads, and dogs, with features of MobileNetV2. Stores that are
there already can be named as arguments: of EuroSAT, which is not written to."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from _common import encoder, icehouse, real, show, workplace

from icehouse.review import OutlierOptions, find_outliers, local_outlier_factor
from icehouse.review.curation._near import Centre, Pictures
from icehouse.review.curation._uncovered import by_chance, uncovered
from icehouse.search import Engine
from icehouse.store import Store, VectorRows, ids_from_arrow, ids_from_bytes, image_id, positions

PLANTED, KS = 50, (5, 10, 20, 50)
IN_A, IN_B = 6000, 3000
OTHERS = {"photographs": "fields_roads", "dogs": "stanford_dogs_64"}

Array = npt.NDArray[Any]


def main() -> None:
    """Run it."""
    data = real()
    with workplace() as folder:
        store = stored(data, folder, Path(sys.argv[1]) if sys.argv[1:] else None)
        timed(store)
        vectors, classes = of(store, "eurosat")
        planted = {name: of(store, name)[0] for name in OTHERS}
    rows = [row for name, some in planted.items() for row in ranked(name, vectors, some)]
    columns = ("planted", "k", "distance: first 50", "first 100", "LOF: first 50", "first 100")
    show(f"of {PLANTED} planted among {len(vectors):,}, found among the first", columns, rows)
    columns = ("A lacks", "of it uncovered", "of the others", "by chance", "A covers B")
    show(f"{IN_A:,} images as A, {IN_B:,} as B", columns, lacking(vectors, classes, planted))


def stored(data: Path, folder: Path, given: Path | None) -> Store:
    """Return a store of EuroSAT and of what is planted."""
    path = folder / "store"
    if given:
        shutil.copytree(given, path)
        name = next(iter(Store.open(path).encoder_cards().values()))["request"]["name"]
    else:
        name = encoder(data)
        icehouse("embed", data / "eurosat", "--store", path, "--encoder", name)
    random = np.random.default_rng(0)
    for dataset, source in OTHERS.items():
        files = sorted(file for file in (data / source).resolve().rglob("*") if file.is_file())
        (folder / dataset).mkdir()
        for number in random.permutation(len(files))[: 2 * PLANTED].tolist():
            shutil.copy(files[number], folder / dataset / f"{number}{files[number].suffix}")
        icehouse("embed", folder / dataset, "--store", path, "--encoder", name)
    return Store.open(path)


def of(store: Store, dataset: str) -> tuple[Array, Array]:
    """Return the vectors of a dataset, and what its source says of them."""
    [encoder_id] = store.encoder_ids()
    features = store.features(encoder_id).load()
    rows = store.catalog.rows(dataset, ["image_id", "labels"])
    rows = rows.filter(rows["image_id"].is_valid())
    said = np.array([(labels or [""])[0] for labels in rows["labels"].to_pylist()])
    return features.vectors[positions(ids_from_arrow(rows["image_id"]), features.ids)], said


def timed(store: Store) -> None:
    """Say how long all of it takes for EuroSAT."""
    started, processor = time.perf_counter(), time.process_time()
    found = find_outliers(store, OutlierOptions(dataset="eurosat"))
    wall, processor = time.perf_counter() - started, time.process_time() - processor
    print(f"{found.images:,} images: {wall:.0f} s, {processor:.0f} s of the processors")


def engine_of(vectors: Array) -> Engine:
    """Return what searches in some vectors."""
    ids = ids_from_bytes(image_id(str(number).encode()) for number in range(len(vectors)))
    return Engine(VectorRows.of("vectors", ids, vectors), None)


def ranked(name: str, vectors: Array, others: Array) -> list[list[Any]]:
    """Plant some, and count those that each measure ranks first."""
    engine = engine_of(np.concatenate([vectors, others[:PLANTED]]))
    rows = np.arange(len(engine.rows))
    found = Pictures.of(engine, rows, max(KS), Centre.of(engine, rows))
    distance, is_planted = 1 - found.similarity, found.rows >= len(vectors)

    def first(score: Array) -> list[int]:
        order = np.argsort(-score, kind="stable")
        return [int(is_planted[order[:count]].sum()) for count in (PLANTED, 2 * PLANTED)]

    return [
        [
            name,
            k,
            *first(distance[:, k - 1]),
            *first(local_outlier_factor(distance[:, :k], found.index[:, :k])),
        ]
        for k in KS
    ]


def lacking(vectors: Array, classes: Array, planted: dict[str, Array]) -> list[list[Any]]:
    """Leave a class out of A, or put something else into B, and look what is uncovered."""
    order = np.random.default_rng(0).permutation(len(vectors))[: IN_A + IN_B]
    a, b = order[:IN_A], order[IN_A:]
    rows = [lacks("nothing", vectors[a], vectors[b], np.zeros(IN_B, np.bool_))]
    rows += [
        lacks(name, vectors[a][classes[a] != name], vectors[b], classes[b] == name)
        for name in np.unique(classes).tolist()
    ]
    for name, some in planted.items():
        both = np.concatenate([vectors[b], some])
        rows.append(lacks(name, vectors[a], both, np.arange(len(both)) >= IN_B))
    return rows


def lacks(name: str, a: Array, b: Array, new: Array) -> list[Any]:
    """Return the share of new images that is uncovered, that of the others, and the verdict."""
    engine = engine_of(np.concatenate([a, b]))
    rows = np.arange(len(engine.rows))
    ours, theirs = rows[: len(a)], rows[len(a) :]
    found = uncovered(engine, Centre.of(engine, rows), ours, theirs, 0.99)
    hit = np.isin(theirs, found.rows)
    few = by_chance(found.pictures, len(b), 0.01)
    covers = "yes" if hit.sum() <= few else "no"
    share = float(hit[new].mean()) if new.any() else 0.0
    return [name, share, float(hit[~new].mean()), few / len(b), covers]


if __name__ == "__main__":
    main()
