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
        first, more = each.pictures[0], len(each.pictures) - 1
        table.add_row(
            str(rank),
            f"{each.distance:.3f}",
            f"{each.lof:.2f}",
            ImageCell(first.key + (f" and {more:,} like it" if more else ""), first.image_id),
            NamesCell(label_of(first)),
            ImageCell(each.nearest.key, each.nearest.image_id),
            f"{each.similarity:.3f}",
        )
    return table


def typical_table(report: TypicalReport) -> Table:
    """Return a row for each class: how dense it is, and how much of it lies astray."""
    title = f"{report.task}: {report.images:,} labelled images, by their {report.k} nearest"
    columns = ("class", "images", "usual", "most typical", "farthest", "astray", "first of them")
    table = new_table(title, *columns, gap=1)
    for each in report.classes:
        table.add_row(
            escape(each.name),
            f"{each.images:,}",
            "" if each.usual is None else f"{each.usual:.3f}",
            *(
                ImageCell(some[0].picture.key, some[0].picture.image_id) if some else ""
                for some in (each.typical, each.far)
            ),
            f"{each.n_astray:,}",
            NamesCell(f"{each.astray[0].picture.key} near {', '.join(each.astray[0].near)}")
            if each.astray
            else "",
        )
    return table


def gaps_tables(report: GapReport, top: int) -> list[Table]:
    """Return whether A covers B, and the first gaps."""
    verdict = fill(
        new_table(_verdict(report), "", ""),
        [
            (f"images in {report.a}", f"{report.images_a:,}"),
            (f"images in {report.b}", f"{report.images_b:,}"),
            ("in both", f"{report.shared:,}"),
            (
                "limit",
                f"distance {report.limit:.3f}, which {report.quantile:g} of {report.a} keeps to",
            ),
            ("uncovered", f"{report.uncovered:,} ({report.share:.1%} of {report.b})"),
        ],
    )
    if not report.gaps:
        return [verdict]
    title = f"what {report.a} lacks, in {len(report.gaps):,} groups"
    if report.left:
        title += f"; {report.left:,} more images are in none"
    columns = ("", "images", "stands for them", "label", "distance", f"nearest in {report.a}")
    table = new_table(title, *columns, gap=1)
    for number, gap in enumerate(report.gaps[:top], 1):
        first = gap.pictures[0]
        table.add_row(
            str(number),
            f"{len(gap.pictures):,}",
            ImageCell(first.key, first.image_id),
            NamesCell(label_of(first)),
            f"{gap.distances[0]:.3f}",
            ImageCell(gap.nearest.key, gap.nearest.image_id),
        )
    return [verdict, table]


def label_of(picture: Picture) -> str:
    """Return what a picture is said to show."""
    return "" if picture.labels is None else ", ".join(picture.labels) or "-"


def _verdict(report: GapReport) -> str:
    if report.shared == report.images_b:
        return f"{report.a} covers {report.b}: it holds all of its images"
    if report.covers:
        return f"{report.a} covers {report.b}"
    return f"{report.a} does not cover {report.b}"
