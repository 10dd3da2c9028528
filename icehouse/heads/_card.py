"""What there is to know of a fitted head but for its weights, and ``head.json``, its file."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from icehouse.errors import HeadCorrupt, LookupFailed
from icehouse.heads._calibration import Calibration, Temperature, read_calibration
from icehouse.store import Store, seal_of


@dataclass(frozen=True)
class HeadCard:
    """What there is to know of a fitted head, but for its weights.

    Attributes
    ----------
    name, kind, task, task_kind, encoder_id : str
    settings : dict
        Parameters of the head.
    classes : tuple of str
        Columns of its probabilities.
    calibration : Calibration
        Of its probabilities.
    training : dict
        Digest of identities, labels and split; images on each side; dataset; seed.
    versions : dict
        Of the libraries that fitted it.
    fitted_at : str
        ISO 8601, UTC.
    seconds : float
    metrics : dict
        By split, as :class:`Metrics`; with a coverage also "covered", the share of images whose
        set holds their labels, and "set_size", how many classes a set holds on average.
    reliability : dict
        By split, what a calibration error is made of: for each bin of confidence the answers in
        it, their mean confidence, and the share that is right.
    notes : tuple of str
    thresholds : tuple of float
        That were chosen: of the second of two classes, or of each label. Else empty.
    held_out : dict
        What they, the calibration and sets were found on: "from" ("val" or "out-of-fold") and
        "images". Empty where there was nothing.
    coverage : float or None
        Of sets, where none other is asked for.
    found : dict
        Settings that the fit chose itself, such as ``C`` where it was "auto".
    weights : str
        File name; empty before it is saved.
    weights_sha256 : str
    """

    name: str
    kind: str
    task: str
    task_kind: str
    encoder_id: str
    settings: dict[str, Any]
    classes: tuple[str, ...]
    calibration: Calibration
    training: dict[str, Any]
    versions: dict[str, str]
    fitted_at: str
    seconds: float
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    reliability: dict[str, list[list[float]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    held_out: dict[str, Any] = field(default_factory=dict)
    coverage: float | None = None
    found: dict[str, Any] = field(default_factory=dict)
    weights: str = ""
    weights_sha256: str = ""

    @property
    def chosen(self) -> dict[str, Any]:
        """What the fit chose: settings of the head, and the threshold of each class."""
        several = self.classes[len(self.classes) - len(self.thresholds) :]
        named = zip(several, self.thresholds, strict=True)
        return {**self.found, **{f"threshold of {name}": value for name, value in named}}

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the heads that it is made of; none but for an ensemble."""
        return tuple(self.settings.get("members", ()))

    @property
    def command(self) -> str:
        """What fits it again, but for its settings."""
        of = f" --of {','.join(self.members)}" if self.members else ""
        name = f" --name {self.name}" if self.name != self.kind else ""
        return f"icehouse fit-head --head {self.kind}{of} --task {self.task}{name}"

    @property
    def folder(self) -> str:
        """Where it is, relative to the store."""
        return f"heads/{self.task}/{self.name}"


def head_names(store: Store, task: str) -> list[str]:
    """Return the heads of a task by name, sorted; weights without a ``head.json`` are none."""
    folders = store.files.folders(f"heads/{task}")
    return [name for name in folders if store.files.exists(f"heads/{task}/{name}/head.json")]


def read_card(store: Store, task: str, name: str) -> HeadCard:
    """Read ``head.json``; raise LookupFailed or HeadCorrupt."""
    file = f"heads/{task}/{name}/head.json"
    path = store.files.where(file)
    try:
        values: dict[str, Any] = json.loads(store.files.read(file))
        if values.pop("seal") != seal_of(values):
            raise HeadCorrupt(f"{path}: classes or settings were changed by hand; fit it again")
        if "temperature" in values:  # all that earlier versions could calibrate by
            values["calibration"] = Temperature(values.pop("temperature"))
        else:
            values["calibration"] = read_calibration(values["calibration"])
        values["thresholds"] = values.get("thresholds", ())
        for several in ("classes", "notes", "thresholds"):
            values[several] = tuple(values[several])
        return HeadCard(**values)
    except FileNotFoundError:
        have = ", ".join(head_names(store, task)) or "none"
        raise LookupFailed(f"task {task!r} has no head {name!r}; it has: {have}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HeadCorrupt(f"{path} is damaged ({error!r}); fit the head again") from error


def list_heads(store: Store, task: str | None = None) -> list[HeadCard]:
    """Return the cards of all heads of a task, or of all tasks, sorted by name.

    Raises
    ------
    HeadCorrupt
        One of them is damaged; :func:`read_heads` reads the others.
    """
    cards, damaged = read_heads(store, task)
    if damaged:
        raise damaged[0]
    return cards


def read_heads(store: Store, task: str | None = None) -> tuple[list[HeadCard], list[HeadCorrupt]]:
    """Return the cards that can be read, as :func:`list_heads`, and what is wrong with others."""
    cards, damaged = [], []
    for each in [task] if task else store.files.folders("heads"):
        for name in head_names(store, each):
            try:
                cards.append(read_card(store, each, name))
            except HeadCorrupt as error:
                damaged.append(error)
    return cards, damaged
