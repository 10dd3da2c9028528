"""Which classes and images are shown where there are too many for all."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from icehouse.report.page._evidence import Evidence


def extreme_classes(evidence: Evidence, most: int) -> tuple[list[int], str]:
    """Return classes to show, and what to say of the others.

    Parameters
    ----------
    evidence : Evidence
    most : int
        Where there are more, half of it are the weakest by F1, and half the strongest.

    Returns
    -------
    list of int
        Columns of the evidence, in their order.
    str
        Empty where all are shown.
    """
    count = len(evidence.classes)
    if count <= most:
        return list(range(count)), ""
    order = evidence.scores.order.tolist()
    order = [*(c for c in range(count) if not evidence.scores.occurs[c]), *order]
    some = sorted([*order[: most - most // 2], *order[len(order) - most // 2 :]])
    return some, (
        f"Of {count:,} classes these are the {most - most // 2} weakest and the {most // 2} "
        "strongest by F1."
    )


def drawn_of_class(evidence: Evidence, number: int, most: int) -> list[bytes]:
    """Return images of a class, of all splits, drawn by a hash of their identity."""
    data, name = evidence.data, evidence.classes[number]
    if data.y.ndim == 2:
        rows = np.flatnonzero(data.y[:, data.classes.index(name)])
    else:
        rows = np.flatnonzero(data.y == name)
    images = [data.ids[row].tobytes() for row in rows]
    return sorted(images, key=lambda image: hashlib.blake2b(image, digest_size=8).digest())[:most]


def contradicted(evidence: Evidence) -> npt.NDArray[np.float32]:
    """Return how sure the head is of what is wrong, shape (n,); 0 for right answers.

    Of one label an image, the probability of the answer; of several, of the worst one.
    """
    wrong = evidence.truth != evidence.answered
    if evidence.multi:
        sure = np.where(evidence.answered, evidence.proba, 1 - evidence.proba)
    else:
        sure, wrong = evidence.proba, wrong & evidence.answered
    return np.asarray(np.where(wrong, sure, 0).max(axis=1))


def labels_of(evidence: Evidence, marks: npt.NDArray[np.bool_]) -> str:
    """Return the names of the classes that are marked, for below a picture."""
    return ", ".join(evidence.short[evidence.classes[i]] for i in np.flatnonzero(marks)) or "none"
