"""Common ground for a comparison: the same images on the same sides, whatever the encoder."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from icehouse.embedder import choose_encoder, spoken, usual_encoders
from icehouse.errors import MissingExtra, TrainingDataError, UsageError
from icehouse.heads._balance import NONE, check_balance
from icehouse.heads._data import LabelledSet, choose_task, load_labelled
from icehouse.heads._fractions import Fractions
from icehouse.heads._registry import KINDS, make_head
from icehouse.heads._settings import check_seed
from icehouse.heads._split import TEST, TRAIN, VAL
from icehouse.store import Store, nearest, positions

NEAR_DUPLICATE = 0.995


@dataclass(frozen=True)
class CompareOptions:
    """What to compare, and on what.

    Attributes
    ----------
    task, dataset : str or None
        None: the only task; all of its datasets.
    encoders, heads : tuple of str
        Names or encoder_ids, and kinds. Empty: all encoders with features for the task, all kinds.
    fractions : Fractions or None
        Of the split, where the source gives none.
    seeds : int
        How many.
    seed : int
        The first of them.
    balances : tuple of str
        How classes are balanced (see :class:`FitOptions`); each makes contenders of its own.
    group_duplicates : bool
        See :class:`FitOptions`.
    """

    task: str | None = None
    dataset: str | None = None
    encoders: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    fractions: Fractions | None = None
    seeds: int = 1
    seed: int = 0
    balances: tuple[str, ...] = (NONE,)
    group_duplicates: bool = False

    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of heads to fit.

        Raises
        ------
        UnknownHead
            One of them does not exist.
        UsageError
            The number of seeds is not one or more, the first is none, or a way to balance does not
            exist.
        """
        if self.seeds < 1:
            raise UsageError(f"a comparison takes 1 seed or more, got {self.seeds}")
        check_seed(self.seed)
        for balance in self.balances:
            check_balance(balance)
        kinds = tuple(dict.fromkeys(self.heads)) or tuple(KINDS)
        for kind in kinds:
            make_head(kind)
        return kinds


@dataclass(frozen=True)
class Ground:
    """The images that all encoders of a comparison have features of.

    Attributes
    ----------
    store : Store
    encoders : dict of str to str
        What people call each, by encoder_id.
    labelled : LabelledSet
        The images, without features.
    splits : tuple of arrays of str, shape (n,)
        One for each seed.
    measured : {"test", "val"}
        The side to measure on.
    notes : tuple of str
    """

    store: Store
    encoders: dict[str, str]
    labelled: LabelledSet
    splits: tuple[npt.NDArray[np.str_], ...]
    measured: str
    notes: tuple[str, ...]

    @property
    def images(self) -> dict[str, int]:
        """How many images are on each side, by the first seed."""
        sides, count = np.unique(self.splits[0], return_counts=True)
        return dict(zip(sides.tolist(), count.tolist(), strict=True))

    def data(self, encoder_id: str) -> LabelledSet:
        """Return the images with the features of one encoder, split by the first seed."""
        features = self.store.features(encoder_id).load()
        where = positions(self.labelled.ids, features.ids)
        if (where < 0).any():
            raise TrainingDataError(
                f"{(where < 0).sum()} images were forgotten while they were compared; run it again"
            )
        return replace(self.labelled, encoder_id=encoder_id, X=features.vectors[where])


def common_ground(store: Store, options: CompareOptions) -> Ground:
    """Find the images that a comparison is about, and divide them.

    They are divided as they are for the encoder that has features of most of them.

    Raises
    ------
    LookupFailed
        No such task or encoder.
    TrainingDataError
        An encoder that was asked for, or every one, has no features of labelled images; or nothing
        is left to measure on.
    """
    seen = _seen(store, options)
    widest = max(seen, key=lambda each: len(seen[each]))
    most = seen[widest]
    common = np.ones(len(most), bool)
    for other in seen.values():
        common &= positions(most.ids, other.ids) >= 0
    splits = [most.split[common]]
    for number in range(1, options.seeds):
        again = _load(store, widest, options, number)
        splits.append(again.split[positions(most.ids[common], again.ids)])
    measured = TEST if (splits[0] == TEST).any() else VAL
    if not (splits[0] == measured).any():
        raise TrainingDataError(
            f"the split leaves no image to measure on, of {common.sum()} labelled ones that all "
            "encoders have features of. Label more images, name --encoders that have features of "
            "the same ones, or give a --split with a larger share for the test"
        )
    y = most.y[common]
    classes = most.classes if y.ndim == 2 else tuple(np.unique(y).tolist())
    labelled = replace(
        most,
        ids=most.ids[common],
        X=most.X[:0],
        y=y,
        classes=classes,
        split=splits[0],
        notes=(),
        first_copies=None if most.first_copies is None else most.first_copies[common],
    )
    names = _names(store)
    notes = _notes(seen, names)
    if y.ndim == 2:
        notes.append("several labels an image: accuracy is of images all of whose labels are right")
    if not common.all():
        count = int((~common).sum())
        notes.append(f"left out, as not every encoder has features of them: {count} images")
    if measured == VAL:
        notes.append(
            "there is no test split: measured on the validation split, on which probabilities "
            "are calibrated too, so ECE flatters"
        )
    if options.seeds > 1 and all((split == splits[0]).all() for split in splits):
        notes.append("the source gives the split: seeds change only what heads draw")
    encoders = {each: names[each] for each in seen}
    return Ground(store, encoders, labelled, tuple(splits), measured, tuple(notes))


def usable(kinds: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the kinds of which all is installed, and notes on the others.

    Each is fitted once on next to nothing, so that no later time is that of loading libraries.

    Raises
    ------
    MissingExtra
        It is all of them.
    """
    found, notes = [], []
    for kind in kinds:
        try:
            make_head(kind).fit(np.eye(8), np.arange(8) % 2)
            found.append(kind)
        except MissingExtra as error:
            notes.append(f"{kind} was left out: {error}")
            if len(notes) == len(kinds):
                raise
    return found, notes


def near_duplicates(data: LabelledSet, measured: str) -> int:
    """Count images to measure on with a cosine of 0.995 or more to one that trains.

    Of features whose training mean is subtracted: all images of an encoder lie in one direction.
    """
    train, test = data.split == TRAIN, data.split == measured
    if not train.any():
        return 0
    vectors = data.X.astype(np.float32)
    vectors -= vectors[train].mean(axis=0)
    similarity, _ = nearest(vectors[test], vectors[train], k=1)
    return int((similarity >= NEAR_DUPLICATE).sum())


def _seen(store: Store, options: CompareOptions) -> dict[str, LabelledSet]:
    """Return what each encoder has features of, without them: all at once may be large."""
    seen: dict[str, LabelledSet] = {}
    wanted = [choose_encoder(store, text) for text in options.encoders]
    wanted = wanted or list(usual_encoders(store)) or [choose_encoder(store)]
    for encoder_id in dict.fromkeys(wanted):
        try:
            data = _load(store, encoder_id, options)
        except TrainingDataError:
            if options.encoders or (encoder_id == wanted[-1] and not seen):
                raise
            continue
        seen[encoder_id] = replace(data, X=data.X[:0].copy())
    return seen


def _load(store: Store, encoder_id: str, options: CompareOptions, number: int = 0) -> LabelledSet:
    return load_labelled(
        store,
        encoder_id,
        choose_task(store, options.task),
        dataset=options.dataset,
        fractions=options.fractions,
        seed=options.seed + number,
        group_duplicates=options.group_duplicates,
    )


def _names(store: Store) -> dict[str, str]:
    names = {encoder_id: spoken(card) for encoder_id, card in store.encoder_cards().items()}
    several = list(names.values())
    return {i: name if several.count(name) == 1 else i for i, name in names.items()}


def _notes(seen: dict[str, LabelledSet], names: dict[str, str]) -> list[str]:
    """Return what is said of all encoders once, and of some with their names."""
    notes: list[str] = []
    for encoder_id, data in seen.items():
        for note in data.notes:
            shared = all(note in other.notes for other in seen.values())
            notes.append(note if shared else f"{names[encoder_id]}: {note}")
    return list(dict.fromkeys(notes))
