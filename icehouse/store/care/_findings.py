"""What ``fsck`` can find, how grave it is, and what helps."""

from __future__ import annotations

from dataclasses import dataclass

DAMAGE, WARNING, INFORMATION = "damage", "warning", "information"
SEVERITIES = (DAMAGE, WARNING, INFORMATION)

_AGAIN = "icehouse embed the same source again, which encodes just what is missing"
_ENCODER = "icehouse embed with its --encoder again"
_FIT = "fit it again: icehouse fit-head"
_REPAIR = "icehouse fsck --repair"
_INDEX = "make it anew: icehouse index build"
# Kind: severity, what helps, and whether --repair does it.
KINDS: dict[str, tuple[str, str, bool]] = {
    "store-manifest": (DAMAGE, "--repair writes it anew", True),
    "encoder-card": (DAMAGE, f"--repair puts it aside; then {_ENCODER}", True),
    "encoder-card-missing": (DAMAGE, f"{_ENCODER}: it writes it anew", False),
    "canary": (DAMAGE, "--repair puts it aside; opening the encoder writes it anew", True),
    "canary-missing": (INFORMATION, "opening the encoder writes it anew", False),
    "shard": (DAMAGE, f"--repair puts it aside; then {_AGAIN}", True),
    "shard-foreign": (DAMAGE, f"--repair puts it aside; then {_AGAIN}", True),
    "vectors-not-finite": (DAMAGE, f"--repair drops them; then {_AGAIN}", True),
    "tombstone": (DAMAGE, "--repair forgets all vectors that no catalog row needs", True),
    "shard-name": (WARNING, _REPAIR, True),
    "duplicate-vectors": (INFORMATION, f"nothing to do: readers take one; {_REPAIR}", True),
    "small-shards": (INFORMATION, f"nothing to do; {_REPAIR} makes few of them", True),
    "forgotten-vectors": (INFORMATION, f"to remove their bytes: {_REPAIR}", True),
    "catalog-shard": (DAMAGE, "--repair puts it aside; then icehouse embed the same source", True),
    "catalog-rows": (DAMAGE, "--repair retires them; then icehouse embed the same source", True),
    "superseded-rows": (INFORMATION, f"nothing to do; {_REPAIR} drops them", True),
    "vectors-missing": (DAMAGE, f"{_AGAIN} (after --repair, where shards are damaged)", False),
    "unfinished": (WARNING, _AGAIN, False),
    "vectors-without-row": (INFORMATION, "nothing to do: embed uses them if images return", False),
    "label-log": (DAMAGE, "--repair keeps what is proven, and puts the old file aside", True),
    "label-log-busy": (WARNING, "run it again when nobody is labelling", False),
    "label-log-unproven": (INFORMATION, f"made by an earlier version; {_REPAIR}", True),
    "label-log-on-server": (DAMAGE, "bring back a backup of the database", False),
    "label-log-unknown": (INFORMATION, "say where it is: --labels URL or ICEHOUSE_LABELS", False),
    "labels-of-unknown-images": (INFORMATION, "nothing to do: they count if images return", False),
    "head": (DAMAGE, f"--repair puts it aside; {_FIT}", True),
    "head-card-missing": (DAMAGE, f"--repair puts what is left of it aside; {_FIT}", True),
    "head-metrics": (DAMAGE, "--repair writes them again", True),
    "head-folds": (DAMAGE, "--repair puts them aside; flag computes them again", True),
    "head-curves": (DAMAGE, "--repair puts them aside; fit-head makes them again", True),
    "head-without-encoder": (WARNING, f"{_ENCODER}, or remove the head", False),
    "run": (DAMAGE, "--repair puts it aside; nothing else needs it", True),
    "index": (WARNING, f"search is exact without it; --repair removes it; {_INDEX}", True),
    "index-leftover": (INFORMATION, f"nothing reads it; {_REPAIR} removes it", True),
    "index-of-forgotten": (INFORMATION, f"{_REPAIR} removes the index; {_INDEX}", True),
    "map": (WARNING, "nothing else needs it; --repair removes it; then: icehouse map", True),
    "leftover": (WARNING, _REPAIR, True),
    "foreign-file": (WARNING, "nothing reads it: move it out of the store", False),
    "lost-and-found": (INFORMATION, "nothing reads it: look at it, then remove it", False),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """Something that a person may want to know of a store.

    Attributes
    ----------
    severity : {"damage", "warning", "information"}
    kind : str
        One of a fixed set.
    where : str
        File or folder, relative to the store.
    what : str
        What was wrong and what was got.
    remedy : str
    mended : bool
        Whether ``--repair`` mends it.
    """

    severity: str
    kind: str
    where: str
    what: str
    remedy: str
    mended: bool


def found(kind: str, where: str, what: object) -> Finding:
    """Return a finding of a kind, with the severity and the remedy of its kind."""
    severity, remedy, mended = KINDS[kind]
    return Finding(severity, kind, where, str(what), remedy, mended)


def count(number: int, noun: str) -> str:
    """Return ``1 vector`` or ``1,000 vectors``."""
    return f"{number:,} {noun}" + ("s" if number != 1 else "")
