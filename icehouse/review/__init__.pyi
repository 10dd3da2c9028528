"""Review: what a person should look at next, and what it looks like around there."""

from ._agreement import Agreement, Pair, agreement, krippendorff_alpha
from ._flag import flag
from ._honest import honest_proba
from ._issue_records import LabelIssue, LabelIssueReport
from ._label_issues import label_issues
from ._map_groups import GROUPINGS, OF_HEADS, Groups, GroupSize, group
from ._neighbours import Neighbour, neighbours
from ._predict import Prediction, Predictor, predict_dataset, predict_files
from ._prompts import parse_captions, read_prompts, read_templates
from ._queue import NewQueue, QueueOptions, Ranked, queue, rank
from ._queue_pool import in_scope
from ._queue_state import QueueState, ReviewerState, queue_state
from ._reasons import FlagSettings, Reason, uncertainty
from ._records import Flag, FlagReport
from ._saving import Needed
from ._simulate import simulate
from ._simulation import Curve, CurvePoint, SimulateOptions, Simulation
from ._write import write_flags
from ._write_issues import write_label_issues
from ._write_zero_shot import write_zero_shot
from ._zero_shot import CaptionClassifier, ZeroShotOptions, zero_shot
from ._zero_shot_report import ZeroShotAnswer, ZeroShotReport
from .curation import (
    ClassPictures,
    Gap,
    GapOptions,
    GapReport,
    Member,
    Outlier,
    OutlierOptions,
    OutlierReport,
    Picture,
    TypicalOptions,
    TypicalReport,
    find_gaps,
    find_outliers,
    find_typical,
    local_outlier_factor,
    write_gaps,
    write_outliers,
    write_typical,
)
from .duplicates import (
    Cluster,
    Copy,
    DuplicateOptions,
    DuplicateReport,
    find_duplicates,
    write_duplicates,
)
from .exchange import History, Imported, Step, export_labels, history, import_labels

__all__ = [
    "GROUPINGS",
    "OF_HEADS",
    "Agreement",
    "CaptionClassifier",
    "ClassPictures",
    "Cluster",
    "Copy",
    "Curve",
    "CurvePoint",
    "DuplicateOptions",
    "DuplicateReport",
    "Flag",
    "FlagReport",
    "FlagSettings",
    "GroupSize",
    "Groups",
    "Gap",
    "GapOptions",
    "GapReport",
    "History",
    "Imported",
    "LabelIssue",
    "LabelIssueReport",
    "Member",
    "Needed",
    "Neighbour",
    "NewQueue",
    "Outlier",
    "OutlierOptions",
    "OutlierReport",
    "Pair",
    "Picture",
    "Prediction",
    "Predictor",
    "QueueOptions",
    "QueueState",
    "Ranked",
    "Reason",
    "ReviewerState",
    "SimulateOptions",
    "Simulation",
    "Step",
    "TypicalOptions",
    "TypicalReport",
    "ZeroShotAnswer",
    "ZeroShotOptions",
    "ZeroShotReport",
    "agreement",
    "export_labels",
    "find_duplicates",
    "find_gaps",
    "find_outliers",
    "find_typical",
    "flag",
    "group",
    "history",
    "honest_proba",
    "import_labels",
    "in_scope",
    "krippendorff_alpha",
    "label_issues",
    "local_outlier_factor",
    "neighbours",
    "parse_captions",
    "predict_dataset",
    "predict_files",
    "queue",
    "queue_state",
    "rank",
    "read_prompts",
    "read_templates",
    "simulate",
    "uncertainty",
    "write_duplicates",
    "write_flags",
    "write_gaps",
    "write_label_issues",
    "write_outliers",
    "write_typical",
    "write_zero_shot",
    "zero_shot",
]
