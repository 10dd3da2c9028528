"""An index past one machine: a collection of Milvus that names candidates."""

from icehouse.search.milvus._address import Address
from icehouse.search.milvus._index import MilvusIndex, open_milvus
from icehouse.search.milvus._push import Pushed, PushedState, drop_pushed, push_index, pushed_state

__all__ = [
    "Address",
    "MilvusIndex",
    "Pushed",
    "PushedState",
    "drop_pushed",
    "open_milvus",
    "push_index",
    "pushed_state",
]
