"""Explanations: which parts of an image an answer rests on."""

from ._explainer import Explainer
from ._explanation import Explained, Explanation, Scores
from ._features import FirstLayer, first_layer
from ._many import explain_dataset, explain_files
from ._options import METHODS, ExplainOptions

__all__ = [
    "METHODS",
    "ExplainOptions",
    "Explained",
    "Explainer",
    "Explanation",
    "FirstLayer",
    "Scores",
    "explain_dataset",
    "explain_files",
    "first_layer",
]
