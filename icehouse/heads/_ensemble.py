"""An ensemble: what several heads say, averaged, or weighed by a head on top of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from icehouse.errors import TrainingDataError
from icehouse.heads._base import AnyArray, FloatArray, Head, IntArray, Rows
from icehouse.heads._calibration import Calibration
from icehouse.heads._logistic import LogisticHead
from icehouse.heads._settings import Limit, between, one_of

ENSEMBLE = "ensemble"
VOTE, STACK = METHODS = ("vote", "stack")
FOLDS = 5
FLOOR = 1e-4  # the least probability that is told from none: a forest says 0 of what it never saw


@dataclass(frozen=True)
class Member:
    """A head of an ensemble.

    Attributes
    ----------
    name : str
    weights_sha256 : str
        Of what is stored under that name.
    head : Head
        Fitted; a clone of it is not, as of any estimator.
    calibration : Calibration
    columns : slice
        Of the features that the ensemble gets, those that are the member's own.
    """

    name: str
    weights_sha256: str
    head: Head
    calibration: Calibration
    columns: slice

    def __sklearn_clone__(self) -> Self:
        return replace(self, head=clone(self.head))

    def fit(self, X: FloatArray, y: AnyArray, rows: Rows) -> Self:  # noqa: N803
        """Return a member that is fitted to its columns of features; itself is left as it is."""
        again = clone(self.head).fit(X[:, self.columns], y, rows.weight, rows.groups)
        return replace(self, head=again)

    def predict_proba(self, X: FloatArray) -> FloatArray:  # noqa: N803
        """Return its probabilities, not calibrated."""
        return self.head.predict_proba(X[:, self.columns])


class EnsembleHead(Head):
    """Soft vote of heads, or stacking (Wolpert 1992, "Stacked generalization").

    Members that are fitted already are taken as they are. A clone, as one is fitted for each fold
    of a cross-validation, has members that are not, and fits them too.

    Parameters
    ----------
    members : tuple of Member
    method : {"vote", "stack"}
        "vote": the mean of the members' calibrated probabilities. "stack": logistic regression
        on the logarithms of their probabilities, fitted to what they say of images that they were
        not fitted on, by five folds of what the ensemble is fitted to; its strength is chosen by
        cross-validation.
    threshold : float
        Of the second of two classes, and of each label in multi-label.
    """

    kind = ENSEMBLE
    limits: ClassVar = {
        "members": Limit("given by name: --of mlp,logistic", lambda v: isinstance(v, tuple)),
        "method": one_of(*METHODS),
        "threshold": between(0, 1),
    }

    def __init__(
        self, members: tuple[Member, ...] = (), method: str = VOTE, threshold: float = 0.5
    ) -> None:
        self.members = members
        self.method = method
        self.threshold = threshold

    def settings(self) -> dict[str, Any]:
        """Return the parameters with members as checksums of their weights, by name."""
        members = {member.name: member.weights_sha256 for member in self.members}
        return {**super().settings(), "members": members}

    def _fit(self, X: FloatArray, target: IntArray, rows: Rows) -> None:  # noqa: N803
        y = target if self.multi_label_ else self.classes_[target]
        if self.method == STACK:
            self.stacker_ = LogisticHead(C="auto")
            self.stacker_.fit(self._unseen(X, y, rows), y, rows.weight)
        self.members_ = tuple(
            member if hasattr(member.head, "classes_") else member.fit(X, y, rows)
            for member in self.members
        )

    def _unseen(self, X: FloatArray, y: AnyArray, rows: Rows) -> FloatArray:  # noqa: N803
        """Return what members fitted on the other folds say: see :func:`_opinions`."""
        fold = _folds(y, rows)
        said = np.zeros((len(self.members), len(X), len(self.classes_)), np.float32)
        for number in np.unique(fold):
            held = fold == number
            others = Rows(*(None if of is None else of[~held] for of in (rows.weight, rows.groups)))
            for place, member in zip(said, self.members, strict=True):
                try:
                    fitted = member.fit(X[~held], y[~held], others)
                except TrainingDataError as error:
                    raise TrainingDataError(
                        f"too few images to stack heads, which takes {FOLDS} folds of the training "
                        f"split: {error}. Or let them vote: --set method={VOTE}"
                    ) from error
                columns = np.searchsorted(self.classes_, fitted.head.classes_)
                place[np.ix_(held, columns)] = fitted.predict_proba(X[held])
        return _opinions(said, multi_label=self.multi_label_)

    def found(self) -> dict[str, float]:
        """See :meth:`Head.found`: the strength of the stack."""
        return self.stacker_.found() if self.method == STACK else {}

    def _predict_proba(self, X: FloatArray) -> FloatArray:  # noqa: N803
        said = [member.predict_proba(X) for member in self.members_]
        if self.method == STACK:
            opinions = _opinions(said, multi_label=self.multi_label_)
            return self.stacker_.predict_proba(opinions)
        honest = [
            member.calibration(proba, multi_label=self.multi_label_)
            for member, proba in zip(self.members_, said, strict=True)
        ]
        return np.asarray(np.mean(honest, axis=0))

    def to_arrays(self) -> dict[str, AnyArray]:
        """See :meth:`Head.to_arrays`; members are stored under their own names."""
        return self.stacker_.to_arrays() if self.method == STACK else {}

    def from_arrays(self, arrays: Mapping[str, AnyArray]) -> None:
        """See :meth:`Head.from_arrays`."""
        self.members_ = self.members
        if self.method == STACK:
            self.stacker_ = LogisticHead(C="auto")
            self.stacker_.classes_, self.stacker_.multi_label_ = self.classes_, self.multi_label_
            self.stacker_.n_features_in_ = len(self.members) * len(self.classes_)
            self.stacker_.from_arrays(arrays)


def place_members(widths: Iterable[tuple[str, int]]) -> list[slice]:
    """Return which columns each member reads, of features of all their encoders side by side.

    Parameters
    ----------
    widths : iterable of (str, int)
        Encoder and dimension, for each member.

    Examples
    --------
    >>> place_members([("a", 2), ("b", 3), ("a", 2)])
    [slice(0, 2, None), slice(2, 5, None), slice(0, 2, None)]
    """
    places: dict[str, slice] = {}
    end = 0
    found = []
    for encoder_id, width in widths:
        if encoder_id not in places:
            places[encoder_id] = slice(end, end := end + width)
        found.append(places[encoder_id])
    return found


def _opinions(said: Sequence[FloatArray] | FloatArray, *, multi_label: bool) -> FloatArray:
    """Return logarithms of probabilities, or log-odds of labels, of all members side by side."""
    proba = np.clip(np.concatenate(list(said), axis=1), FLOOR, 1 - FLOOR)
    return np.asarray(np.log(proba / (1 - proba) if multi_label else proba), dtype=np.float32)


def _folds(y: AnyArray, rows: Rows) -> npt.NDArray[np.int64]:
    """Deal images out to folds, class by class; rows of one image are in the same fold."""
    groups = np.arange(len(y)) if rows.groups is None else rows.groups
    _, first, image = np.unique(groups, return_index=True, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(first))
    stratum = np.unique(y[first], axis=0, return_inverse=True)[1].reshape(-1)
    order = order[np.argsort(stratum[order], kind="stable")]
    fold = np.empty(len(first), np.int64)
    fold[order] = np.arange(len(first)) % min(FOLDS, len(first))
    return fold[image]
