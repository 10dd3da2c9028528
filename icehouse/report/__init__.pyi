"""Reports: pictures and tables of what is known."""

from ._care import forget_table, fsck_table
from ._compare_files import write_comparison, write_label_counts
from ._compare_tables import comparison_tables, label_counts_tables
from ._curated import gaps_tables, outliers_table, typical_table
from ._curated_sheets import gaps_sheet, outliers_sheet, typical_sheet
from ._curves_picture import write_curves
from ._duplicates import duplicates_tables
from ._duplicates_sheet import duplicates_sheet
from ._events import check_events, write_events
from ._explained import explain_picture, explained_png, explained_sheet
from ._explained_files import write_explained, write_first_layer
from ._explained_table import explanations_table
from ._export import export_table
from ._first_layer import first_layer_png
from ._label_issues import label_issues_table
from ._label_log import history_table, import_lines, merge_tables
from ._look_again import look_again
from ._map import check_map_files, map_table, write_map, write_points
from ._map_picture import colours_of, draw_map
from ._overview import (
    DatasetSummary,
    EncoderSummary,
    Overview,
    TaskSummary,
    overview,
)
from ._progress import EmbedProgress, FitProgress, StepProgress
from ._queue import new_queue_tables, queue_state_tables, queues_table
from ._reliability import write_reliability
from ._runs import run_diff_tables, run_table, runs_tables
from ._search import hits_table, index_table, indexes_table, write_hits
from ._sheet import contact_sheet
from ._simulation_files import write_simulation
from ._simulation_tables import simulation_tables
from ._tables import (
    chosen_lines,
    counts_table,
    embed_table,
    flags_table,
    heads_table,
    overview_tables,
    predictions_table,
    rehearsal_table,
    sets_lines,
)
from ._trials import trials_table
from ._write_page import PageReport, write_page
from ._zero_shot import zero_shot_tables

__all__ = [
    "DatasetSummary",
    "EmbedProgress",
    "EncoderSummary",
    "FitProgress",
    "Overview",
    "PageReport",
    "StepProgress",
    "TaskSummary",
    "check_events",
    "check_map_files",
    "chosen_lines",
    "colours_of",
    "comparison_tables",
    "contact_sheet",
    "counts_table",
    "draw_map",
    "duplicates_sheet",
    "duplicates_tables",
    "embed_table",
    "explain_picture",
    "explained_png",
    "explained_sheet",
    "explanations_table",
    "export_table",
    "first_layer_png",
    "flags_table",
    "forget_table",
    "fsck_table",
    "gaps_sheet",
    "gaps_tables",
    "heads_table",
    "history_table",
    "hits_table",
    "import_lines",
    "index_table",
    "indexes_table",
    "label_counts_tables",
    "label_issues_table",
    "look_again",
    "map_table",
    "merge_tables",
    "new_queue_tables",
    "outliers_sheet",
    "outliers_table",
    "overview",
    "overview_tables",
    "predictions_table",
    "queue_state_tables",
    "queues_table",
    "rehearsal_table",
    "run_diff_tables",
    "run_table",
    "runs_tables",
    "sets_lines",
    "simulation_tables",
    "trials_table",
    "typical_sheet",
    "typical_table",
    "write_comparison",
    "write_curves",
    "write_events",
    "write_explained",
    "write_first_layer",
    "write_hits",
    "write_label_counts",
    "write_map",
    "write_page",
    "write_points",
    "write_reliability",
    "write_simulation",
    "zero_shot_tables",
]
