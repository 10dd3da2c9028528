"""Which stored heads can be an ensemble, and what it is fitted on: what they were fitted on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from icehouse.errors import TrainingDataError, UsageError
from icehouse.heads._balance import VIEWS
from icehouse.heads._card import HeadCard
from icehouse.heads._data import LabelledSet
from icehouse.heads._ensemble import ENSEMBLE, EnsembleHead
from icehouse.heads._fit_options import FitOptions
from icehouse.heads._fractions import Fractions
from icehouse.heads._honest import balance_of, groups_of, training_set
from icehouse.heads._stored import ensemble_of, load_head
from icehouse.store import Store, positions

SHARED = ("dataset", "fractions", "seed", "balance", "group_duplicates")


def assemble(
    store: Store, task: str, settings: Mapping[str, Any] | None, options: FitOptions
) -> tuple[EnsembleHead, LabelledSet, FitOptions]:
    """Return an ensemble of fitted heads, not fitted itself, and what it is to be fitted on.

    Every member has to know the same images for its training images: what one of them has
    memorised would be measured, or learnt from, as if it were an opinion.

    Parameters
    ----------
    store : Store
    task : str
    settings : mapping, optional
        "method" and "threshold".
    options : FitOptions
        ``of`` names the members.

    Returns
    -------
    head : EnsembleHead
    data : LabelledSet
        With features of the encoders of all members, side by side.
    options : FitOptions
        With what the members were fitted on.

    Raises
    ------
    LookupFailed
        The task has no such head.
    UsageError
        Less than two members, or one that cannot be one; or what they say already.
    TrainingDataError
        Members of different classes or images, or whose labels have changed since.
    """
    _refuse(options)
    stored = [load_head(store, task, name) for name in options.of]
    cards = [each.card for each in stored]
    _check_alike(cards)
    first = _shared(cards[0])
    fractions = Fractions(**first["fractions"]) if first["fractions"] else None
    if options.seed not in (0, first["seed"]):
        raise UsageError(
            f"an ensemble has the seed of its members, which is {first['seed']}: leave out --seed"
        )
    data = _common_data(store, cards)
    options = replace(
        options,
        dataset=first["dataset"],
        fractions=fractions,
        seed=int(first["seed"]),
        balance=str(first["balance"]),
        group_duplicates=bool(first["group_duplicates"]),
    )
    return ensemble_of(stored, settings), data, options


def _refuse(options: FitOptions) -> None:
    if len(set(options.of)) < 2:
        raise UsageError(
            "an ensemble is made of 2 different heads or more, by their names: "
            f"--of mlp,logistic; got {','.join(options.of) or 'none'}"
        )
    if len(set(options.of)) < len(options.of):
        raise UsageError(f"a head is named twice: --of {','.join(options.of)}")
    if (options.name or ENSEMBLE) in options.of:
        raise UsageError(
            f"an ensemble called {options.name or ENSEMBLE!r} would replace a head that it is made "
            "of: give it another --name"
        )
    plain = FitOptions()
    for name in ("encoder", "dataset", "fractions", "balance", "group_duplicates"):
        if getattr(options, name) != getattr(plain, name):
            option = "split" if name == "fractions" else name.replace("_", "-")
            raise UsageError(
                f"an ensemble is fitted on what its members were fitted on: leave out --{option}"
            )


def _check_alike(cards: Sequence[HeadCard]) -> None:
    one = cards[0]
    for card in cards:
        if card.members:
            raise UsageError(
                f"head {card.name!r} is an ensemble, of which none is made. Name the heads that it "
                f"is made of: {','.join(card.members)}"
            )
        if card.classes != one.classes:
            raise TrainingDataError(
                f"heads of different classes are no ensemble: {one.name!r} has "
                f"{', '.join(one.classes)}, and {card.name!r} {', '.join(card.classes)}. "
                f"Fit them again on the same images"
            )
        for what in SHARED:
            said, other = (_shared(each)[what] for each in (one, card))
            if said != other:
                raise TrainingDataError(
                    f"heads that trained on different images are no ensemble: {one.name!r} has "
                    f"{what} {said}, and {card.name!r} {other}. Fit one of them again"
                )


def _shared(card: HeadCard) -> dict[str, Any]:
    kept = {"balance": balance_of(card), "group_duplicates": groups_of(card)}
    training = {**card.training, **kept}
    return {what: training.get(what) for what in SHARED}


def _common_data(store: Store, cards: Sequence[HeadCard]) -> LabelledSet:
    by_encoder = {card.encoder_id: card for card in cards}
    if len(by_encoder) > 1 and balance_of(cards[0]) == VIEWS:
        raise UsageError("heads of several encoders that were balanced by views are no ensemble")
    sets = {name: training_set(store, card) for name, card in by_encoder.items()}
    for card in cards:
        if sets[card.encoder_id].digest != card.training["digest"]:
            raise TrainingDataError(
                f"labels or images have changed since head {card.name!r} was fitted. Fit it "
                f"again: {card.command}"
            )
    if len(sets) == 1:
        return sets[cards[0].encoder_id]
    joint = training_set(store, replace(cards[0], encoder_id="+".join(sets)))
    for name, own in sets.items():
        at = positions(joint.ids, own.ids)
        if not np.array_equal(own.split[at], joint.split):
            raise TrainingDataError(
                f"the images that all encoders have are not split as heads of {name} know them. "
                "Embed the same images with all encoders, and fit the heads again"
            )
    return joint
