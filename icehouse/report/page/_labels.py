"""How labels are distributed, over classes and over splits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icehouse.report.page._blocks import Bar, Block, Cell, Section, Table, Words, counted, named
from icehouse.report.page._choice import extreme_classes
from icehouse.report.page._evidence import Evidence

CLASSES = 40
ORDER = ("train", "val", "test")


def labels_section(evidence: Evidence) -> Section:
    """Return counts by class and split, and how the split came to be."""
    splits = _splits(evidence)
    counts = _counts(evidence, splits)
    blocks: list[Block] = [Words(_how(evidence)), _split_table(evidence, splits)]
    blocks.append(_class_table(evidence, splits, counts))
    if evidence.multi:
        blocks.append(_labels_an_image(evidence))
    return Section(
        "labels",
        "Labels and split",
        "A class of few images is learnt badly and measured badly; its share should be about the "
        "same in each split.",
        tuple(blocks),
    )


def _splits(evidence: Evidence) -> list[str]:
    found = set(evidence.data.split.tolist())
    return [*(s for s in ORDER if s in found), *sorted(found - set(ORDER))]


def _counts(evidence: Evidence, splits: list[str]) -> npt.NDArray[np.int64]:
    """Return labels by class and split, shape (n_classes, n_splits)."""
    data = evidence.data
    if data.y.ndim == 2:
        columns = [data.classes.index(name) for name in evidence.classes]
        by_split = [data.y[data.split == split][:, columns].sum(axis=0) for split in splits]
        return np.stack(by_split, axis=1)
    at = np.searchsorted(np.array(evidence.classes), data.y)
    size = len(evidence.classes)
    by_split = [np.bincount(at[data.split == split], minlength=size) for split in splits]
    return np.stack(by_split, axis=1)


def _how(evidence: Evidence) -> str:
    training = evidence.card.training
    fractions = training.get("fractions")
    given = "the source gives the split; --split was not used" in evidence.data.notes
    text = f"{counted(len(evidence.data), 'labelled image')} in {len(evidence.classes):,} classes."
    if fractions and not given:
        shares = "/".join(f"{100 * fractions[name]:g}" for name in ORDER)
        text += f" The split was asked to be {shares}, class by class, seed {training.get('seed')}."
    return text + (
        " The training split is what the head was fitted on, the validation split what it was "
        "calibrated on, and the test split has seen neither."
    )


def _split_table(evidence: Evidence, splits: list[str]) -> Table:
    split, total = evidence.data.split, len(evidence.data)
    rows: list[tuple[Cell, ...]] = []
    for name in splits:
        count = int((split == name).sum())
        tone = name if name in ORDER else "other"
        rows.append(
            (named(name), f"{count:,}", Bar(f"{count / total:.1%}", ((count / total, tone),)))
        )
    return Table("Images by split", ("split", "images", "share"), tuple(rows), "lrW")


def _class_table(evidence: Evidence, splits: list[str], counts: npt.NDArray[np.int64]) -> Table:
    some, said = extreme_classes(evidence, CLASSES)
    sums = counts.sum(axis=1)
    most = max(1, int(sums.max()))
    rows: list[tuple[Cell, ...]] = []
    for number in sorted(some, key=lambda i: (-sums[i], i)):
        parts = tuple(
            (float(count) / most, split if split in ORDER else "other")
            for split, count in zip(splits, counts[number].tolist(), strict=True)
        )
        share = Bar(f"{sums[number] / len(evidence.data):.1%}", parts)
        by_split = (f"{count:,}" for count in counts[number].tolist())
        rows.append((named(evidence.classes[number]), share, f"{sums[number]:,}", *by_split))
    columns = ("class", "share of all images", "images", *map(named, splits))
    title = "Images by class and split" + (f". {said}" if said else "")
    return Table(title, columns, tuple(rows), "lw" + "r" * (1 + len(splits)))


def _labels_an_image(evidence: Evidence) -> Table:
    count = np.bincount(evidence.data.y.sum(axis=1))
    rows = tuple(
        (
            str(labels),
            f"{images:,}",
            Bar(f"{images / count.sum():.1%}", ((images / count.max(), "train"),)),
        )
        for labels, images in enumerate(count.tolist())
        if images
    )
    return Table("Labels an image", ("labels", "images", "share"), rows, "lrW")
