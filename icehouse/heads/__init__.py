"""Heads: lightweight classifiers on cached features."""

from icehouse.heads._balance import BALANCES
from icehouse.heads._base import Head
from icehouse.heads._calibration import Calibration, fit_calibration
from icehouse.heads._card import HeadCard
from icehouse.heads._compare import Comparison, Contender, compare
from icehouse.heads._conformal import Conformal
from icehouse.heads._curves import Curves, load_curves
from icehouse.heads._data import Fractions, LabelledSet, choose_task, datasets_of, load_labelled
from icehouse.heads._familiarity import Familiarity, distances
from icehouse.heads._fit import fit_head
from icehouse.heads._fit_options import FitOptions
from icehouse.heads._folds import OutOfFold, out_of_fold
from icehouse.heads._ground import CompareOptions, near_duplicates
from icehouse.heads._honest import folds_of, training_set
from icehouse.heads._label_counts import LabelCounts, LabelCurve, LabelPoint, count_labels
from icehouse.heads._metrics import Metrics, measure
from icehouse.heads._registry import KINDS, make_head
from icehouse.heads._run_diff import Difference, RunDiff, diff_runs
from icehouse.heads._runs import Run, RunList, find_run, list_runs, sort_runs
from icehouse.heads._stored import (
    StoredHead,
    choose_head,
    list_heads,
    load_head,
    save_head,
)
from icehouse.heads._temperature import fit_temperature, scale
from icehouse.heads._trials import Trial
from icehouse.heads._tune import Tuned, TuneOptions, tune
from icehouse.heads.export import HeadExport, export_head

__all__ = [
    "BALANCES",
    "KINDS",
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
    "export_head",
    "find_run",
    "fit_calibration",
    "fit_head",
    "fit_temperature",
    "folds_of",
    "list_heads",
    "list_runs",
    "load_curves",
    "load_head",
    "load_labelled",
    "make_head",
    "measure",
    "near_duplicates",
    "out_of_fold",
    "save_head",
    "scale",
    "sort_runs",
    "training_set",
    "tune",
]
