"""What a section of the page is made of: plain data, which the template turns into HTML.

Nothing here is HTML but the ``svg`` of a chart. The template escapes all the rest, so that names
out of a store cannot become markup.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from icehouse.report._names import squeezed

LONGEST = 60


@dataclass(frozen=True)
class Bar:
    """A cell with bars: each a share of the cell's width and a tone of the style sheet."""

    kind: ClassVar = "bar"
    text: str
    parts: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Swatches:
    """A cell with colours: one large, and those that it is the mean of."""

    kind: ClassVar = "swatches"
    text: str
    mean: str
    colours: tuple[str, ...]


Cell = str | Bar | Swatches


@dataclass(frozen=True)
class Words:
    """A paragraph; ``tone`` is "", "quiet" or "care"."""

    kind: ClassVar = "words"
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Points:
    """A list of sentences below a heading."""

    kind: ClassVar = "points"
    title: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Verbatim:
    """Text as it stands, to be copied."""

    kind: ClassVar = "verbatim"
    title: str
    text: str


@dataclass(frozen=True)
class Numbers:
    """A few numbers that matter most: number, name, and what to make of it."""

    kind: ClassVar = "numbers"
    numbers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    title : str
    columns : tuple of str
    rows : tuple of tuple of Cell
    align : str
        A letter a column: l left, r right, w left and wide, W left and very wide.
    last : int
        How many rows at the end sum up those before.
    folded : bool
        Shown when its title is clicked.
    """

    kind: ClassVar = "table"
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    align: str
    last: int = 0
    folded: bool = False


@dataclass(frozen=True)
class Chart:
    """A drawing, with what it shows in words, and what its tones stand for."""

    title: str
    svg: Markup
    text: str = ""
    legend: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Charts:
    """Drawings side by side, and their numbers as a table for those who cannot see them."""

    kind: ClassVar = "charts"
    charts: tuple[Chart, ...]
    table: Table | None = None


@dataclass(frozen=True)
class Matrix:
    """A square of counts: truth down, answers across. ``shades`` are 0 to 1 in percent."""

    kind: ClassVar = "matrix"
    title: str
    names: tuple[str, ...]
    counts: tuple[tuple[str, ...], ...]
    shades: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Heat:
    """A matrix too large for numbers, as a picture."""

    kind: ClassVar = "heat"
    title: str
    src: str
    side: int
    text: str


@dataclass(frozen=True)
class Picture:
    """A small picture.

    Attributes
    ----------
    src : str or None
        A data URI; None where it cannot be read any more.
    width, height : int
        To be shown at.
    coarse : bool
        It has so few pixels that they are to be seen.
    image_id : str
        Hexadecimal: ``forget`` finds by it which pages show an image.
    name : str
        Its key.
    lines : tuple of (str, str)
        What is said below: a text, and a tone of the style sheet.
    """

    src: str | None
    width: int
    height: int
    coarse: bool
    image_id: str
    name: str
    lines: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Gallery:
    """Pictures in a row that wraps, below a heading."""

    kind: ClassVar = "gallery"
    title: str
    pictures: tuple[Picture, ...]
    text: str = ""
    dense: bool = False


Block = Words | Points | Verbatim | Numbers | Table | Charts | Matrix | Heat | Gallery


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    slug : str
        Its address on the page.
    title : str
    reading : str
        How to read it, in one sentence.
    blocks : tuple of Block
    """

    slug: str
    title: str
    reading: str
    blocks: tuple[Block, ...]


def named(text: str, longest: int = LONGEST) -> str:
    """Return a name out of a store as it can be shown: printable, and not without end.

    Examples
    --------
    >>> named("a" * 100, longest=5), named("tab\\there")
    ('a…aaa', 'tab\ufffdhere')
    """
    text = squeezed(text, lambda shown: len(shown) <= longest)
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def number(value: float | None, digits: int = 3) -> str:
    """Return a number of a fixed number of digits; a dash for None."""
    return "–" if value is None else f"{value:.{digits}f}"


def counted(count: int, word: str, several: str = "") -> str:
    """Return a count with its word.

    Examples
    --------
    >>> counted(1, "image"), counted(2700, "image"), counted(2, "class", "classes")
    ('1 image', '2,700 images', '2 classes')
    """
    return f"{count:,} {word if count == 1 else several or word + 's'}"
