"""A contact sheet: images beside their probabilities and their nearest neighbours, as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PIL import Image, ImageDraw, ImageFont

from icehouse.embedder import decode
from icehouse.errors import ImageError
from icehouse.report._canvas import as_png
from icehouse.report._look_again import look_again
from icehouse.report._names import Fits, ending, squeezed, without_codes
from icehouse.store import files_at

if TYPE_CHECKING:
    from icehouse.review import Flag, LabelIssue

COLUMNS = 2
CELL, LINE = (940, 214), 17
PICTURE, THUMBNAIL = 150, 96
MARGIN = 16
BARS = 4
SHOWN_NEIGHBOURS = 5
WIDTH = 905  # of a line of text
KEY = "bars: how probable each class is   below neighbours: their label and cosine similarity"
GAP = "   "  # between the parts of a summary
INK, FAINT, RULE, PAPER = "#1b1f24", "#6a737d", "#d8dee4", "#ffffff"
GIVEN, OTHER, EMPTY = "#1f6feb", "#b58407", "#eef1f4"

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


def contact_sheet(flags: Sequence[Flag | LabelIssue], path: str | Path, title: str) -> str:
    """Draw doubtful images with their probabilities and nearest labelled neighbours.

    Parameters
    ----------
    flags : sequence of Flag or LabelIssue
        At least one; drawn in their order, two in a row.
    path : str or Path
        Of the PNG; it may be a URL.
    title : str

    Returns
    -------
    str
        Where it is.
    """
    rows = -(-len(flags) // COLUMNS)
    header = 56
    names = without_codes(name for flag in flags for name in flag.probabilities)
    said = [_lines(flag.summary, names, ImageFont.load_default(12)) for flag in flags]
    high = CELL[1] + LINE * (max(map(len, said)) - 1)
    sheet = Image.new("RGB", (COLUMNS * CELL[0] + MARGIN, header + rows * high + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    large = ImageFont.load_default(22)
    pen.text((MARGIN, 14), squeezed(title, fits(large, CELL[0])), fill=INK, font=large)
    legend, right = ImageFont.load_default(13), sheet.width - MARGIN
    pen.text((right, 22), "another class", fill=OTHER, font=legend, anchor="ra")
    pen.text((right - 100, 22), "the label given", fill=GIVEN, font=legend, anchor="ra")
    pen.text((right - 210, 22), KEY, fill=FAINT, font=legend, anchor="ra")
    for number, flag in enumerate(flags):
        left = MARGIN + number % COLUMNS * CELL[0]
        top = header + number // COLUMNS * high
        pen.line([(left, top), (left + CELL[0] - MARGIN, top)], fill=RULE)
        _draw_flag(sheet, pen, flag, names, (left, top + 10))
    folder, _, name = str(path).rpartition("/")
    return files_at(folder or ".").commit(name, as_png(sheet))


def _draw_flag(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    flag: Flag | LabelIssue,
    names: dict[str, str],
    at: tuple[int, int],
) -> None:
    left, top = at
    small, normal = ImageFont.load_default(12), ImageFont.load_default(14)
    sheet.paste(thumbnail(flag, PICTURE), (left, top))
    said = "none" if flag.labels is None else _said(flag.labels, names)
    label = squeezed(f"   label: {said}", fits(normal, WIDTH // 2))
    key = ending(flag.key, fits(normal, WIDTH - normal.getlength(label)))
    pen.text((left, top + PICTURE + 6), key + label, fill=INK, font=normal)
    for number, line in enumerate(_lines(flag.summary, names, small)):
        pen.text((left, top + PICTURE + 25 + LINE * number), line, fill=FAINT, font=small)
    _draw_bars(pen, flag, names, (left + PICTURE + 16, top + 4))
    beside = left + PICTURE + 16 + 208
    for number, near in enumerate(flag.neighbours[:SHOWN_NEIGHBOURS]):
        x = beside + number * (THUMBNAIL + 12)
        sheet.paste(thumbnail(near, THUMBNAIL), (x, top))
        said = _said(near.labels or (), names)
        font = normal if fits(normal, THUMBNAIL)(said) else small
        label = squeezed(said, fits(font, THUMBNAIL + 8))
        agrees = set(near.labels or ()) & set(flag.doubted)
        pen.text((x, top + THUMBNAIL + 4), label, fill=GIVEN if agrees else OTHER, font=font)
        pen.text((x, top + THUMBNAIL + 23), f"{near.similarity:.2f}", fill=FAINT, font=small)


def _draw_bars(
    pen: ImageDraw.ImageDraw, flag: Flag | LabelIssue, names: dict[str, str], at: tuple[int, int]
) -> None:
    font, width = ImageFont.load_default(13), 192
    likely = sorted(flag.probabilities.items(), key=lambda item: -item[1])[:BARS]
    for number, (name, probability) in enumerate(likely):
        left, y = at[0], at[1] + number * 36
        given = name in (flag.labels or ())
        shown = squeezed(names[name], fits(font, width - 40))
        pen.text((left, y), shown, fill=INK, font=font)
        pen.text((left + width, y), f"{probability:.2f}", fill=INK, font=font, anchor="ra")
        pen.rectangle([left, y + 17, left + width, y + 24], fill=EMPTY)
        if probability * width >= 1:
            end = left + probability * width
            pen.rectangle([left, y + 17, end, y + 24], fill=GIVEN if given else OTHER)


def _said(labels: Sequence[str], names: dict[str, str]) -> str:
    return ", ".join(names.get(label, label) for label in labels) or "-"


def _lines(summary: str, names: dict[str, str], font: Font) -> list[str]:
    """Return what is said of an image in two lines; of more, the second one loses its middle."""
    for name, short in names.items():
        summary = summary.replace(name, short)
    fit, first, rest = fits(font, WIDTH), "", summary.split(GAP)
    while rest and fit(GAP.join(filter(None, (first, rest[0])))):
        first = GAP.join(filter(None, (first, rest.pop(0))))
    return [line for line in (first, squeezed(GAP.join(rest), fit)) if line]


class Placed(Protocol):
    """What says where a picture is to be found."""

    @property
    def path(self) -> str | None:
        """Its file, where its source is a folder or manifest of this machine."""

    @property
    def source(self) -> str | None:
        """What the key belongs to."""

    @property
    def key(self) -> str:
        """Which of its pictures it is."""


def thumbnail(shown: Placed, side: int) -> Image.Image:
    """Return a picture within a square, or a square that says that it has moved."""
    canvas = Image.new("RGB", (side, side), EMPTY)
    try:
        image = Image.fromarray(decode(look_again(shown.path, shown.source, shown.key)))
    except ImageError:  # moved since it was embedded
        ImageDraw.Draw(canvas).text((side / 2, side / 2), "moved", fill=FAINT, anchor="mm")
        return canvas
    ratio = side / max(image.size)
    size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    image = image.resize(size, Image.Resampling.LANCZOS)
    canvas.paste(image, ((side - size[0]) // 2, (side - size[1]) // 2))
    return canvas


def fits(font: Font, width: float) -> Fits:
    """Return what says whether a text fits into a width, in pixels."""
    return lambda text: font.getlength(text) <= width
