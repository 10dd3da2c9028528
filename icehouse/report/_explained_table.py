"""Explanations as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from icehouse.report._cells import ImageCell, NamesCell
from icehouse.report._tables import new_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from icehouse.explain import Explanation


def explanations_table(explanations: Sequence[Explanation]) -> Table:
    """Return answers, and how good the maps are that explain them.

    In brackets what random orders come to.
    """
    columns = ("image", "answer", "p", "shown", "hidden", "deletion", "insertion", "shuffled")
    table = new_table("explained", *columns)
    for each in explanations:
        if each.error is not None:
            table.add_row(ImageCell(each.name, ""), "", "", Text(each.error, style="red"))
        else:
            table.add_row(ImageCell(each.name, each.image_id), *_answer(each), *_tests(each))
    return table


def _answer(said: Explanation) -> tuple[RenderableType, ...]:
    answer, shown = NamesCell(", ".join(said.predicted) or "-"), NamesCell(said.shown)
    return answer, f"{said.probability:.2f}", shown, f"{said.hidden:.2f}"


def _tests(said: Explanation) -> tuple[str, ...]:
    deletion = insertion = shuffled = ""
    if said.scores is not None:
        s = said.scores
        deletion = f"{s.deletion:.2f} ({s.random_deletion:.2f})"
        insertion = f"{s.insertion:.2f} ({s.random_insertion:.2f})"
    if said.randomised is not None:
        shuffled = f"{said.randomised:.2f} {'changed' if said.passed else 'THE SAME'}"
    return deletion, insertion, shuffled
