"""``flag``: name the images that a person should look at again, and why.

The order is by *doubt*: how far the head, its nearest labelled neighbours and the other heads
speak against the label that an image has (or, without one, against the head's own answer),
averaged. An image with a wrong label has a doubt near 1, one on the border about 0.5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from icehouse.errors import UsageError
from icehouse.heads import StoredHead, datasets_of, folds_of
from icehouse.review import _reasons
from icehouse.review._beyond import sets_of, unfamiliar
from icehouse.review._committee import committee_of
from icehouse.review._honest import honest_proba
from icehouse.review._judged import Judged, indicator, judge, sure_of
from icehouse.review._neighbours import Neighbour, near_labelled
from icehouse.review._reasons import FlagSettings, Reason
from icehouse.review._records import Flag, FlagReport
from icehouse.store import (
    Place,
    Store,
)

DOUBT, AMBIGUITY = "doubt", "ambiguity"
OUT_OF_FOLD, PREDICTED = "out-of-fold", "predicted"


def flag(
    store: Store,
    stored: StoredHead,
    settings: FlagSettings | None = None,
    *,
    committee: Sequence[str] | None = None,
    folds: int = 5,
    order: str = DOUBT,
) -> FlagReport:
    """Flag images of a task.

    All images are looked at that have features of the head's encoder and stand in a dataset
    with labels of the task. Labelled ones are judged by out-of-fold probabilities.

    Parameters
    ----------
    store : Store
    stored : StoredHead
    settings : FlagSettings, optional
    committee : sequence of str, optional
        Heads that are asked too. By default the other heads of the task and encoder; with an
        empty sequence none.
    folds : int
        For out-of-fold probabilities that have to be computed.
    order : {"doubt", "ambiguity"}
        Most doubtful first, or nearest to a draw first.

    Returns
    -------
    FlagReport

    Raises
    ------
    TrainingDataError
        Too few labelled images for the folds.
    UsageError
        No such order, a coverage of a head that has no scores for sets, or a committee with the
        head itself.
    """
    if order not in (DOUBT, AMBIGUITY):
        raise UsageError(f"flags are ordered by {DOUBT} or {AMBIGUITY}, not by {order!r}")
    settings = settings or FlagSettings()
    images = judge(store, stored, folds)
    others = committee_of(store, stored, committee)
    votes = _votes(store, others, images, stored, folds)
    found = near_labelled(store, stored, images.features, settings.neighbours)
    reasons = _all_reasons(stored, images, votes, found.shares, settings)
    reasons += sets_of(stored, images.proba, settings)[1]
    if far := unfamiliar(store, stored, images.features):
        reasons.append(far)
    evidence = [images.proba, found.shares, *([np.mean(votes, axis=0)] if votes else [])]
    doubt = np.mean([_reasons.contradiction(e, images.given) for e in evidence], axis=0)
    flagged = np.any([reason.counts for reason in reasons], axis=0)
    rank = (
        -doubt
        if order == DOUBT
        else _reasons.draw_distance(
            images.proba, stored.threshold, multi_label=stored.head.multi_label_
        )
    )
    rows = np.flatnonzero(flagged)[np.argsort(rank[flagged], kind="stable")]
    card = stored.card
    places = store.places(prefer=datasets_of(store, card.task, card.training["dataset"]))
    flags = [
        _make_flag(row, stored, images, reasons, doubt, found.of(row, places), places)
        for row in rows
    ]
    counts = Counter(name for each in flags for name in each.reasons)
    return FlagReport(
        task=stored.card.task,
        head=stored.card.name,
        encoder_id=stored.card.encoder_id,
        images=len(images.ids),
        flags=flags,
        counts={reason.name: counts[reason.name] for reason in reasons},
        committee=tuple(other.card.name for other in others),
    )


def _votes(
    store: Store, others: list[StoredHead], images: Judged, stored: StoredHead, folds: int
) -> list[npt.NDArray[np.int64]]:
    """Return the answers of each other head, as indicators of shape (n, n_classes)."""
    votes = []
    for other in others:
        proba, _ = honest_proba(other, folds_of(store, other, folds=folds), images.features)
        votes.append(indicator(stored, other.decide(proba)))
    return votes


def _all_reasons(
    stored: StoredHead,
    images: Judged,
    votes: list[npt.NDArray[np.int64]],
    shares: npt.NDArray[np.float32],
    settings: FlagSettings,
) -> list[Reason]:
    head = stored.head
    reasons = _reasons.uncertainty(
        images.proba, stored.threshold, settings, multi_label=head.multi_label_
    )
    label = _reasons.label_unlikely(
        images.proba, images.given, settings, multi_label=head.multi_label_
    )
    reasons.append(
        Reason(label.name, label.strength * images.labelled, label.counts & images.labelled)
    )
    if votes:
        differ = np.mean([(vote != images.answered).any(axis=1) for vote in votes], axis=0)
        counts = differ >= settings.min_disagreement
        reasons.append(Reason(_reasons.HEADS, differ, counts))
    around = _reasons.contradiction(shares, images.given)
    counts = around >= settings.min_disagreement
    reasons.append(Reason(_reasons.NEIGHBOURS, around, counts))
    return reasons


def _make_flag(
    row: int,
    stored: StoredHead,
    images: Judged,
    reasons: list[Reason],
    doubt: npt.NDArray[np.floating],
    neighbours: tuple[Neighbour, ...],
    places: dict[bytes, Place],
) -> Flag:
    place = places[images.ids[row].tobytes()]
    proba, answer = images.proba[row], images.answered[row]
    sure = sure_of(stored, proba[None], answer[None])[0]
    given = tuple(stored.classes[images.given[row] == 1].tolist())
    return Flag(
        image_id=place.image_id.hex(),
        dataset=place.dataset,
        key=place.key,
        source=place.source,
        path=str(place.path) if place.path else None,
        labels=given if images.labelled[row] else None,
        predicted=tuple(stored.classes[answer == 1].tolist()),
        probability=float(sure),
        probabilities={name: float(p) for name, p in zip(stored.card.classes, proba, strict=True)},
        doubt=float(doubt[row]),
        reasons={r.name: float(r.strength[row]) for r in reasons if r.counts[row]},
        neighbours=neighbours,
        origin=OUT_OF_FOLD if images.folded[row] else PREDICTED,
    )
