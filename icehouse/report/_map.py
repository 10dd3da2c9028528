"""A map and its groups: a table, the points as CSV, and the picture as a file."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from rich.table import Table

from icehouse.errors import UsageError
from icehouse.report._cells import NamesCell
from icehouse.report._files import check_file, commit_file
from icehouse.report._map_picture import draw_map
from icehouse.report._tables import new_table
from icehouse.store import Store

if TYPE_CHECKING:
    from icehouse.maps import Map
    from icehouse.review import Groups

COLUMNS = ("image_id", "dataset", "key", "x", "y", "group", "placed")
PNG, CSV = "a PNG", "a CSV"


def check_map_files(picture: str, points: str | None) -> None:
    """Refuse what :func:`write_map` or :func:`write_points` could not write, before a map is made.

    Raises
    ------
    UsageError
        There is a folder, or no folder that can be written to; or the picture is named as a CSV.
    """
    if picture.lower().endswith(".csv"):
        raise UsageError(f"--out names a PNG, got {picture}; the points as CSV are --points")
    check_file(picture, f"{PNG}, with --out,")
    if points is not None:
        check_file(points, f"{CSV}, with --points,")


def map_table(groups: Groups) -> Table:
    """Return how many images are in each group."""
    images = "1 image" if len(groups.of) == 1 else f"{len(groups.of):,} images"
    table = new_table(f"{images} by {groups.by}", groups.by, "images", "share")
    for each in groups.sizes():
        share = each.images / len(groups.of)
        table.add_row(NamesCell(each.group), f"{each.images:,}", f"{share:.1%}")
    return table


def write_map(drawn: Map, groups: Groups, path: str, title: str) -> str:
    """Write a map as a PNG; return where it is.

    Raises
    ------
    UsageError
        There is a folder where the file is to be.
    """
    return commit_file(path, draw_map(drawn, groups, title), PNG)


def write_points(store: Store, drawn: Map, groups: Groups, path: str) -> str:
    """Write the points of a map as CSV, a row an image; return where it is.

    Raises
    ------
    UsageError
        There is a folder where the file is to be.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    images = [row.tobytes() for row in drawn.ids]
    places = store.places(images)
    for row, image in enumerate(images):
        place, group = places.get(image), int(groups.of[row])
        x, y = drawn.xy[row].tolist()
        name = groups.names[group] if group >= 0 else ""
        where = (place.dataset, place.key) if place else ("", "")
        placed = "yes" if drawn.placed[row] else ""
        writer.writerow((image.hex(), *where, f"{x:.5g}", f"{y:.5g}", name, placed))
    return commit_file(path, text.getvalue().encode(), CSV)
