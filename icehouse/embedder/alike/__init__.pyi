"""Thumbnails, and which pictures are alike by them: one picture in several files."""

from ._find import clusters_of, find_alike, find_similar, needed
from ._looks import MAX_DISTANCE, MIN_CORRELATION, Looks
from ._pairs import Pairs
from ._units import units_of

__all__ = [
    "MAX_DISTANCE",
    "MIN_CORRELATION",
    "Looks",
    "Pairs",
    "clusters_of",
    "find_alike",
    "find_similar",
    "needed",
    "units_of",
]
