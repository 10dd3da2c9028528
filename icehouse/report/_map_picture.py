"""A map as a picture: a point for each image, in the colour of its group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import ImageColor

from icehouse.report._canvas import FAINT, INK, Canvas, text_width
from icehouse.report._names import squeezed

if TYPE_CHECKING:
    from icehouse.maps import Map
    from icehouse.review import Groups

SIDE, MARGIN, TOP, ROW = 720.0, 20.0, 70.0, 22.0
PALETTE = (
    "#1f6feb", "#d9480f", "#1a7f37", "#8250df", "#e0a800", "#0e9aa7", "#cf2277", "#7a4f1d",
    "#6cc24a", "#f28e8e", "#5b6ee1", "#9a9a00", "#00796b", "#c792ea", "#a40e26", "#4aa3df",
)  # fmt: skip
ERROR, FLAG = "error", "flag"  # groupings that have no places of their own on a map
SIGNS = {"right": "#c3cad1", "wrong": "#cf222e"}  # which the eye should look for
OTHER, NONE = "#8c959f", "#d8dee4"
CROWD = 0.12  # of the paper that points cover, at most, if none lay on another
SMALLEST, LARGEST = 0.7, 4.0
NAMED = 20  # groups that are named on the map
NAME = 15  # pixels from one name to the next below


def draw_map(drawn: Map, groups: Groups, title: str) -> bytes:
    """Draw a map, with a legend of its groups, as a PNG.

    Of more groups than there are colours the smaller ones share one.
    """
    colours = colours_of(groups)
    legend_rows = _legend(groups, colours)
    names = [f"{_short(name, 200)}  {count:,}" for name, count, _ in legend_rows]
    legend = MARGIN + SIDE + 30
    canvas = Canvas(
        legend + 20 + max(text_width(name, 13) for name in names) + MARGIN, TOP + SIDE + MARGIN
    )
    canvas.text((MARGIN, 26), _short(title, SIDE, 18), 18, INK)
    canvas.text((MARGIN, 48), _said(drawn, groups), 13, FAINT)
    at = _on_paper(drawn.xy)
    palette = np.array([ImageColor.getrgb(colour) for colour in [*colours, NONE]], np.uint8)
    radius = _radius(len(drawn))
    canvas.dots(*_shuffled(at, palette[groups.of], groups), radius)
    if groups.by not in (ERROR, FLAG) and len(groups.names) <= NAMED:
        names_there = [_short(name, 150) for name in groups.names]
        middles = [_middle(at[groups.of == number]) for number in range(len(groups.names))]
        above = [(x, y - radius - 9) for x, y in middles]  # the point of a group of one is seen
        for place, name in zip(_apart(above, names_there), names_there, strict=True):
            canvas.halo(place, name, 13)
    for row, (name, (_, _, colour)) in enumerate(zip(names, legend_rows, strict=True)):
        y = TOP + 10 + row * ROW
        canvas.mark((legend + 6, y), None, 5, colour, filled=True)
        canvas.text((legend + 20, y), name, 13)
    return canvas.png()


def colours_of(groups: Groups) -> list[str]:
    """Return the colour of each group; as long as the same ones are drawn, each keeps its own."""
    if groups.by == ERROR:
        return [SIGNS[name] for name in groups.names]
    of = dict(zip(sorted(groups.names[: len(PALETTE)]), PALETTE, strict=False))
    return [of.get(name, OTHER) for name in groups.names]


def _short(name: str, width: float, size: float = 13) -> str:
    return squeezed(name, lambda text: text_width(text, size) <= width)


def _legend(groups: Groups, colours: list[str]) -> list[tuple[str, int, str]]:
    """Return name, images and colour of each row; what shares a colour is one."""
    every = [
        (each.group, each.images, colour)
        for each, colour in zip(groups.sizes(), [*colours, NONE], strict=False)
    ]
    alike = [row for row in every if row[2] == OTHER]
    rows = [row for row in every if row[2] not in (OTHER, NONE)]
    if len(alike) > 1:
        alike = [(f"{len(alike)} others", sum(count for _, count, _ in alike), OTHER)]
    return rows + alike + [row for row in every if row[2] == NONE]


def _said(drawn: Map, groups: Groups) -> str:
    before = "1 image, " if len(drawn) == 1 else f"{len(drawn):,} images, "
    after = f", {drawn.method}, by {groups.by}"
    if drawn.kept is not None:
        after += f", {drawn.kept:.0%} of the nearest neighbours are nearest here"
    return before + _short(drawn.encoder_id, SIDE - text_width(before + after, 13)) + after


def _on_paper(xy: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Fit points to the paper, both axes by one scale, and without the few that lie far out."""
    low, high = np.quantile(xy, [0.001, 0.999], axis=0)
    span = max(float((high - low).max()), 1e-9) * 1.06
    middle = (low + high) / 2
    unit = np.clip((xy - middle) / span + 0.5, 0.003, 0.997)
    return np.stack([MARGIN + unit[:, 0] * SIDE, TOP + (1 - unit[:, 1]) * SIDE], axis=1)


def _shuffled(
    at: npt.NDArray[np.float64], colours: npt.NDArray[np.uint8], groups: Groups
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """Bring points into an order in which no group hides another; those that count come last."""
    order = np.random.default_rng(0).permutation(len(at))
    late = np.array([groups.by == ERROR and name == "wrong" for name in groups.names] + [False])
    rank = np.where(groups.of < 0, 0, 1 + late[groups.of])
    order = order[np.argsort(rank[order], kind="stable")]
    return at[order], colours[order]


def _radius(points: int) -> float:
    radius = float(np.sqrt(CROWD * SIDE**2 / np.pi / max(points, 1)))
    return min(max(radius, SMALLEST), LARGEST)


def _apart(places: list[tuple[float, float]], names: list[str]) -> list[tuple[float, float]]:
    """Move names that would lie on each other down, and into the paper; from the top to the bottom.

    Examples
    --------
    >>> _apart([(300, 200), (300, 205), (100, 205)], ["river", "road", "lake"])
    [(300, 200), (300, 215), (100, 205)]
    """
    wide = [text_width(name, 13) / 2 for name in names]
    found: dict[int, tuple[float, float]] = {}
    for number in sorted(range(len(names)), key=lambda each: places[each][1]):
        x, y = places[number]
        x = min(max(x, MARGIN + wide[number]), MARGIN + SIDE - wide[number])
        for other, (left, top) in sorted(found.items(), key=lambda each: each[1][1]):
            if abs(x - left) < wide[number] + wide[other] and abs(y - top) < NAME:
                y = top + NAME
        found[number] = x, y
    return [found[number] for number in range(len(names))]


def _middle(at: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the point of a group that is nearest to its median."""
    nearest = np.linalg.norm(at - np.median(at, axis=0), axis=1).argmin()
    return float(at[nearest, 0]), float(at[nearest, 1])
