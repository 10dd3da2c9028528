"""Classes of unlike sizes: what is fitted to, so that the small ones count as much."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from icehouse.embedder import spoken
from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads._base import AnyArray, FloatArray, IntArray
from icehouse.heads._data import LabelledSet, strata_of
from icehouse.heads._views import Views
from icehouse.store import Store, positions

NONE, WEIGHTS, OVER, UNDER, VIEWS = BALANCES = ("none", "weights", "over", "under", "views")


@dataclass(frozen=True)
class Chosen:
    """What a head is fitted to.

    Attributes
    ----------
    X : array, shape (m, D)
    y : array, shape (m,) or (m, n_classes)
    weight : array of float, shape (m,), or None
    groups : array of int64, shape (m,), or None
        The image that each row comes of, where one may have several.
    """

    X: FloatArray
    y: AnyArray
    weight: FloatArray | None = None
    groups: IntArray | None = None


def check_balance(balance: str) -> str:
    """Return the name of a way to balance classes, or refuse it."""
    if balance not in BALANCES:
        raise UsageError(f"classes are balanced by one of {', '.join(BALANCES)}; got {balance!r}")
    return balance


def named(kind: str, balance: str) -> str:
    """Return what a head that was fitted on balanced classes is called."""
    return kind if balance == NONE else f"{kind}, {balance}"


def balanced(target: IntArray) -> FloatArray:
    """Return weights of which every class gets the same sum.

    Parameters
    ----------
    target : array of int, shape (n,), or of 0 and 1, shape (n, n_classes)

    Returns
    -------
    array of float64
        Of the shape of ``target``; n / (n_classes · images of the class), as "balanced" in
        scikit-learn. Of an indicator each column is on its own, with the two classes yes and no.

    Examples
    --------
    >>> balanced(np.array([0, 0, 0, 1]))
    array([0.66666667, 0.66666667, 0.66666667, 2.        ])
    """
    if target.ndim == 2:
        return np.stack([balanced(column) for column in target.T], axis=1)
    _, number, count = np.unique(target, return_inverse=True, return_counts=True)
    return np.asarray((len(target) / (len(count) * count))[number])


def choose_rows(data: LabelledSet, where: npt.NDArray[np.bool_], balance: str, seed: int) -> Chosen:
    """Return what to fit to: some images of a set, balanced.

    In multi-label an image counts for its rarest label.

    Parameters
    ----------
    data : LabelledSet
        With views, for "views".
    where : array of bool, shape (n,)
        The images that train; nothing of the others is used.
    balance : str
        One of ``BALANCES``.
    seed : int
        Of what is drawn.
    """
    rows = np.flatnonzero(where)
    strata = strata_of(data)[rows]
    if balance == WEIGHTS:
        return Chosen(data.X[rows], data.y[rows], balanced(strata))
    if balance in (OVER, UNDER) and len(rows):
        rows = rows[_drawn(strata, balance, seed)]
        return Chosen(data.X[rows], data.y[rows], groups=rows)
    if balance == VIEWS and len(rows):
        wanted = np.zeros(len(data), np.int64)
        wanted[rows] = _lacking(strata)
        views = data.views
        if views is not None:
            used = views.number <= wanted[views.row]
            every = np.concatenate([rows, views.row[used]])
            X = np.concatenate([data.X[rows], views.X[used]])  # noqa: N806
            return Chosen(X, data.y[every], groups=every)
    return Chosen(data.X[rows], data.y[rows])


def with_views(store: Store, data: LabelledSet) -> LabelledSet:
    """Return a set with the stored views of the images of all classes but the largest.

    Raises
    ------
    TrainingDataError
        There are none, and the classes are of unlike sizes.
    """
    lacking = _lacking(strata_of(data))
    if not lacking.any():
        return data
    features = store.features(data.encoder_id)
    found, number = features.load_views(data.ids[lacking > 0])
    if not len(found):
        raise TrainingDataError(
            "the store has no augmented views of the smaller classes. Make them first: "
            f"icehouse embed SOURCE --encoder {spoken(features.card)} --views {lacking.max()} "
            "--views-for minority"
        )
    row = positions(found.ids, data.ids)
    return replace(data, views=Views(row, number.astype(np.int64), found.vectors))


def describe(chosen: Chosen, images: int, balance: str) -> list[str]:
    """Return what is to be said of the rows that a head was fitted to."""
    if chosen.groups is None:
        return []
    used = len(np.unique(chosen.groups))
    return [f"classes balanced ({balance}): trained on {len(chosen.y)} rows of {used} images"] + (
        [f"{images - used} images of larger classes were not trained on"] if used < images else []
    )


def _lacking(strata: npt.NDArray[np.generic]) -> IntArray:
    """Return how many views beside itself an image takes to bring its class to the largest."""
    _, number, count = np.unique(strata, return_inverse=True, return_counts=True)
    return np.asarray(np.round(count.max() / count).astype(np.int64)[number] - 1)


def _drawn(strata: npt.NDArray[np.generic], balance: str, seed: int) -> IntArray:
    """Return rows of which each class has as many as the largest, or the smallest one."""
    random = np.random.default_rng(seed)
    _, number, count = np.unique(strata, return_inverse=True, return_counts=True)
    drawn = []
    for stratum in range(len(count)):
        members = np.flatnonzero(number == stratum)
        if balance == OVER:  # every image once at least
            more = random.choice(members, count.max() - len(members))
            drawn += [members, more]
        else:
            drawn.append(random.choice(members, count.min(), replace=False))
    return np.sort(np.concatenate(drawn))
