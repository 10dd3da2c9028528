"""Duplicates: one picture in several files, and what is said of it there."""

from ._find import DuplicateOptions, find_duplicates
from ._records import Cluster, Copy, DuplicateReport
from ._write import write_duplicates

__all__ = [
    "Cluster",
    "Copy",
    "DuplicateOptions",
    "DuplicateReport",
    "find_duplicates",
    "write_duplicates",
]
