"""The desk at which people review a queue. No HTTP."""

from ._choose_queue import choose_queue
from ._desk import Desk, DeskOptions

__all__ = [
    "Desk",
    "DeskOptions",
    "choose_queue",
]
