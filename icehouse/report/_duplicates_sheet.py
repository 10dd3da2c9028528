"""A contact sheet of duplicates: a row a cluster, with labels and splits below the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from icehouse.report._canvas import as_png
from icehouse.report._duplicates import said_of
from icehouse.report._names import ending, squeezed, without_codes
from icehouse.report._sheet import (
    FAINT,
    GIVEN,
    INK,
    MARGIN,
    OTHER,
    PAPER,
    RULE,
    fits,
    thumbnail,
)
from icehouse.store import files_at

if TYPE_CHECKING:
    from icehouse.review import Cluster

PICTURES = 6
PICTURE, GAP = 150, 14
HEADER, ROW = 56, 262
WARNING = "#cf222e"


def duplicates_sheet(clusters: Sequence[Cluster], path: str | Path, title: str) -> str:
    """Draw clusters of duplicates, those first that are first in the list.

    Parameters
    ----------
    clusters : sequence of Cluster
        At least one; of each the first six files are drawn.
    path : str or Path
        Of the PNG; it may be a URL.
    title : str

    Returns
    -------
    str
        Where it is.
    """
    width = 2 * MARGIN + PICTURES * (PICTURE + GAP)
    sheet = Image.new("RGB", (width, HEADER + ROW * len(clusters)), PAPER)
    pen = ImageDraw.Draw(sheet)
    large = ImageFont.load_default(22)
    room = width - 2 * MARGIN
    pen.text((MARGIN, 14), squeezed(title, fits(large, room)), fill=INK, font=large)
    names = without_codes(
        label for each in clusters for copy in each.copies for label in (copy.said or ())
    )
    for number, cluster in enumerate(clusters):
        top = HEADER + number * ROW
        pen.line([(MARGIN, top), (width - MARGIN, top)], fill=RULE)
        _draw(sheet, pen, cluster, names, top + 8)
    folder, _, name = str(path).rpartition("/")
    return files_at(folder or ".").commit(name, as_png(sheet))


def _draw(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    cluster: Cluster,
    names: dict[str, str],
    top: int,
) -> None:
    small, normal = ImageFont.load_default(12), ImageFont.load_default(14)
    left = MARGIN
    for flag in cluster.flags:
        colour = OTHER if flag == "across datasets" else WARNING
        pen.text((left, top), flag, fill=colour, font=normal)
        left += round(normal.getlength(flag)) + 18
    more = len(cluster.copies) - PICTURES
    said = cluster.evidence + (f"   and {more:,} more files" if more > 0 else "")
    pen.text((left, top + 2), said, fill=FAINT, font=small)
    first = said_of(cluster.copies[0], names)
    for number, copy in enumerate(cluster.copies[:PICTURES]):
        x, y = MARGIN + number * (PICTURE + GAP), top + 24
        sheet.paste(thumbnail(copy, PICTURE), (x, y))
        label = said_of(copy, names)
        colour = GIVEN if label == first or not cluster.conflict else WARNING
        shown = squeezed(label, fits(normal, PICTURE))
        pen.text((x, y + PICTURE + 5), shown, fill=colour, font=normal)
        place = ", ".join(filter(None, (copy.split, copy.dataset if cluster.across else "")))
        pen.text((x, y + PICTURE + 25), squeezed(place, fits(small, PICTURE)), fill=INK, font=small)
        key = ending(copy.key, fits(small, PICTURE))
        pen.text((x, y + PICTURE + 42), key, fill=FAINT, font=small)
