"""Charts as SVG: a frame with two axes, and what is drawn in it.

Colours are classes of the style sheet, so that a chart is light or dark as the page is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from markupsafe import Markup, escape

LEFT, RIGHT, TOP, BOTTOM = 58, 12, 12, 42
WIDTH, HEIGHT = 362, 314  # in pixels: a phone is as wide
SPACING = 0.5  # pixels: points nearer than this to the last one are not seen

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """A linear axis.

    Attributes
    ----------
    label : str
    low, high : float
    ticks : sequence of (float, str)
        Where there is a mark, and what it says.
    """

    label: str
    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    def share(self, value: float) -> float:
        """Return where a value lies, 0 at the low end and 1 at the high one."""
        return (value - self.low) / (self.high - self.low)


class Plot:
    """A chart.

    Parameters
    ----------
    title : str
        For those who hear the page.
    x, y : Axis
    """

    def __init__(self, title: str, x: Axis, y: Axis) -> None:
        self._title, self._x, self._y = title, x, y
        self._across, self._down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        self._drawn: list[Markup] = []
        self._discs: list[Markup] = []

    def line(self, points: Sequence[Point], tone: str, said: str = "") -> None:
        """Draw a line through points."""
        path = "".join(
            f"{'L' if number else 'M'}{x:.1f} {y:.1f}"
            for number, (x, y) in enumerate(_thinned([self._place(p) for p in points]))
        )
        self._draw('<path class="line {}" d="{}">{}</path>', tone, path, _title(said))

    def dot(self, at: Point, radius: float, tone: str, said: str = "") -> None:
        """Draw a disc, above all lines; at the frame it is not cut off."""
        x, y = self._place(at)
        markup = '<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{:.1f}">{}</circle>'
        disc = Markup(markup).format(  # nosec B704
            tone, LEFT + x, TOP + y, radius, _title(said)
        )
        self._discs.append(disc)

    def box(self, low: Point, high: Point, tone: str, said: str = "") -> None:
        """Draw a box by two of its corners."""
        (x1, y1), (x2, y2) = self._place(low), self._place(high)
        self._draw(
            '<rect class="box {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">{}</rect>',
            tone, min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1), _title(said),
        )  # fmt: skip

    def svg(self) -> Markup:
        """Return the chart."""
        frame = Markup("").join([*self._ticks(), *self._labels()])
        return Markup(
            '<svg class="plot" role="img" aria-label="{title}" viewBox="0 0 {w} {h}" '
            'width="{w}" height="{h}"><title>{title}</title>{frame}'
            '<svg x="{left}" y="{top}" width="{across}" height="{down}">{drawn}</svg>{discs}</svg>'
        ).format(
            title=self._title,
            w=WIDTH,
            h=HEIGHT,
            frame=frame,
            left=LEFT,
            top=TOP,
            across=self._across,
            down=self._down,
            drawn=Markup("").join(self._drawn),
            discs=Markup("").join(self._discs),
        )

    def _draw(self, markup: str, *values: object) -> None:
        self._drawn.append(Markup(markup).format(*values))  # nosec B704

    def _place(self, point: Point) -> Point:
        across, up = self._x.share(point[0]), self._y.share(point[1])
        return across * self._across, (1 - up) * self._down

    def _ticks(self) -> list[Markup]:
        found = []
        bottom, right = TOP + self._down, LEFT + self._across
        for value, text in self._x.ticks:
            x = LEFT + self._x.share(value) * self._across
            found.append(_rule(x, TOP, x, bottom))
            found.append(_text(x, bottom + 16, text, "middle"))
        for value, text in self._y.ticks:
            y = TOP + (1 - self._y.share(value)) * self._down
            found.append(_rule(LEFT, y, right, y))
            found.append(_text(LEFT - 7, y + 4, text, "end"))
        return found

    def _labels(self) -> list[Markup]:
        middle = TOP + self._down / 2
        return [
            _text(LEFT + self._across / 2, HEIGHT - 5, self._x.label, "middle"),
            Markup(
                '<text transform="rotate(-90)" x="{:.1f}" y="12" text-anchor="middle">{}</text>'
            ).format(-middle, self._y.label),
        ]


def unit_ticks(low: float = 0.0, high: float = 1.0) -> list[tuple[float, str]]:
    """Return six marks between two shares."""
    step = (high - low) / 5
    digits = 1 if step >= 0.1 else 2
    return [(low + i * step, f"{low + i * step:.{digits}f}") for i in range(6)]


def round_ticks(high: float, marks: int = 5) -> list[tuple[float, str]]:
    """Return marks at round numbers from 0 up to a number.

    Examples
    --------
    >>> [text for _, text in round_ticks(430)]
    ['0', '100', '200', '300', '400']
    """
    for exponent in count(-6):
        for digit in (1, 2, 5):
            step = digit * 10.0**exponent
            if high / step <= marks:
                steps = range(int(high / step + 1e-9) + 1)
                return [(i * step, f"{round(i * step, 6):,g}") for i in steps]
    raise AssertionError("unreachable")


def _thinned(points: list[Point]) -> list[Point]:
    """Leave out points that are not seen apart from the one before; the last one stays."""
    kept = points[:1]
    for x, y in points[1:]:
        if abs(x - kept[-1][0]) >= SPACING or abs(y - kept[-1][1]) >= SPACING:
            kept.append((x, y))
    if points and kept[-1] != points[-1]:
        kept.append(points[-1])
    return kept


def _title(said: str) -> Markup:
    return Markup("<title>{}</title>").format(said) if said else Markup("")


def _rule(x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<path class="rule" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(x1, y1, x2, y2)


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        x, y, anchor, escape(text)
    )
