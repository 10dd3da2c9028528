"""Search: the images nearest to others, to words or to vectors, in a store of any size."""

from ._amounts import bytes_of, milliseconds_of
from ._asked import Example, Query, choose_searched, read_vectors
from ._build import BuildOptions, build_index
from ._engine import Engine
from ._extend import extend_index
from ._listed import IndexState, drop_index, list_indexes
from ._query import Vectors, vectors_of
from ._search import Found, Hit, search
from ._wanted import Filters
from .milvus import Pushed, PushedState, drop_pushed, push_index, pushed_state

__all__ = [
    "BuildOptions",
    "Engine",
    "Example",
    "Filters",
    "Found",
    "Hit",
    "IndexState",
    "Pushed",
    "PushedState",
    "Query",
    "Vectors",
    "build_index",
    "bytes_of",
    "choose_searched",
    "drop_index",
    "drop_pushed",
    "extend_index",
    "list_indexes",
    "milliseconds_of",
    "push_index",
    "pushed_state",
    "read_vectors",
    "search",
    "vectors_of",
]
