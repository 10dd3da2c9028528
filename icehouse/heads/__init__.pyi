"""Heads: lightweight classifiers on cached features."""

from ._balance import BALANCES
from ._base import Head
from ._calibration import Calibration, fit_calibration
from ._card import HeadCard, head_names, list_heads, read_heads
from ._compare import Comparison, Contender, compare
from ._conformal import Conformal
from ._curves import Curves, load_curves
from ._data import LabelledSet, choose_task, datasets_of, load_labelled, loose_datasets
from ._familiarity import Familiarity, distances, distances_to_units
from ._fit import fit_head
from ._fit_options import FitOptions
from ._folds import OutOfFold, out_of_fold
from ._fractions import Fractions
from ._ground import NEAR_DUPLICATE, CompareOptions, near_duplicates
from ._honest import folds_of, training_set
from ._label_counts import LabelCounts, LabelCurve, LabelPoint, count_labels
from ._live import LiveHead
from ._metrics import Metrics, measure
from ._registry import KINDS, make_head
from ._run_diff import Difference, RunDiff, diff_runs
from ._run_order import sort_runs
from ._runs import Run, RunList, find_run, list_runs
from ._stored import StoredHead, choose_head, load_head, save_head
from ._temperature import fit_temperature, scale
from ._trials import Trial
from ._tune import Tuned, TuneOptions, tune
from .export import HeadExport, export_head

__all__ = [
    "BALANCES",
    "KINDS",
    "NEAR_DUPLICATE",
    "Calibration",
    "CompareOptions",
    "Comparison",
    "Conformal",
    "Contender",
    "Curves",
    "Difference",
    "Familiarity",
    "FitOptions",
    "Fractions",
    "Head",
    "HeadCard",
    "HeadExport",
    "LabelCounts",
    "LabelCurve",
    "LabelPoint",
    "LabelledSet",
    "LiveHead",
    "Metrics",
    "OutOfFold",
    "Run",
    "RunDiff",
    "RunList",
    "StoredHead",
    "Trial",
    "TuneOptions",
    "Tuned",
    "choose_head",
    "choose_task",
    "compare",
    "count_labels",
    "datasets_of",
    "diff_runs",
    "distances",
    "distances_to_units",
    "export_head",
    "find_run",
    "fit_calibration",
    "fit_head",
    "fit_temperature",
    "folds_of",
    "head_names",
    "list_heads",
    "list_runs",
    "load_curves",
    "load_head",
    "load_labelled",
    "loose_datasets",
    "make_head",
    "measure",
    "near_duplicates",
    "out_of_fold",
    "read_heads",
    "save_head",
    "scale",
    "sort_runs",
    "training_set",
    "tune",
]
