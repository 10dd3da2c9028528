"""Search: the images nearest to others, to words or to vectors, in a store of any size."""

from ._asked import Query
from ._build import BuildOptions, build_index
from ._engine import Engine
from ._extend import extend_index
from ._query import Vectors, vectors_of
from ._search import Found, Hit, search
from ._wanted import Filters

__all__ = [
    "BuildOptions",
    "Engine",
    "Filters",
    "Found",
    "Hit",
    "Query",
    "Vectors",
    "build_index",
    "extend_index",
    "search",
    "vectors_of",
]
