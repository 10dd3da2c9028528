"""Review: what a person should look at next, and what it looks like around there."""

from icehouse.review._flag import flag
from icehouse.review._issue_records import LabelIssue, LabelIssueReport
from icehouse.review._label_issues import label_issues
from icehouse.review._neighbours import Neighbour, neighbours
from icehouse.review._predict import Prediction, predict_dataset, predict_files
from icehouse.review._prompts import parse_captions, read_prompts, read_templates
from icehouse.review._query import Found, vectors_of
from icehouse.review._reasons import FlagSettings, Reason, uncertainty
from icehouse.review._records import Flag, FlagReport
from icehouse.review._write import write_flags
from icehouse.review._write_issues import write_label_issues
from icehouse.review._write_zero_shot import write_zero_shot
from icehouse.review._zero_shot import CaptionClassifier, ZeroShotOptions, zero_shot
from icehouse.review._zero_shot_report import ZeroShotAnswer, ZeroShotReport

__all__ = [
    "CaptionClassifier",
    "Flag",
    "FlagReport",
    "FlagSettings",
    "Found",
    "LabelIssue",
    "LabelIssueReport",
    "Neighbour",
    "Prediction",
    "Reason",
    "ZeroShotAnswer",
    "ZeroShotOptions",
    "ZeroShotReport",
    "flag",
    "label_issues",
    "neighbours",
    "parse_captions",
    "predict_dataset",
    "predict_files",
    "read_prompts",
    "read_templates",
    "uncertainty",
    "vectors_of",
    "write_flags",
    "write_label_issues",
    "write_zero_shot",
    "zero_shot",
]
