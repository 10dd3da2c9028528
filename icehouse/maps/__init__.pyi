"""Maps: all images of a store as points in the plane, near each other where they are alike."""

from ._map import METHODS, Map, MapOptions, make_map, of_datasets, options_of, read_map

__all__ = [
    "METHODS",
    "Map",
    "MapOptions",
    "make_map",
    "of_datasets",
    "options_of",
    "read_map",
]
