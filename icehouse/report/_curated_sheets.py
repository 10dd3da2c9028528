"""Contact sheets of what curation found: rows of pictures, each with lines of text below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from icehouse.report._canvas import as_png
from icehouse.report._curated import label_of, measures, times
from icehouse.report._names import ending, squeezed
from icehouse.report._sheet import FAINT, GIVEN, INK, MARGIN, OTHER, PAPER, RULE, fits, thumbnail
from icehouse.store import files_at

if TYPE_CHECKING:
    from icehouse.review import (
        ClassPictures,
        GapReport,
        Member,
        OutlierReport,
        Picture,
        TypicalReport,
    )

ACROSS = 8
SIDE, GAP = 132, 12
HEADER, NAME, WORDS = 56, 28, 58
ODD = "not typical: nearer to another class, or far from its own"


@dataclass(frozen=True)
class Shown:
    """A picture on a sheet: what is said of it, in which colour, and a second line."""

    picture: Picture
    said: str
    colour: str = INK
    more: str = ""


@dataclass(frozen=True)
class Row:
    """Pictures beside each other, and what is said above them; nothing continues the row before."""

    name: str
    note: str
    shown: Sequence[Shown]


def outliers_sheet(report: OutlierReport, path: str | Path) -> str:
    """Draw outliers, the oddest first; return where the PNG is, which may be a URL."""
    some = report.outliers
    shown = [
        Shown(
            each.pictures[0],
            f"{rank}.  {each.distance:.3f}" + times(len(each.pictures)),
            more=label_of(each.pictures[0]),
        )
        for rank, each in enumerate(some, 1)
    ]
    rows = [Row("", "", shown[start : start + ACROSS]) for start in range(0, len(shown), ACROSS)]
    title = f"least like the others, of {report.images:,} images: the first {len(some):,}"
    return _draw(rows, path, title, f"distance to neighbour {report.k} of each")


def typical_sheet(report: TypicalReport, path: str | Path, top: int) -> str:
    """Draw two rows for each of the first classes; return where the PNG is, which may be a URL.

    The first row is typical of the class. The second has half the pictures that are nearer to
    other classes, with these in colour, and then those that are only far from their own.
    """
    rows = [row for each in report.classes[:top] for row in _class_rows(each)]
    title = f"{report.task}: what is typical of a class, and what is not"
    return _draw(rows, path, title, "mean cosine to its class  |  to others, where that is more")


def gaps_sheet(report: GapReport, path: str | Path, top: int) -> str:
    """Draw a row for each of the first gaps; return where the PNG is, which may be a URL.

    The first picture of a row stands for the group; the last one is what A has nearest to it.
    """
    rows = []
    for number, gap in enumerate(report.gaps[:top], 1):
        some = zip(gap.pictures[: ACROSS - 1], gap.distances, gap.ratios, strict=False)
        shown = [Shown(each, measures(d, r), more=label_of(each)) for each, d, r in some]
        known = Shown(gap.nearest, f"nearest in {report.a}", GIVEN, label_of(gap.nearest))
        size = f"{len(gap.pictures):,} images" if len(gap.pictures) > 1 else "1 image"
        rows.append(Row(f"{number}.  {size}", "", [*shown, known]))
    title = f"what {report.b} holds and {report.a} lacks: {report.share:.1%}"
    title += ", no more than chance" if report.covers else ""
    limits = measures(report.limit, report.ratio_limit)
    legend = f"distance to {report.a} | by that to the rest of {report.b}; limits: {limits}"
    return _draw(rows, path, title, legend)


def _class_rows(each: ClassPictures) -> list[Row]:
    half = max(ACROSS // 2, ACROSS - len(each.far))
    odd = each.astray[:half]
    odd = (*odd, *each.far[: ACROSS - len(odd)])
    note = f"{each.images:,} images; {each.n_astray:,} nearer to other classes"
    rows = [Row(each.name, note, [_typical(member) for member in each.typical[:ACROSS]])]
    return [*rows, Row("", ODD, [_odd(member) for member in odd])] if odd else rows


def _typical(member: Member) -> Shown:
    said = "alone" if member.own is None else f"{member.own:.3f}"
    return Shown(member.picture, said + times(member.copies), GIVEN)


def _odd(member: Member) -> Shown:
    own = f"{member.own:.3f}" + times(member.copies)
    if not member.astray:
        return Shown(member.picture, own)
    return Shown(member.picture, f"{own}  |  {member.other:.3f}", OTHER, ", ".join(member.near))


def _draw(rows: Sequence[Row], path: str | Path, title: str, legend: str) -> str:
    width = 2 * MARGIN + ACROSS * (SIDE + GAP) - GAP
    high = [SIDE + WORDS + (NAME if row.name or row.note else 0) for row in rows]
    sheet = Image.new("RGB", (width, HEADER + sum(high)), PAPER)
    pen = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(20), ImageFont.load_default(12)
    pen.text((width - MARGIN, 22), legend, fill=FAINT, font=small, anchor="ra")
    room = width - 2 * MARGIN - small.getlength(legend) - GAP
    pen.text((MARGIN, 14), squeezed(title, fits(large, room)), fill=INK, font=large)
    top = HEADER
    for row, height in zip(rows, high, strict=True):
        beside = MARGIN
        if row.name:
            normal = ImageFont.load_default(15)
            pen.line([(MARGIN, top), (width - MARGIN, top)], fill=RULE)
            name = squeezed(row.name, fits(normal, width // 2))
            pen.text((MARGIN, top + 5), name, fill=INK, font=normal)
            beside += round(normal.getlength(name)) + GAP
        pen.text((beside, top + 8), row.note, fill=FAINT, font=small)
        for number, each in enumerate(row.shown):
            left = MARGIN + number * (SIDE + GAP)
            _place(sheet, pen, each, (left, top + height - SIDE - WORDS))
        top += height
    folder, _, file = str(path).rpartition("/")
    return files_at(folder or ".").commit(file, as_png(sheet))


def _place(sheet: Image.Image, pen: ImageDraw.ImageDraw, each: Shown, at: tuple[int, int]) -> None:
    left, top = at
    font, narrow = ImageFont.load_default(12), fits(ImageFont.load_default(12), SIDE)
    sheet.paste(thumbnail(each.picture, SIDE), at)
    lines = [
        (squeezed(each.said, narrow), each.colour),
        (squeezed(each.more, narrow), each.colour),
        (ending(each.picture.key, narrow), FAINT),
    ]
    for number, (line, colour) in enumerate((line, c) for line, c in lines if line):
        pen.text((left, top + SIDE + 4 + 16 * number), line, fill=colour, font=font)
