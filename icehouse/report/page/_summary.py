"""The page in a few sentences, and what to bear in mind before they are believed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.report.page._blocks import (
    Block,
    Numbers,
    Points,
    Section,
    Words,
    counted,
    named,
    number,
)
from icehouse.report.page._calibrated import in_words, reliability
from icehouse.report.page._confusion import most_confused
from icehouse.report.page._evidence import OUT_OF_FOLD, Evidence

FEW_IMAGES, FEW_OF_A_CLASS = 100, 10
MEMORISED = 0.1
MISCALIBRATED = 0.05
NAMED = 5
Z = 1.959964  # of 95 % of a normal distribution


def summary_section(evidence: Evidence) -> Section:
    """Return the numbers that matter most, in figures and in words."""
    cautions = tuple(cautions_of(evidence)) or ("Nothing stands out.",)
    blocks: list[Block] = [
        Words(" ".join(sentences(evidence)), "lead"),
        _numbers(evidence),
        Points("Before you rely on it", cautions),
    ]
    return Section("summary", "Summary", "", tuple(blocks))


def accuracy_interval(evidence: Evidence) -> tuple[float, float]:
    """Return a 95 % interval of the accuracy (Wilson 1927), which holds for few images too."""
    n, share = len(evidence.rows), float(evidence.right.mean())
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def sentences(evidence: Evidence) -> list[str]:
    """Return what the page comes to."""
    scores, classes = evidence.scores, evidence.classes
    images = counted(len(evidence.rows), f"{evidence.measured} image")
    what = "have all their labels right" if evidence.multi else "right"
    said = [f"{evidence.metrics.top1:.3f} of {images} {what}{_guessing(evidence)}."]
    said += [
        f"Weakest class: “{named(classes[i])}”, of which {scores.recall[i]:.2f} is found, and "
        f"{scores.precision[i]:.2f} of what it calls so is so."
        for i in scores.order[:1]
        if scores.f1[i] < 1
    ]
    for one, other, count in most_confused(evidence)[:1]:
        if count > 1:
            verb = "missed and “{}” added" if evidence.multi else "taken for “{}”"
            other_name = verb.format(named(classes[other]))
            said.append(
                f"Most often confused: “{named(classes[one])}” {other_name}, {count:,} times."
            )
    if len(evidence.rows) >= FEW_IMAGES:
        said.append(in_words(reliability(evidence)).partition(" (ECE")[0] + ".")
    if chosen := evidence.card.chosen:
        some = [f"{named(name)} {value:.4g}" for name, value in list(chosen.items())[:NAMED]]
        more = f" and {len(chosen) - NAMED:,} more" if len(chosen) > NAMED else ""
        said.append(f"Chosen by the fit: {', '.join(some)}{more}.")
    if evidence.flags is not None:
        said.append(f"{counted(evidence.flags.count, 'image')} flagged to be looked at again.")
    return said


def cautions_of(evidence: Evidence) -> list[str]:
    """Return what weakens the numbers of the page, the gravest first."""
    return [
        *_of_the_images(evidence),
        *_of_the_classes(evidence),
        *_of_the_head(evidence),
        *(named(note, 300) for note in evidence.card.notes),
    ]


def _of_the_images(evidence: Evidence) -> list[str]:
    said, count = [], len(evidence.rows)
    low, high = accuracy_interval(evidence)
    if evidence.split == "train":
        said.append(
            "It is measured on the images that it was fitted on, which says next to nothing: fit "
            "it with --folds 5, or with a share for the test split."
        )
    if evidence.split == "val":
        said.append(
            "It is measured on the validation split, on which it was calibrated too: its "
            "calibration looks better than it is."
        )
    if count < FEW_IMAGES:
        said.append(
            f"{counted(count, 'image')} are few: the true accuracy may be anywhere from {low:.2f} "
            f"to {high:.2f} (95 % interval). More are measured by cross-validation: --split "
            f"{OUT_OF_FOLD}."
            if evidence.split != OUT_OF_FOLD
            else f"{counted(count, 'image')} are few: the true accuracy may be anywhere from "
            f"{low:.2f} to {high:.2f} (95 % interval)."
        )
    if evidence.copies:
        said.append(
            f"{counted(evidence.copies, evidence.measured + ' image')} all but equal one in "
            "training (centred cosine 0.995 or more): they can be answered from memory."
        )
    if evidence.changed:
        said.append(
            "Labels, images or split are others than when the head was fitted. The numbers here "
            "are by today's labels; fit it again for a head that knows them."
        )
    return said


def _of_the_classes(evidence: Evidence) -> list[str]:
    scores, said = evidence.scores, []
    never = np.flatnonzero((scores.answers == 0) & (scores.support > 0))
    if len(never):
        said.append(f"Never answered, though there are images of it: {_names(evidence, never)}.")
    absent = np.flatnonzero(scores.support == 0)
    if len(absent):
        said.append(
            f"Not measured, as no {evidence.measured} image has it: {_names(evidence, absent)}."
        )
    few = np.flatnonzero((scores.support > 0) & (scores.support < FEW_OF_A_CLASS))
    if len(few):
        said.append(
            f"Measured on fewer than {FEW_OF_A_CLASS} images, so hardly known: "
            f"{_names(evidence, few)}."
        )
    unknown = np.setdiff1d(evidence.data.classes, evidence.card.classes)
    if len(unknown):
        names = ", ".join(named(str(name)) for name in unknown[:NAMED])
        more = " …" if len(unknown) > NAMED else ""
        said.append(f"Classes that came after the head, which it cannot answer: {names}{more}.")
    return said


def _of_the_head(evidence: Evidence) -> list[str]:
    said = []
    trained = evidence.card.metrics.get("train", {}).get("top1")
    # A head of neighbours finds each training image next to itself, which says nothing.
    if trained is not None and evidence.split != "train" and evidence.card.kind != "knn":
        gap = trained - evidence.metrics.top1
        if gap > MEMORISED:
            said.append(
                f"It reaches {trained:.3f} on what it was fitted on, {gap:.3f} more than here: "
                "that much is learnt by heart. More images, or a simpler head, may do better."
            )
    if evidence.metrics.ece > MISCALIBRATED and len(evidence.rows) >= FEW_IMAGES:
        said.append(
            f"Its probabilities are off by {evidence.metrics.ece:.3f} on average: do not take them "
            "at their word."
        )
    return said


def _names(evidence: Evidence, numbers: npt.NDArray[np.integer[Any]]) -> str:
    names = ", ".join(named(evidence.classes[i]) for i in numbers[:NAMED])
    return names + (f" and {len(numbers) - NAMED:,} more" if len(numbers) > NAMED else "")


def _guessing(evidence: Evidence) -> str:
    if evidence.multi:
        return ""
    guess = evidence.scores.support.max() / len(evidence.rows)
    return f"; always answering the most frequent class would reach {guess:.3f}"


def _numbers(evidence: Evidence) -> Numbers:
    metrics = evidence.metrics
    low, high = accuracy_interval(evidence)
    numbers = [
        (number(metrics.top1), "accuracy", f"95 %: {low:.3f}–{high:.3f}"),
        (number(metrics.f1), "F1", "mean over the classes"),
        (number(metrics.auc_roc), "AUC", "mean over the classes"),
        (number(metrics.ece), "ECE", "confidence against accuracy"),
    ]
    if metrics.top5 is not None:
        numbers.insert(1, (number(metrics.top5), "top-5", "right class among five"))
    return Numbers(tuple(numbers))
