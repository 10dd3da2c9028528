"""Reports: pictures and tables of what is known."""

from icehouse.report._care import forget_table, fsck_table
from icehouse.report._compare_files import write_comparison, write_label_counts
from icehouse.report._compare_tables import comparison_tables, label_counts_tables
from icehouse.report._curves_picture import write_curves
from icehouse.report._events import event_writer, write_events
from icehouse.report._export import export_table
from icehouse.report._label_issues import label_issues_table
from icehouse.report._overview import (
    DatasetSummary,
    EncoderSummary,
    Overview,
    TaskSummary,
    overview,
)
from icehouse.report._progress import EmbedProgress, FitProgress
from icehouse.report._reliability import write_reliability
from icehouse.report._runs import run_diff_tables, run_table, runs_tables
from icehouse.report._sheet import contact_sheet
from icehouse.report._tables import (
    counts_table,
    embed_table,
    flags_table,
    heads_table,
    neighbours_table,
    overview_tables,
    predictions_table,
    rehearsal_table,
    sets_lines,
)
from icehouse.report._trials import trials_table
from icehouse.report._write_page import PageReport, write_page
from icehouse.report._zero_shot import zero_shot_tables

__all__ = [
    "DatasetSummary",
    "EmbedProgress",
    "EncoderSummary",
    "FitProgress",
    "Overview",
    "PageReport",
    "TaskSummary",
    "comparison_tables",
    "contact_sheet",
    "counts_table",
    "embed_table",
    "event_writer",
    "export_table",
    "flags_table",
    "forget_table",
    "fsck_table",
    "heads_table",
    "label_counts_tables",
    "label_issues_table",
    "neighbours_table",
    "overview",
    "overview_tables",
    "predictions_table",
    "rehearsal_table",
    "run_diff_tables",
    "run_table",
    "runs_tables",
    "sets_lines",
    "trials_table",
    "write_comparison",
    "write_curves",
    "write_events",
    "write_label_counts",
    "write_page",
    "write_reliability",
    "zero_shot_tables",
]
