"""``fsck``: prove that a store is sound, or say what is wrong and mend what can be mended."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from icehouse.store._files import Files
from icehouse.store.care._compact import SHARD_BYTES, SHARD_ROWS
from icehouse.store.care._examine import examine, open_for_fsck
from icehouse.store.care._findings import DAMAGE, Finding
from icehouse.store.care._mend import mend


@dataclass(frozen=True)
class FsckReport:
    """What was found in a store, and what was done about it.

    Attributes
    ----------
    path : str
    images : int
        In the datasets.
    vectors : int
        Whose checksums were compared, of all encoders.
    findings : tuple of Finding
        The gravest first.
    repairs : tuple of str
        What was done, in words; empty without ``--repair``.
    left : tuple of Finding
        What is still there after it; ``findings`` where nothing was done.
    """

    path: str
    images: int
    vectors: int
    findings: tuple[Finding, ...]
    repairs: tuple[str, ...]
    left: tuple[Finding, ...]

    @property
    def sound(self) -> bool:
        """Whether no damage is left."""
        return not any(finding.severity == DAMAGE for finding in self.left)


def fsck(
    path: str | Path,
    *,
    repair: bool = False,
    files: Files | None = None,
    labels: str | None = None,
    limit: tuple[int, int] = (SHARD_ROWS, SHARD_BYTES),
) -> FsckReport:
    """Read all of a store, compare it with its checksums and with itself, and mend it if asked.

    Without ``repair`` nothing is written. With it, damaged files are put aside into
    ``lost+found/``, forgotten vectors are removed, and many small shards become few.

    Parameters
    ----------
    path : path
        Of the store's folder, or its URL.
    repair : bool
    files : Files, optional
        The files below it, where they are not simply those of the folder.
    labels : str, optional
        URL of the database with the label log; see :class:`Store`.
    limit : (int, int)
        Rows and bytes of vectors in a shard that is written.

    Raises
    ------
    NotAStore
        Nothing of a store is there.
    StoreTooNew
        Written by a later version of icehouse.
    StoreUnwritable
        It cannot be mended: no permission, or no space left.
    """
    store = open_for_fsck(path, files, labels)
    seen = examine(store, limit)
    repairs = tuple(mend(seen, limit)) if repair else ()
    left = examine(store, limit) if repairs else seen
    return FsckReport(
        path=str(store.path),
        images=len(left.images),
        vectors=sum(len(s.ids) for facts in left.encoders.values() for s in facts.shards),
        findings=tuple(seen.findings),
        repairs=repairs,
        left=tuple(left.findings),
    )
