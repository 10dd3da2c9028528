"""What curation found, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from icehouse.report._cells import ImageCell, NamesCell
from icehouse.report._tables import fill, new_table

if TYPE_CHECKING:
    from icehouse.review import GapReport, OutlierReport, Picture, TypicalReport


def outliers_table(report: OutlierReport, top: int) -> Table:
    """Return the first outliers, the oddest first."""
    count = f"{report.pictures:,} different pictures"
    if report.pictures == report.images:
        count = f"{report.images:,} images"
    title = f"least like the others, of {count}; usual distance {report.usual:.3f}"
    table = new_table(title, "", "distance", "LOF", "image", "label", "nearest", "cosine", gap=1)
    for rank, each in enumerate(report.outliers[:top], 1):
        first = each.pictures[0]
        table.add_row(
            str(rank) + times(len(each.pictures)),
            f"{each.distance:.3f}",
            f"{each.lof:.2f}",
            ImageCell(first.key, first.image_id),
            NamesCell(label_of(first)),
            ImageCell(each.nearest.key, each.nearest.image_id),
            f"{each.similarity:.3f}",
        )
    return table


def typical_table(report: TypicalReport) -> Table:
    """Return a row for each class: how dense it is, and how much of it lies astray."""
    title = f"{report.task}: {report.images:,} labelled images, by their {report.k} nearest"
    columns = ("class", "images", "usual", "most typical", "astray", "first of them", "near")
    table = new_table(title, *columns, gap=1)
    for each in report.classes:
        stray = each.astray[0] if each.astray else None
        table.add_row(
            escape(each.name),
            f"{each.images:,}",
            "" if each.usual is None else f"{each.usual:.3f}",
            ImageCell(each.typical[0].picture.key, each.typical[0].picture.image_id),
            f"{each.n_astray:,}",
            ImageCell(stray.picture.key, stray.picture.image_id) if stray else "",
            NamesCell(", ".join(stray.near)) if stray else "",
        )
    return table


def gaps_tables(report: GapReport, top: int) -> list[Table]:
    """Return whether A covers B, and the first gaps."""
    all_known = report.shared == report.images_b
    verdict = fill(
        new_table(
            f"{report.a} {'covers' if report.covers else 'does not cover'} {report.b}", "", ""
        ),
        [
            (f"images in {report.a}", f"{report.images_a:,}"),
            (f"images in {report.b}", f"{report.images_b:,}"),
            ("in both", f"{report.shared:,}" + (f", all of {report.b}" if all_known else "")),
            ("limits", measures(report.limit, report.ratio_limit)),
            ("uncovered", f"{report.uncovered:,} ({report.share:.1%} of {report.b})"),
            (f"as of {report.a} itself", f"{1 - report.quantile:.1%}"),
        ],
    )
    if not report.gaps:
        return [verdict]
    groups = "1 group" if len(report.gaps) == 1 else f"{len(report.gaps):,} groups"
    title = f"what {report.a} lacks, in {groups}"
    if report.left:
        title += f"; {report.left:,} more images are in none"
    columns = (
        "",
        "images",
        "stands for them",
        "label",
        "distance | ratio",
        f"nearest in {report.a}",
    )
    table = new_table(title, *columns, gap=1)
    for number, gap in enumerate(report.gaps[:top], 1):
        first = gap.pictures[0]
        table.add_row(
            str(number),
            f"{len(gap.pictures):,}",
            ImageCell(first.key, first.image_id),
            NamesCell(label_of(first)),
            measures(gap.distances[0], gap.ratios[0]),
            ImageCell(gap.nearest.key, gap.nearest.image_id),
        )
    return [verdict, table]


def label_of(picture: Picture) -> str:
    """Return what a picture is said to show."""
    return "" if picture.labels is None else ", ".join(picture.labels) or "-"


def measures(distance: float, ratio: float | None) -> str:
    """Return how far an image is from A, and by how much farther than from the rest of B."""
    return f"{distance:.3f}" + ("" if ratio is None else f" | {ratio:.2f}")


def times(copies: int) -> str:
    """Return how often a picture is there, if it is there more than once."""
    return f" \N{MULTIPLICATION SIGN}{copies:,}" if copies > 1 else ""
