"""``label-issues``: one ranked list of the labels that are probably wrong, with the evidence.

The score of a label is 1 minus the probability on which the head and the nearest images agree,
after both were heard again without the labels that are wrong beyond doubt. Each step is there
because it ranked flipped labels of digits, dogs and land use, at random or to the class most
like, better than without it; ``benchmarks/label_issues.py`` measures the whole on other images:

- Neighbours and head err differently, and what both doubt is wrong more often.
- A head that has learnt from wrong labels believes some of them. If a class is often taken for
  one other, leaving out the confident errors and fitting again is worth more than all else.
- Near-duplicates need no rule of their own: by their weight among the neighbours, they outvote
  the rest, unless they are suspected themselves. Of two that contradict each other the one whose
  label the head believes stays, and the other is named.

Only where the rows of a source contradict each other about one and the same file, a label is
wrong for certain: the score is 1, until a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from icehouse.heads import (
    StoredHead,
    datasets_of,
    folds_of,
    out_of_fold,
    training_set,
)
from icehouse.review._contradictions import contradictions
from icehouse.review._issue_evidence import Trial, make_issue
from icehouse.review._issue_records import LabelIssueReport
from icehouse.review._witnesses import FloatArray, Nearest, agreed, confident_errors, trusted
from icehouse.store import Store, positions

IntArray = npt.NDArray[np.int64]

WEAK = 0.7
"""Share of a class that a head has to find out-of-fold, as a mean over classes, to be believed."""


def label_issues(
    store: Store, stored: StoredHead, *, folds: int = 5, min_score: float = 0.5
) -> LabelIssueReport:
    """Rank the labels of a task by how probable it is that they are wrong.

    All labelled images are judged, by probabilities of heads that were not fitted on them;
    nothing is changed. In a multi-label task each label of an image, given or not, is judged for
    itself. A label that one image alone has cannot be judged, and is left out with a note.

    Parameters
    ----------
    store : Store
    stored : StoredHead
        Its out-of-fold probabilities are one witness; it is fitted again, but not stored.
    folds : int
        For out-of-fold probabilities that have to be computed.
    min_score : float
        Labels that are wrong with at least this probability are listed.

    Returns
    -------
    LabelIssueReport

    Raises
    ------
    TrainingDataError
        Too few labelled images for the folds, or all of them with the same features.
    """
    trial = _try(store, stored, folds)
    rows, columns, scores = _scored(trial)
    listed = np.flatnonzero(scores >= min_score)
    listed = listed[np.argsort(-scores[listed], kind="stable")]
    return LabelIssueReport(
        task=stored.card.task,
        head=stored.card.name,
        encoder_id=stored.card.encoder_id,
        images=len(trial.data),
        issues=[make_issue(trial, rows[i], columns[i], float(scores[i])) for i in listed],
        notes=tuple(_notes(trial, len(listed))),
    )


def _try(store: Store, stored: StoredHead, folds: int) -> Trial:
    card, multi_label = stored.card, stored.head.multi_label_
    data = training_set(store, card)
    honest = folds_of(store, stored, folds=folds)
    head = honest.proba[positions(data.ids, honest.ids)]
    given = data.y if multi_label else (data.y[:, None] == stored.classes).astype(np.int64)
    near = Nearest.among(data.X)
    everyone = np.ones(len(data), bool)
    both = agreed(head, near.votes(given, everyone), multi_label=multi_label)
    found = _found(stored, head, given)
    suspected = confident_errors(both, given, multi_label=multi_label)
    heard = trusted(suspected, given, honest.folds)
    if not heard.all():
        head = out_of_fold(
            stored.head,
            data,
            stored.classes,
            folds=honest.folds,
            seed=int(card.training["seed"]),
            teaching=heard,
        ).proba
        both = agreed(head, near.votes(given, heard), multi_label=multi_label)
    datasets = datasets_of(store, card.task, card.training["dataset"])
    contradicted = {} if multi_label else contradictions(store, card.task, datasets)
    places = store.places(datasets)
    return Trial(stored, data, given, near, heard, found, head, both, contradicted, places)


def _found(stored: StoredHead, proba: FloatArray, given: IntArray) -> float:
    """Return which share of a class a head finds, as a mean over those that can be judged."""
    answers, images = stored.decide(proba), given.sum(axis=0)
    answered = answers == 1 if answers.ndim == 2 else answers[:, None] == stored.classes
    judged = images > 1
    found = (answered & (given == 1)).sum(axis=0)[judged] / images[judged]
    return float(found.mean()) if judged.any() else 1.0


def _notes(trial: Trial, listed: int) -> Iterator[str]:
    alone = trial.stored.classes[trial.given.sum(axis=0) == 1].tolist()
    if alone:
        yield f"labels of one image only, which cannot be judged: {', '.join(alone)}"
    if listed and trial.found < WEAK:
        yield (
            f"out-of-fold the head finds only {trial.found:.0%} of the images of a class (mean "
            "over the classes), so expect many of these to be its own mistakes, not wrong labels"
        )


def _scored(trial: Trial) -> tuple[IntArray, IntArray, npt.NDArray[np.float64]]:
    """Return rows and columns of the labels that can be judged, and how wrong they are."""
    given = trial.given == 1
    certain = np.array([image.tobytes() in trial.contradicted for image in trial.data.ids])
    judged = given & ((given.sum(axis=0) > 1) | certain[:, None])
    if trial.stored.head.multi_label_:
        judged |= ~given
    rows, columns = np.nonzero(judged)
    wrong = np.abs(trial.given - trial.both)[rows, columns]
    return rows, columns, np.where(certain[rows], 1.0, wrong)
