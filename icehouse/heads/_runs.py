"""Runs: what every fit was made of and came to, one small file each, never written again.

::

    runs/<task>/<time>-<id>.json

A head that is fitted again takes the place of the one before; its run does not. The name of a
file ends with the beginning of its own checksum, which is the id of the run. It holds no image_id.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from icehouse.errors import HeadCorrupt, LookupFailed
from icehouse.heads._card import HeadCard
from icehouse.store import Store, seal_of, sealed, unsealed

FOLDER = "runs"
NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z-([0-9a-f]{16})\.json")
SHORT = 7
MEASURED = ("test", "out-of-fold", "val", "train")
# Options of a fit that its encoder, its name and the digest of its data say already.
SAID = ("task", "encoder", "dataset", "name", "fractions", "of", "notes", "group_duplicates")


@dataclass(frozen=True)
class Run:
    """One fit of a head.

    Attributes
    ----------
    id : str
        16 hexadecimal digits.
    when : str
        ISO 8601, UTC.
    task, head, kind, encoder_id : str
        ``head`` is its name then, ``kind`` what it is.
    settings, options : dict
        Of the head; and what was asked for besides (see :class:`FitOptions`).
    data : dict
        Digest of identities, labels, split and copies; images on each side; classes.
    metrics : dict
        By split, as :class:`Metrics`.
    metrics_sha256 : str
        Equal where all numbers are, bit for bit.
    weights_sha256 : str
        Of the head as it was saved.
    versions : dict
        Of the libraries that fitted it.
    seconds : float
    notes : tuple of str
    chosen : dict
        By the fit: settings of the head, and thresholds.
    """

    id: str
    when: str
    task: str
    head: str
    kind: str
    encoder_id: str
    settings: dict[str, Any]
    options: dict[str, Any]
    data: dict[str, Any]
    metrics: dict[str, dict[str, Any]]
    metrics_sha256: str
    weights_sha256: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    chosen: dict[str, Any] = field(default_factory=dict)

    @property
    def measured_on(self) -> str | None:
        """The split whose numbers say most of new images; None where nothing was measured."""
        return next((split for split in MEASURED if split in self.metrics), None)

    def numbers(self, on: str | None = None) -> Mapping[str, Any]:
        """Return the metrics of a split, by default of :attr:`measured_on`; empty for none."""
        return self.metrics.get(on or self.measured_on or "", {})

    @property
    def recipe(self) -> str:
        """A digest of all that decides what comes out: settings and data, not versions."""
        asked = {name: value for name, value in self.options.items() if name not in SAID}
        made_of = {"kind": self.kind, "on": self.encoder_id, "data": self.data.get("digest")}
        # Apart, as a threshold may be a setting, or an option of how to choose one.
        return seal_of({**made_of, "settings": self.settings, "options": asked})


@dataclass(frozen=True)
class RunList:
    """The runs of a store.

    Attributes
    ----------
    runs : tuple of Run
        The newest last.
    short : int
        So many digits of an id are enough to name each run of the store.
    damaged : tuple of str
        Files that are no runs any more, and why; they are passed over.
    notes : tuple of str
        Which runs of the same settings and data have other numbers.
    """

    runs: tuple[Run, ...]
    short: int
    damaged: tuple[str, ...]
    notes: tuple[str, ...]


def keep_run(store: Store, card: HeadCard, options: Mapping[str, Any]) -> Run:
    """Commit the run that a head has come from.

    Parameters
    ----------
    store : Store
    card : HeadCard
        Saved, with its metrics.
    options : mapping
        What the fit was asked for.
    """
    now = datetime.datetime.now(datetime.UTC)
    data = {key: card.training[key] for key in ("digest", "images")}
    values = {
        "when": now.isoformat(timespec="microseconds"),
        "task": card.task,
        "head": card.name,
        "kind": card.kind,
        "encoder_id": card.encoder_id,
        "settings": card.settings,
        "options": dict(options),
        "data": {**data, "classes": list(card.classes)},
        "metrics": card.metrics,
        "metrics_sha256": seal_of(card.metrics),
        "weights_sha256": card.weights_sha256,
        "versions": card.versions,
        "seconds": card.seconds,
        "notes": list(card.notes),
        "chosen": card.chosen,
    }
    identity = seal_of(values)[:16]
    name = f"{now:%Y%m%dT%H%M%S.%f}Z-{identity}.json"
    store.files.commit(f"{FOLDER}/{card.task}/{name}", sealed(values))
    return _run(identity, values)


def list_runs(store: Store, task: str | None = None, head: str | None = None) -> RunList:
    """Return the runs of a store, of one task or of one head; the newest last.

    Raises
    ------
    LookupFailed
        No run is of this task, or of a head of this name.
    """
    every = _names(store)
    wanted = [name for name in every if task in (None, name.split("/")[1])]
    if task and not wanted:
        raise _none_of("task", task, {name.split("/")[1] for name in every})
    runs, damaged = [], []
    for name, read in zip(wanted, store.files.each(wanted, lambda n: _read(store, n)), strict=True):
        if isinstance(read, Run):
            runs.append(read)
        elif read is not None:
            damaged.append(f"{name}: {read}")
    if head and not damaged and head not in (heads := {run.head for run in runs}):
        raise _none_of("head", head, heads)
    runs = sorted((run for run in runs if head in (None, run.head)), key=lambda run: run.when)
    short = _short([_id(name) for name in every])
    return RunList(tuple(runs), short, tuple(damaged), tuple(_disagreements(runs, short)))


def find_run(store: Store, text: str) -> Run:
    """Return the run whose id begins with a text.

    Raises
    ------
    LookupFailed
        None does, or several do.
    HeadCorrupt
        Its file is damaged.
    """
    names = [name for name in _names(store) if text and _id(name).startswith(text.lower())]
    if not names:
        raise LookupFailed(f"no run begins with {text!r}; icehouse runs lists them")
    if len(names) > 1:
        some = ", ".join(_id(name) for name in names[:4])
        raise LookupFailed(f"{text!r} is several runs: {some}. Give more digits")
    read = _read(store, names[0])
    if isinstance(read, Run):
        return read
    raise HeadCorrupt(
        f"{store.files.where(names[0])}: {read or 'it is gone'}. icehouse fsck --repair puts "
        "what is damaged aside"
    )


def _none_of(what: str, name: str, have: Iterable[str]) -> LookupFailed:
    there = ", ".join(sorted(have)) or "none"
    return LookupFailed(f"no run is of a {what} {name!r}; there are runs of: {there}")


def _names(store: Store) -> list[str]:
    return [
        name
        for task in store.files.folders(FOLDER)
        for name in store.files.names(f"{FOLDER}/{task}", ".json")
        if NAME.fullmatch(name.rpartition("/")[2])
    ]


def _id(name: str) -> str:
    return name[-21:-5]


def _read(store: Store, name: str) -> Run | str | None:
    """Return a run, or what is wrong with its file; None where it is gone meanwhile."""
    try:
        values = unsealed(store.files.read(name))
        if seal_of(values)[:16] != _id(name):
            return "it is another run than its name says"
        return _run(_id(name), values)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        return f"damaged: {error}"


def _run(identity: str, values: Mapping[str, Any]) -> Run:
    # What a later version may have added is passed over.
    known = {f.name: values[f.name] for f in fields(Run) if f.name in values}
    return Run(**{**known, "id": identity, "notes": tuple(known["notes"])})


def _short(ids: list[str]) -> int:
    length = SHORT
    while length < 16 and len({one[:length] for one in ids}) < len(ids):
        length += 1
    return length


def _disagreements(runs: list[Run], short: int) -> list[str]:
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.recipe, []).append(run)
    notes = []
    for group in groups.values():
        by_numbers: dict[str, Run] = {}
        for run in group:
            by_numbers.setdefault(run.metrics_sha256, run)
        if len(by_numbers) > 1:
            several = list(by_numbers.values())
            notes.append(
                f"same settings and data, other numbers: {_named(several, short)}; "
                f"{_reason(several)}"
            )
    return notes


def _named(runs: list[Run], short: int) -> str:
    """Return the ids of runs, and of which heads they are."""
    by_head: dict[str, list[str]] = {}
    for run in runs:
        by_head.setdefault(f"head {run.head} of task {run.task}", []).append(run.id[:short])
    return ", ".join(f"{', '.join(ids)} ({head})" for head, ids in by_head.items())


def _reason(runs: list[Run]) -> str:
    said = {name: {r.versions.get(name) for r in runs} for r in runs for name in r.versions}
    changed = [name for name, versions in said.items() if len(versions) > 1]
    if changed:
        return f"versions differ: {', '.join(changed)}"
    return "of the same versions, so features or hardware are not the same"
