"""What is asked and answered over HTTP: the guard before all routes, and the routes."""

from ._door import add_pages, new_app
from ._explaining import Explanations, add_explanations
from ._knowing import add_knowledge
from ._limits import MIB, Limits, Terms
from ._mapping import add_map
from ._models import (
    EmbedOut,
    ErrorOut,
    FlagOut,
    KnownOut,
    PredictedOut,
    PredictOut,
    ReadyOut,
    SearchOut,
    TasksOut,
)
from ._people import REVIEWER, People, Person, check_host, is_loopback
from ._predicting import add_predictions
from ._reviewing import add_pictures, add_review

__all__ = [
    "MIB",
    "REVIEWER",
    "EmbedOut",
    "ErrorOut",
    "Explanations",
    "FlagOut",
    "KnownOut",
    "Limits",
    "People",
    "Person",
    "PredictOut",
    "PredictedOut",
    "ReadyOut",
    "SearchOut",
    "TasksOut",
    "Terms",
    "add_explanations",
    "add_knowledge",
    "add_map",
    "add_pages",
    "add_pictures",
    "add_predictions",
    "add_review",
    "check_host",
    "is_loopback",
    "new_app",
]
