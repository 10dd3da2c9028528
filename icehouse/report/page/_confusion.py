"""What is taken for what: a matrix, and the pairs that are confused most, with their images."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from icehouse.report.page._blocks import (
    Bar,
    Block,
    Cell,
    Gallery,
    Heat,
    Matrix,
    Section,
    Table,
    Words,
    counted,
    named,
    number,
)
from icehouse.report.page._choice import extreme_classes
from icehouse.report.page._evidence import Evidence

NUMBERS, PIXELS = 30, 1500  # classes up to which there is a matrix of numbers, and of pixels
PAIRS, LISTED, PICTURES = 6, 12, 7
HEAT = 600
BLUE, AMBER = (31, 111, 235), (201, 119, 11)

Counts = npt.NDArray[np.int64]


def confusion_section(evidence: Evidence) -> Section:
    """Return the matrix, or for several labels an image what is missed and added, and pairs."""
    reading = (
        "A row is what images show, a column what the head answers; right answers are on the "
        "diagonal. Shades are shares of the row, drawn so that few mistakes are seen too."
    )
    if evidence.multi:
        reading = (
            "Each label is a question of its own: it is found or missed where it is, and added "
            "where it is not."
        )
        first: list[Block] = [_by_label(evidence)]
    else:
        first = _matrix(evidence)
    pairs = most_confused(evidence)
    if not pairs:
        first.append(Words("Nothing was confused."))
    if len(evidence.classes) == 2 and not evidence.multi:
        pairs = []  # the matrix has both, and the worst mistakes are pictures of them
    return Section(
        "confusion",
        "What is taken for what",
        reading,
        (*first, *_pairs_table(evidence, pairs), *_pictures(evidence, pairs[:PAIRS])),
    )


def most_confused(evidence: Evidence) -> list[tuple[int, int, int]]:
    """Return class, the class that was answered instead, and how often, most frequent first.

    Of several labels an image: the one that was missed, and the one that was added.
    """
    missed = (evidence.truth & ~evidence.answered).astype(np.float32)
    added = (~evidence.truth & evidence.answered).astype(np.float32)
    rows = (missed.any(axis=1)) & added.any(axis=1)
    counts = (missed[rows].T @ added[rows]).astype(np.int64)
    found = np.argwhere(counts)
    pairs = [(int(a), int(b), int(counts[a, b])) for a, b in found]
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))[:LISTED]


def _matrix(evidence: Evidence) -> list[Block]:
    occurs = np.flatnonzero(evidence.scores.occurs)
    size = len(evidence.classes)
    pairs = evidence.truth.argmax(axis=1) * size + evidence.answered.argmax(axis=1)
    counts = np.bincount(pairs, minlength=size * size).reshape(size, size)[np.ix_(occurs, occurs)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    title = f"{counted(len(evidence.rows), evidence.measured + ' image')}"
    if len(occurs) > PIXELS:
        return [Words(f"{len(occurs):,} classes are too many for a matrix.", "quiet")]
    if len(occurs) > NUMBERS:
        text = "A row and a column for each class, in the order of their names."
        return [Heat(title, _heat(shares), HEAT, text)]
    return [
        Matrix(
            title,
            tuple(named(evidence.short[evidence.classes[i]], 24) for i in occurs),
            tuple(tuple(f"{n:,}" if n else "·" for n in row) for row in counts.tolist()),
            tuple(tuple(_shade(share) for share in row) for row in shares.tolist()),
        )
    ]


def _shade(share: float) -> int:
    return math.ceil(100 * math.sqrt(share))


def _heat(shares: npt.NDArray[np.float64]) -> str:
    """Return a matrix as a PNG of opacities, which is right on light and dark paper."""
    pixels = np.zeros((*shares.shape, 4), np.uint8)
    pixels[:, :, :3] = AMBER
    np.fill_diagonal(pixels[:, :, 0], BLUE[0])
    np.fill_diagonal(pixels[:, :, 1], BLUE[1])
    np.fill_diagonal(pixels[:, :, 2], BLUE[2])
    pixels[:, :, 3] = np.ceil(255 * np.sqrt(shares))
    image = Image.fromarray(pixels)
    factor = HEAT // len(shares)
    if factor > 1:
        size = len(shares) * factor
        image = image.resize((size, size), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _by_label(evidence: Evidence) -> Block:
    some, said = extreme_classes(evidence, NUMBERS)
    both = (evidence.truth & evidence.answered).sum(axis=0)
    scores, total = evidence.scores, len(evidence.rows)
    most = max(1, int((scores.support + scores.answers - both).max()))
    rows: list[tuple[Cell, ...]] = []
    for i in some:
        found, missed = int(both[i]), int(scores.support[i] - both[i])
        added = int(scores.answers[i] - both[i])
        parts = (found / most, "right"), (missed / most, "wrong"), (added / most, "soft")
        rows.append(
            (
                named(evidence.classes[i]),
                Bar("", parts),
                *(f"{n:,}" for n in (found, missed, added, total - found - missed - added)),
            )
        )
    title = f"Found, missed and added labels, of {counted(total, evidence.measured + ' image')}"
    columns = ("label", "found | missed | added", "found", "missed", "added", "rightly not")
    return Table(f"{title}. {said}".rstrip(" ."), columns, tuple(rows), "lwrrrr")


def _pairs_table(evidence: Evidence, pairs: list[tuple[int, int, int]]) -> list[Block]:
    if not pairs:
        return []
    most = pairs[0][2]
    rows: list[tuple[Cell, ...]] = []
    for one, other, count in pairs:
        share = count / int(evidence.scores.support[one])
        bar = Bar(f"{count:,}", ((count / most, "wrong"),))
        names = (named(evidence.classes[i]) for i in (one, other))
        rows.append((*names, bar, number(share)))
    columns = ("class", "taken for", "images", "share of the class")
    if evidence.multi:
        columns = ("label missed", "label added", "images", "share of the label")
    return [Table("Most confused pairs", columns, tuple(rows), "llwr")]


def _pictures(evidence: Evidence, pairs: list[tuple[int, int, int]]) -> list[Block]:
    blocks: list[Block] = []
    for one, other, count in pairs:
        truth, answered = evidence.truth, evidence.answered
        wrong = (truth[:, one] & ~answered[:, one]) & (answered[:, other] & ~truth[:, other])
        rows = np.flatnonzero(wrong)
        rows = rows[np.argsort(-evidence.proba[rows, other], kind="stable")][:PICTURES]
        pictures = tuple(
            evidence.album.picture(
                evidence.image(row), (f"p = {evidence.proba[row, other]:.2f}", "quiet")
            )
            for row in rows.tolist()
        )
        names = [named(evidence.classes[i]) for i in (one, other)]
        verb = "missed, but" if evidence.multi else "taken for"
        title = f"{names[0]} {verb} {names[1]}" + (" added" if evidence.multi else "")
        blocks.append(Gallery(title, pictures, f"{counted(count, 'image')}, the surest first"))
    return blocks
