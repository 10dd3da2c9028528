import io

import pytest
from rich.console import Console

from icehouse.errors import UsageError
from icehouse.heads import CompareOptions, compare, count_labels
from icehouse.report import FitProgress, comparison_tables, label_counts_tables


def text(*tables, width=80):
    console = Console(width=width, file=io.StringIO())
    for table in tables:
        console.print(table, soft_wrap=isinstance(table, str))
    return console.file.getvalue()


def test_a_comparison_fits_a_terminal_of_80_columns(contenders):
    shown = text(*comparison_tables(contenders))
    assert "…" not in shown
    above, head, best, encoder, *_ = shown.splitlines()[1:]
    assert above.split() == ["train", "fit", "s"]
    titles = "head accuracy val top-5 recall F1 AUC ECE images/s vs best"
    assert head.split() == titles.split()
    assert best.split() == [
        "xgboost", "0.900", "0.990", "0.990", "0.880", "0.870", "0.960", "0.050", "12.25", "best",
    ]  # fmt: skip
    assert encoder.split() == ["clip:ViT-B-32/", "0.85–0.94", "0.910", "1,234"]
    assert "±0.012" in shown
    assert "≈ p=0.31" in shown
    assert "p<0.001" in shown
    assert "≈ cannot be told from the best" in shown
    assert "note: [red] is no colour" in shown
    assert "means of 3 seeds" in shown


def test_columns_without_numbers_are_not_shown(contenders, few_classes):
    assert "top-5" in text(*comparison_tables(contenders))
    assert "top-5" not in text(*comparison_tables(few_classes))


def test_the_best_of_each_number_is_bold(contenders):
    table = comparison_tables(contenders)[1]
    bold = [[cell.startswith("[bold]") for cell in column.cells] for column in table.columns]
    assert bold[1] == [True, False, False]  # accuracy
    assert bold[7] == [False, False, True]  # ECE: the lowest
    assert bold[8] == [False, True, False]  # fit s: the lowest
    rates = [cell.split("\n")[1] for cell in table.columns[8].cells]
    assert [rate.startswith("[bold]") for rate in rates] == [False, True, True]  # equal as shown


def test_label_counts_have_a_column_each(embedded):
    options = CompareOptions(heads=("logistic", "knn"), seeds=2)
    counted = count_labels(embedded, [1, 4], options)
    title, table, *_ = label_counts_tables(counted)
    assert [column.header for column in table.columns] == ["head", "1", "4"]
    assert table.row_count == 2
    assert "4 test images" in title
    assert "means of 2 draws" in title
    assert "±" in text(table)
    alone = count_labels(embedded, [1, 4], CompareOptions(heads=("knn",), seeds=1))
    assert "±" not in text(*label_counts_tables(alone))


def test_progress_of_fits_is_written_to_stderr_alone(embedded, capsys):
    with FitProgress() as progress:
        compare(embedded, CompareOptions(heads=("knn",)), progress)
    captured = capsys.readouterr()
    assert captured.out == ""
    with pytest.raises(UsageError, match="1 seed or more"), FitProgress() as progress:
        compare(embedded, CompareOptions(seeds=0), progress)
    assert capsys.readouterr().err == ""
