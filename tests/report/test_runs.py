import io
from dataclasses import replace

from rich.console import Console

from icehouse.heads import FitOptions, Run, RunList, diff_runs, fit_head, list_runs
from icehouse.report import run_diff_tables, run_table, runs_tables

NUMBERS = {"n": 48, "top1": 0.912345, "f1": 0.9, "auc_roc": None, "log_loss": 0.3, "ece": 0.05}
RUN = Run(
    id="0123456789abcdef",
    when="2026-11-21T12:30:59.123456+00:00",
    task="shapes",
    head="logistic",
    kind="logistic",
    encoder_id="tiny-0",
    settings={"C": 0.01},
    options={"coverage": None, "of": [], "notes": (), "seed": 0, "folds": 5},
    data={"digest": "a" * 64, "images": {"train": 100}, "classes": ["disc", "[red]"]},
    metrics={"val": {**NUMBERS, "top1": 0.1}, "test": NUMBERS},
    metrics_sha256="b" * 64,
    notes=("[red] is no colour",),
    chosen={"C": 0.0316227766, "threshold of [red]": 0.4},
)


def text(shown, width=80):
    console = Console(width=width, file=io.StringIO())
    for each in shown:
        console.print(each, soft_wrap=isinstance(each, str))
    return console.file.getvalue()


def test_a_list_of_runs_fits_a_terminal_of_80_columns():
    found = RunList((RUN, replace(RUN, metrics={})), 7, ("runs/x.json: damaged",), ("[1] differ",))
    shown = text(runs_tables(found))
    assert "0123456 2026-11-21 12:30 shapes logistic test 48 0.912 0.900" in " ".join(shown.split())
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert "note: [1] differ" in shown
    assert "passed over: runs/x.json: damaged" in shown


def test_the_split_that_is_asked_for_is_shown():
    shown = text(runs_tables(RunList((RUN,), 7, (), ()), "val"))
    assert "val" in shown
    assert "0.100" in shown


def test_a_head_of_another_name_than_its_kind_has_both():
    assert "small (mlp)" in text(
        runs_tables(RunList((replace(RUN, head="small", kind="mlp"),), 7, (), ())), 120
    )


def test_a_run_is_shown_with_all_that_is_known_of_it():
    shown = " ".join(text(run_table(RUN), 200).split())
    for part in (
        "run 0123456789abcdef",
        "settings C 0.01",
        "options seed 0, folds 5",
        "chosen C 0.03162, threshold of [red] 0.4",
        "digest aaaaaaaaaaaaaaaa, images train 100, classes disc, [red]",
        "test n 48, top1 0.9123",
        "metrics digest bbbbbbbbbbbbbbbb",
        "note [red] is no colour",
    ):
        assert part in shown


def test_what_differs_is_a_table_and_a_verdict(embedded):
    for settings, options in (({"C": 0.01}, FitOptions()), ({"C": 10.0}, FitOptions(folds=2))):
        fit_head(embedded, "logistic", settings, options)
    one, other = list_runs(embedded).runs
    shown = " ".join(text(run_diff_tables(diff_runs(one, other)), 120).split())
    assert "settings C 0.01 10" in shown
    assert "metrics out-of-fold n - 40" in shown
    assert shown.endswith("settings and data: other; numbers: other")
    other = replace(one, metrics={**one.metrics, "test": {**one.metrics["test"], "top1": 0.25}})
    one = replace(one, metrics={**one.metrics, "test": {**one.metrics["test"], "top1": 0.5}})
    shown = " ".join(text(run_diff_tables(diff_runs(one, other)), 120).split())
    assert "metrics test top1 0.5 0.25 -0.25" in shown


def test_nothing_that_differs_is_said_too():
    [verdict] = run_diff_tables(diff_runs(RUN, RUN))
    assert verdict == "settings and data: the same; numbers: the same, bit for bit"
