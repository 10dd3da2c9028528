"""What the package promises as a whole: its surface, its layers, its sizes."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest

import icehouse
from icehouse import errors
from icehouse.errors import MissingExtra

PACKAGE = Path(icehouse.__file__).parent
ROOT = PACKAGE.parent
LAYERS = (
    "cli", "demo", "service", "report", "review", "explain", "search", "maps", "heads", "embedder",
    "store", "errors",
)  # fmt: skip
FILES = sorted(PACKAGE.rglob("*.py"))

SURFACE = {
    "icehouse": ["__version__"],
    "icehouse.cli": ["main"],
    "icehouse.store": [
        "FORMAT_VERSION", "ID_DTYPE", "LEASE_SECONDS", "STORE_MANIFEST", "Answer", "Catalog",
        "CatalogRow", "Conflict", "FeatureMatrix", "FeatureShards", "Files", "Finding",
        "FsckReport", "Given", "IdArray", "IndexCard", "IndexFiles", "IndexedRows", "LabelEvent",
        "LabelLog", "LabelState", "MapFiles", "Merged", "Oblivion", "Place", "Queue", "QueueItem",
        "Queues", "RangeFile", "Recorded", "Review", "Sent", "Signed", "Store", "StoredMap", "Task",
        "VectorRows", "bring_in", "cache_folder", "check_name", "files_at", "fingerprints",
        "forget", "fsck", "ids_from_arrow", "ids_from_bytes", "ids_to_arrow", "image_id",
        "in_force_of", "keep", "merge_labels", "nearest", "parts_of", "plan_forget", "positions",
        "read_kept", "read_reviews", "record_claims", "seal_of", "sealed", "unit", "unsealed",
    ],
    "icehouse.store.care": ["Finding", "FsckReport", "Oblivion", "forget", "fsck", "plan_forget"],
    "icehouse.embedder": [
        "ENGINES", "MAX_DISTANCE", "MAX_PIXELS", "MIN_CORRELATION", "MIN_COSINE", "THUMBNAIL",
        "Completed", "EmbedOptions", "EmbedReport", "Encoder", "EncoderRequest", "EncoderSpec",
        "Entry", "Failure", "ImageFile", "ImageInfo", "Listing", "LocalFile", "Looks",
        "Network", "NetworkEncoder", "OnnxEncoder", "Opened", "Origin", "Pairs", "PictureOptions",
        "Pixels", "PreprocessSpec", "Rehearsal", "Selection", "Speed", "SteadyEncoder",
        "TextEncoder", "ViewOptions", "best_device", "best_precision", "check_canary",
        "choose_encoder", "choose_text_encoder", "clusters_of", "cores", "decode", "embed",
        "embed_stored", "encoder_to_onnx", "enough", "find_alike", "find_request", "find_similar",
        "keep_freed_memory", "kept_rate", "list_folder", "list_lines", "list_manifest",
        "list_source", "needed", "one_torch_thread", "open_encoder", "open_on", "probe",
        "read_again", "read_file", "rehearse", "reopen_encoder", "reopen_text_encoder", "seen",
        "select", "similarity", "spoken", "units_of", "usual_encoders",
    ],
    "icehouse.embedder.sources": [
        "Entry", "FileBytes", "Listing", "LocalFile", "Network", "Origin", "Selection", "Stored",
        "classes_of", "columns_of", "keys_of", "list_folder", "list_lines", "list_manifest",
        "list_source", "part", "read_again", "read_ahead", "read_file", "select",
    ],
    "icehouse.embedder.alike": [
        "MAX_DISTANCE", "MIN_CORRELATION", "Looks", "Pairs", "clusters_of", "find_alike",
        "find_similar", "needed", "units_of",
    ],
    "icehouse.heads": [
        "BALANCES", "KINDS", "NEAR_DUPLICATE", "Calibration", "CompareOptions", "Comparison",
        "Conformal", "Contender", "Curves", "Difference", "Familiarity", "FitOptions", "Fractions",
        "Head", "HeadCard", "HeadExport", "LabelCounts", "LabelCurve", "LabelPoint", "LabelledSet",
        "LiveHead", "Metrics", "OutOfFold", "Run", "RunDiff", "RunList", "StoredHead", "Trial",
        "TuneOptions", "Tuned", "choose_head", "choose_task", "compare", "count_labels",
        "datasets_of", "diff_runs", "distances", "distances_to_units", "export_head", "find_run",
        "fit_calibration", "fit_head", "fit_temperature", "folds_of", "head_names", "list_heads",
        "list_runs", "load_curves", "load_head", "load_labelled", "loose_datasets", "make_head",
        "measure", "near_duplicates", "out_of_fold", "read_heads", "save_head", "scale",
        "sort_runs", "training_set", "tune",
    ],
    "icehouse.explain": [
        "METHODS", "ExplainOptions", "Explained", "Explainer", "Explanation", "FirstLayer",
        "Scores", "explain_dataset", "explain_files", "first_layer",
    ],
    "icehouse.heads.export": ["HeadExport", "export_head"],
    "icehouse.review": [
        "GROUPINGS", "OF_HEADS", "Agreement", "CaptionClassifier", "ClassPictures", "Cluster",
        "Copy", "Curve", "CurvePoint", "DuplicateOptions", "DuplicateReport", "Flag", "FlagReport",
        "FlagSettings", "Gap", "GapOptions", "GapReport", "GroupSize", "Groups", "History",
        "Imported", "LabelIssue", "LabelIssueReport", "Member", "Needed", "Neighbour", "NewQueue",
        "Outlier", "OutlierOptions", "OutlierReport", "Pair", "Picture", "Prediction", "Predictor",
        "QueueOptions", "QueueState", "Ranked", "Reason", "ReviewerState", "SimulateOptions",
        "Simulation", "Step", "TypicalOptions", "TypicalReport", "ZeroShotAnswer",
        "ZeroShotOptions", "ZeroShotReport", "agreement", "export_labels", "find_duplicates",
        "find_gaps", "find_outliers", "find_typical", "flag", "group", "history", "honest_proba",
        "import_labels", "in_scope", "krippendorff_alpha", "label_issues", "local_outlier_factor",
        "neighbours", "parse_captions", "predict_dataset", "predict_files", "queue", "queue_state",
        "rank", "read_prompts", "read_templates", "simulate", "uncertainty", "write_duplicates",
        "write_flags", "write_gaps", "write_label_issues", "write_outliers", "write_typical",
        "write_zero_shot", "zero_shot",
    ],
    "icehouse.search": [
        "BuildOptions", "Engine", "Example", "Filters", "Found", "Hit", "IndexState", "Pushed",
        "PushedState", "Query", "Vectors", "build_index", "bytes_of", "choose_searched",
        "drop_index", "drop_pushed", "extend_index", "list_indexes", "milliseconds_of",
        "push_index", "pushed_state", "read_vectors", "search", "vectors_of",
    ],
    "icehouse.search.milvus": [
        "Address", "MilvusIndex", "Pushed", "PushedState", "drop_pushed", "open_milvus",
        "push_index", "pushed_state",
    ],
    "icehouse.report.page": ["Evidence", "cautions_of", "gather", "page_of", "sentences"],
    "icehouse.report": [
        "DatasetSummary", "EmbedProgress", "EncoderSummary", "FitProgress", "Overview",
        "PageReport", "PushProgress", "StepProgress", "TaskSummary", "check_events",
        "check_map_files", "chosen_lines", "colours_of", "comparison_tables", "contact_sheet",
        "counts_table", "draw_map", "duplicates_sheet", "duplicates_tables", "embed_table",
        "explain_picture", "explained_png", "explained_sheet", "explanations_table", "export_table",
        "first_layer_png", "flags_table", "forget_table", "fsck_table", "gaps_sheet", "gaps_tables",
        "heads_table", "history_table", "hits_table", "import_lines", "index_table",
        "indexes_table", "label_counts_tables", "label_issues_table", "look_again", "map_table",
        "merge_tables", "new_queue_tables", "outliers_sheet", "outliers_table", "overview",
        "overview_tables", "predictions_table", "pushed_lines", "pushed_table",
        "queue_state_tables", "queues_table", "rehearsal_table", "run_diff_tables", "run_table",
        "runs_tables", "sets_lines", "simulation_tables", "trials_table", "typical_sheet",
        "typical_table", "write_comparison", "write_curves", "write_events", "write_explained",
        "write_first_layer", "write_hits", "write_label_counts", "write_map", "write_page",
        "write_points", "write_reliability", "write_simulation", "zero_shot_tables",
    ],
    "icehouse.review.curation": [
        "ClassPictures", "Gap", "GapOptions", "GapReport", "Member", "Outlier", "OutlierOptions",
        "OutlierReport", "Picture", "TypicalOptions", "TypicalReport", "find_gaps", "find_outliers",
        "find_typical", "local_outlier_factor", "write_gaps", "write_outliers", "write_typical",
    ],
    "icehouse.review.duplicates": [
        "Cluster", "Copy", "DuplicateOptions", "DuplicateReport", "find_duplicates",
        "write_duplicates",
    ],
    "icehouse.review.exchange": [
        "History", "Imported", "Step", "export_labels", "history", "import_labels",
    ],
    "icehouse.review.strategies": [
        "DEFAULT", "REASONS", "STRATEGIES", "Chosen", "Pool", "Space", "badge", "choose", "coreset",
        "density_weighted", "disagreement", "entropy", "expected_error", "herding",
        "least_confidence", "margin", "near_threshold", "parse_strategy", "typical",
    ],
    "icehouse.service": [
        "Client", "Desk", "DeskOptions", "Limits", "People", "Person", "ServeSettings", "Service",
        "ServiceOptions", "StationOptions", "Terms", "Wire", "check_host", "choose_queue", "listen",
        "make_app", "make_service", "of_settings", "open_service", "serve",
    ],
    "icehouse.service.http": [
        "MIB", "REVIEWER", "EmbedOut", "ErrorOut", "Explanations", "FlagOut", "KnownOut", "Limits",
        "People", "Person", "PredictOut", "PredictedOut", "ReadyOut", "SearchOut", "TasksOut",
        "Terms", "add_explanations", "add_knowledge", "add_map", "add_pages", "add_pictures",
        "add_predictions", "add_review", "check_host", "is_loopback", "new_app",
    ],
    "icehouse.service.desk": ["Desk", "DeskOptions", "choose_queue"],
    "icehouse.service.inference": [
        "CONTENT_TYPE", "Complaint", "Flags", "Images", "Match", "Metrics", "Seen", "Served",
        "Service", "ServiceOptions", "StationOptions", "Upload",
    ],
    "icehouse.maps": [
        "METHODS", "Map", "MapOptions", "make_map", "of_datasets", "options_of", "read_map",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SURFACE)
def test_the_public_surface_is_pinned(name):
    module = importlib.import_module(name)
    assert sorted(module.__all__) == sorted(SURFACE[name])
    for each in module.__all__:
        assert hasattr(module, each)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room not in LAYERS:
        return
    here = ".".join(path.relative_to(PACKAGE.parent).parent.parts)
    for module in imported(path):
        if module.startswith("icehouse."):
            other = module.split(".")[1]
            assert LAYERS.index(other) >= LAYERS.index(room), f"{path} imports {module}"
            home = module.split("._")[0] if "._" in module else ""
            assert here.startswith(home), f"{path} imports {module}, private to {home}"
            assert home or other == room or module.count(".") == 1, f"{path} imports {module}"


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 300
    for node in ast.walk(ast.parse(path.read_text())):
        # A verb of the command line has a parameter for each of its options.
        if (
            isinstance(node, ast.FunctionDef)
            and path.parent.name != "cli"
            and node.name != "__init__"
        ):
            code = (
                node.end_lineno - node.body[0].end_lineno
                if ast.get_docstring(node)
                else (node.end_lineno - node.lineno)
            )
            assert code <= 50, f"{path}: {node.name} has {code} lines"
            arguments = node.args
            assert len(arguments.args) + len(arguments.kwonlyargs) <= 8, f"{path}: {node.name}"


def test_the_tree_of_errors_is_drawn_as_it_is():
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__)
    kinds = [k for k in vars(errors).values() if isinstance(k, type)]
    real = {k.__name__ for k in kinds if issubclass(k, errors.IcehouseError)}
    assert set(drawn) == real - {"IcehouseError"}
    assert set(errors.__all__) == real | {"ImageErrorKind"}
    depth = {n: len(i) for i, n in re.findall(r"\n([│ ├└─]*)── (\w+)", errors.__doc__)}
    for kind in kinds:
        if kind.__name__ in drawn:
            parent = kind.__mro__[1].__name__
            assert depth.get(parent, -1) < depth[kind.__name__]


def test_install_lines_of_missing_extras_are_in_pyproject():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    found = [
        match
        for path in FILES
        for match in re.findall(r'MissingExtra\("([\w-]+)", "([\w-]+)"\)', path.read_text())
    ]
    assert found
    for package, extra in found:
        assert any(line.startswith(package) for line in extras[extra])
        assert f"pip install 'icehouse[{extra}]'" in str(MissingExtra(package, extra))


def test_every_raises_has_a_match():
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "raises"
            ):
                names = {keyword.arg for keyword in node.keywords}
                assert "match" in names, f"{path}:{node.lineno}"


def test_every_public_thing_has_a_docstring():
    for name in SURFACE:
        module = importlib.import_module(name)
        for each in module.__all__:
            thing = getattr(module, each)
            if callable(thing) and each != "IdArray":
                assert thing.__doc__, f"{name}.{each}"


def test_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = (ROOT / "constraints.txt").read_text().lower().replace("_", "-")
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [line for group in groups for line in group]
    for line in wanted:
        package = re.match(r"[\w.-]+", line).group().lower()
        assert re.search(rf"^{re.escape(package)}==", pins, re.MULTILINE), package
