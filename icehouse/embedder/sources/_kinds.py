"""What a path or URL is, judged by names."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from icehouse.errors import SourceError

_BESIDE = frozenset((".json", ".jsonl", ".md", ".txt", ".yaml", ".yml", ".idx"))
_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


class Kind(Enum):
    """Kinds of sources."""

    IMAGES = "a folder of images"
    CSV = "a manifest"
    PARQUET = "a manifest, or a table of images"
    TABLES = "files of a table of images"
    TARS = "tars of images"
    ZIP = "a zip"


_FILES = {
    ".csv": Kind.CSV,
    ".parquet": Kind.PARQUET,
    ".arrow": Kind.TABLES,
    ".tar": Kind.TARS,
    ".zip": Kind.ZIP,
}


def kind_of_file(name: str) -> Kind | None:
    """Return what a file is by its name; None for any other file.

    Raises
    ------
    SourceError
        A compressed tar.
    """
    lower = name.lower()
    if lower.endswith(_COMPRESSED):
        raise SourceError(
            f"{name} is compressed, so that its members cannot be read one by one. Unpack the "
            "compression and keep the tar, for instance: gunzip FILE.tar.gz"
        )
    return _FILES.get(_suffix(lower))


def kind_of_folder(names: Iterable[str]) -> Kind:
    """Return what a folder is by the names of all files below it."""
    suffixes = {_suffix(name.lower()) for name in names}
    for kind, own in ((Kind.TARS, {".tar"}), (Kind.TABLES, {".parquet", ".arrow"})):
        if suffixes & own and suffixes <= own | _BESIDE:
            return kind
    return Kind.IMAGES


def files_of(kind: Kind, names: Iterable[str]) -> list[str]:
    """Return those of the names that a source of this kind is made of, in order."""
    own = (".tar",) if kind is Kind.TARS else (".parquet", ".arrow")
    return sorted(name for name in names if name.lower().endswith(own))


def stem(name: str) -> str:
    """Return a file's name without its folder and suffix."""
    last = name.rstrip("/").rpartition("/")[2]
    return last.rpartition(".")[0] or last


def _suffix(name: str) -> str:
    last = name.rpartition("/")[2]
    _, dot, suffix = last.rpartition(".")
    return dot + suffix
