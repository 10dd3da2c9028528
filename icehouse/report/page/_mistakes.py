"""The worst mistakes, and the flags, as pictures."""

from __future__ import annotations

import numpy as np

from icehouse.report.page._blocks import (
    Bar,
    Block,
    Gallery,
    Picture,
    Section,
    Table,
    Words,
    counted,
    named,
)
from icehouse.report.page._choice import contradicted, labels_of
from icehouse.report.page._evidence import Evidence
from icehouse.report.page._known_flags import KnownFlag

WORST = 21  # three rows of the page
NAME = 28


def mistakes_section(evidence: Evidence) -> Section:
    """Return wrong answers, the surest first."""
    sure = contradicted(evidence)
    wrong = np.flatnonzero(~evidence.right)
    rows = wrong[np.argsort(-sure[wrong], kind="stable")][:WORST]
    blocks: list[Block] = [Words("There is none: all answers are right.")]
    if len(rows):
        title = counted(len(wrong), "wrong answer")
        title = f"{len(rows)} of {title}" if len(rows) < len(wrong) else title
        pictures = tuple(_mistake(evidence, int(row), float(sure[row])) for row in rows)
        blocks = [Gallery(title, pictures, "its label → the answer and how sure it was")]
    return Section(
        "mistakes",
        "The worst mistakes",
        "Wrong answers of which the head was surest. Where a picture agrees with it, the label "
        "is wrong, and the numbers of this page are too low.",
        tuple(blocks),
    )


def flags_section(evidence: Evidence) -> Section:
    """Return what ``icehouse flag`` found, by reason, and the first images."""
    card, flags = evidence.card, evidence.flags
    reading = (
        "Images that a person should look at again, because head, neighbours or other heads "
        "contradict their label or each other."
    )
    if flags is None:
        text = (
            "Not looked for yet. They are made by: icehouse flag "
            f"--task {named(card.task)} --head {named(card.name)}"
        )
        return Section("flags", "Flags", reading, (Words(text),))
    text = f"{counted(flags.count, 'image')} flagged when icehouse flag was last run."
    if flags.relabelled:
        text += (
            f" {counted(flags.relabelled, 'of them has', 'of them have')} got another label since."
        )
    most = max(flags.reasons.values(), default=1)
    rows = tuple(
        (named(name), Bar(f"{count:,}", ((count / most, "wrong"),)))
        for name, count in flags.reasons.items()
    )
    blocks: list[Block] = [Words(text)]
    if rows:
        blocks.append(
            Table("By reason; an image can have several", ("reason", "images"), rows, "lW")
        )
    pictures = tuple(_flagged(evidence, flag) for flag in flags.first)
    if pictures:
        text = "in the order of that run: label → answer, and how far all speak against the label"
        blocks.append(Gallery(f"The first {len(pictures)}", pictures, text))
    return Section("flags", "Flags", reading, tuple(blocks))


def _flagged(evidence: Evidence, flag: KnownFlag) -> Picture:
    short = evidence.short
    labels = None if flag.labels is None else [short.get(name, name) for name in flag.labels]
    said = "no label" if labels is None else ", ".join(labels) or "none"
    answer = named(", ".join(short.get(name, name) for name in flag.predicted) or "none", NAME)
    return evidence.album.picture(
        flag.image_id,
        (named(said, NAME), "label"),
        (f"→\N{NO-BREAK SPACE}{answer} {flag.probability:.2f}", "wrong"),
        (f"doubt {flag.doubt:.2f}", "quiet"),
    )


def _mistake(evidence: Evidence, row: int, sure: float) -> Picture:
    truth, answered = evidence.truth[row], evidence.answered[row]
    lines = [(named(labels_of(evidence, truth), NAME), "label")]
    if evidence.multi:
        for marks, word in ((truth & ~answered, "missed"), (answered & ~truth, "added")):
            if marks.any():
                lines.append((f"{word} {named(labels_of(evidence, marks), NAME)}", "wrong"))
        lines.append((f"p = {sure:.2f}", "quiet"))
    else:
        lines.append(
            (f"→\N{NO-BREAK SPACE}{named(labels_of(evidence, answered), NAME)} {sure:.2f}", "wrong")
        )
    return evidence.album.picture(evidence.image(row), *lines)
