"""What a head is to be fitted on, and how it is to be measured."""

from __future__ import annotations

from dataclasses import dataclass

from icehouse.heads._balance import NONE, check_balance
from icehouse.heads._fractions import Fractions
from icehouse.heads._settings import check_seed
from icehouse.heads._settle import Wishes


@dataclass(frozen=True)
class FitOptions:
    """What to fit on, and how to measure.

    Attributes
    ----------
    task, encoder, dataset : str or None
        None: the only one (of datasets: all).
    name : str or None
        Of the head in the store; by default its kind.
    fractions : Fractions or None
        Of the split, where the source gives none.
    folds : int
        Also cross-validate with so many folds; 0 for not.
    seed : int
        Of the split, of the head, and of what balancing draws.
    balance : {"none", "weights", "over", "under", "views"}
        How classes of unlike sizes are made to count the same: by weights of the images, by
        drawing from the small ones again, by leaving out of the large ones, or by the stored
        views of images of the small ones. Only what trains is balanced.
    of : tuple of str
        The heads that an ensemble is made of. It takes encoder, dataset, split and balance from
        them.
    group_duplicates : bool
        Keep copies of a picture on one side of the split, where the source gives none, and in one
        fold. They are found by thumbnails (see :func:`icehouse.review.find_duplicates`).
    notes : tuple of str
        For the card, before those of the fit: how its settings were found.
    calibrate, threshold, coverage
        See :class:`Wishes`.
    """

    task: str | None = None
    encoder: str | None = None
    dataset: str | None = None
    name: str | None = None
    fractions: Fractions | None = None
    folds: int = 0
    seed: int = 0
    balance: str = NONE
    calibrate: str = "temperature"
    threshold: str | None = None
    coverage: float | None = None
    of: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    group_duplicates: bool = False

    def __post_init__(self) -> None:
        check_balance(self.balance)
        check_seed(self.seed)
        self.wishes  # noqa: B018  (refuses what cannot be)

    @property
    def wishes(self) -> Wishes:
        """What is settled after the fit."""
        return Wishes(self.calibrate, self.threshold, self.coverage)
