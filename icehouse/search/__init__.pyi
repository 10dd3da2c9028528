"""Search: the images nearest to others, to words or to vectors, in a store of any size."""

from ._build import BuildOptions, build_index
from ._engine import Engine
from ._extend import extend_index

__all__ = [
    "BuildOptions",
    "Engine",
    "build_index",
    "extend_index",
]
