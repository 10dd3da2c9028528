"""How good the answers are, split by split and class by class."""

from __future__ import annotations

import math

from icehouse.report.page._blocks import (
    Bar,
    Block,
    Cell,
    Section,
    Table,
    Verbatim,
    counted,
    named,
    number,
)
from icehouse.report.page._choice import extreme_classes
from icehouse.report.page._evidence import Evidence, split_name

CLASSES, ALL = 40, 1000
METRICS = {
    "n": "images",
    "top1": "accuracy",
    "top5": "top-5",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "auc_roc": "AUC",
    "log_loss": "log loss",
    "ece": "ECE",
}


def scores_section(evidence: Evidence) -> Section:
    """Return metrics of all splits, and those of each class on the measured one."""
    some, said = extreme_classes(evidence, CLASSES)
    blocks: list[Block] = [_splits(evidence), _classes(evidence, some, said)]
    if said:
        blocks.append(_all_classes(evidence))
    blocks.append(Verbatim("The same as plain text, as scikit-learn prints it", as_text(evidence)))
    return Section(
        "scores",
        "How good it is",
        "Recall is the share of a class that is found, precision the share of answers that are "
        "right, F1 their harmonic mean; support is the number of images measured.",
        tuple(blocks),
    )


def as_text(evidence: Evidence) -> str:
    """Return the numbers by class as scikit-learn's ``classification_report`` prints them."""
    scores, names = evidence.scores, evidence.classes
    rows = [
        (
            named(names[i]),
            scores.precision[i],
            scores.recall[i],
            scores.f1[i],
            int(scores.support[i]),
        )
        for i in range(len(names))
        if scores.occurs[i] or evidence.multi
    ][:ALL]
    width = max(len("weighted avg"), *(len(name) for name, *_ in rows))
    total = int(scores.support.sum())
    head = f"{'':>{width}} " + "".join(f" {c:>9}" for c in ("precision", "recall", "f1-score"))
    lines = [f"{head}   support", ""]
    lines += [f"{n:>{width}} " + "".join(f" {v:>9.3f}" for v in (p, r, f)) + f" {s:>9}"
              for n, p, r, f, s in rows]  # fmt: skip
    lines.append("")
    if not evidence.multi:
        right = float(evidence.right.mean())
        lines.append(f"{'accuracy':>{width}} " + " " * 20 + f" {right:>9.3f} {total:>9}")
    for name, means in scores.means.items():
        lines.append(f"{name:>{width}} " + "".join(f" {v:>9.3f}" for v in means) + f" {total:>9}")
    return "\n".join(lines)


def _splits(evidence: Evidence) -> Table:
    measured = {s: m for s, m in evidence.card.metrics.items() if "top1" in m}
    shown = [k for k in METRICS if any(m.get(k) is not None for m in measured.values())]
    rows = tuple(
        (
            named(split_name(split)),
            *(f"{m[k]:,}" if k == "n" else number(m.get(k)) for k in shown),
        )
        for split, m in measured.items()
    )
    columns = ("split", *(METRICS[key] for key in shown))
    title = "When the head was fitted; precision, recall, F1 and AUC are means over the classes"
    return Table(title, columns, rows, "l" + "r" * len(shown))


def _classes(evidence: Evidence, some: list[int], said: str) -> Table:
    some = sorted(some, key=lambda i: (evidence.scores.f1[i], i))
    rows = [_class(evidence, i) for i in some]
    images = counted(len(evidence.rows), f"{evidence.measured} image")
    title = f"By class, on {images}, the weakest first"
    total = f"{int(evidence.scores.support.sum()):,}"
    means = []
    if not evidence.multi:
        means.append(("accuracy", "", "", number(float(evidence.right.mean())), total, "", "", ""))
    for name, (precision, recall, f1) in evidence.scores.means.items():
        numbers = number(precision), number(recall), number(f1)
        means.append((name, *numbers, total, "", "", ""))
    columns = ("class", "precision", "recall", "F1", "support", "answered", "AUC", "avg. precision")
    align = "lrrwrrrr"
    return Table(f"{title}. {said}".rstrip(" ."), columns, (*rows, *means), align, len(means))


def _all_classes(evidence: Evidence) -> Table:
    shown = min(ALL, len(evidence.classes))
    rows = tuple(_class(evidence, i) for i in range(shown))
    title = "All classes" if shown == len(evidence.classes) else f"The first {shown:,} classes"
    columns = ("class", "precision", "recall", "F1", "support", "answered", "AUC", "avg. precision")
    return Table(title, columns, rows, "lrrwrrrr", folded=True)


def _class(evidence: Evidence, i: int) -> tuple[Cell, ...]:
    scores = evidence.scores
    f1 = float(scores.f1[i])
    areas = (scores.auc_roc[i], scores.average_precision[i])
    return (
        named(evidence.classes[i]),
        number(float(scores.precision[i])),
        number(float(scores.recall[i])),
        Bar(number(f1), ((f1, "right"),)),
        f"{int(scores.support[i]):,}",
        f"{int(scores.answers[i]):,}",
        *(number(None if math.isnan(area) else float(area)) for area in areas),
    )
