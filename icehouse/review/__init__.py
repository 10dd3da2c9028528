"""Review: what a person should look at next, and what it looks like around there."""

from icehouse.review._flag import flag
from icehouse.review._neighbours import Neighbour, neighbours
from icehouse.review._predict import Prediction, predict_dataset, predict_files
from icehouse.review._query import Found, vectors_of
from icehouse.review._reasons import FlagSettings, Reason, uncertainty
from icehouse.review._records import Flag, FlagReport
from icehouse.review._write import write_flags

__all__ = [
    "Flag",
    "FlagReport",
    "FlagSettings",
    "Found",
    "Neighbour",
    "Prediction",
    "Reason",
    "flag",
    "neighbours",
    "predict_dataset",
    "predict_files",
    "uncertainty",
    "vectors_of",
    "write_flags",
]
