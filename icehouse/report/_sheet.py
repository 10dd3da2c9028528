"""A contact sheet: images beside their probabilities and their nearest neighbours, as a PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from icehouse.embedder import decode
from icehouse.errors import ImageError
from icehouse.report._look_again import look_again
from icehouse.store import files_at

if TYPE_CHECKING:
    from icehouse.review import Flag, LabelIssue, Neighbour

COLUMNS = 2
CELL = 940, 214
PICTURE, THUMBNAIL = 150, 96
MARGIN = 16
BARS = 4
SHOWN_NEIGHBOURS = 5
INK, FAINT, RULE, PAPER = "#1b1f24", "#6a737d", "#d8dee4", "#ffffff"
GIVEN, OTHER, EMPTY = "#1f6feb", "#b58407", "#eef1f4"


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
    sheet = Image.new("RGB", (COLUMNS * CELL[0] + MARGIN, header + rows * CELL[1] + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 14), title, fill=INK, font=ImageFont.load_default(22))
    legend, right = ImageFont.load_default(13), sheet.width - MARGIN
    pen.text((right, 22), "another class", fill=OTHER, font=legend, anchor="ra")
    pen.text((right - 100, 22), "the label given", fill=GIVEN, font=legend, anchor="ra")
    for number, flag in enumerate(flags):
        left = MARGIN + number % COLUMNS * CELL[0]
        top = header + number // COLUMNS * CELL[1]
        pen.line([(left, top), (left + CELL[0] - MARGIN, top)], fill=RULE)
        _draw_flag(sheet, pen, flag, left, top + 10)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    folder, _, name = str(path).rpartition("/")
    return files_at(folder or ".").commit(name, buffer.getvalue())


def _draw_flag(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, flag: Flag | LabelIssue, left: int, top: int
) -> None:
    small, normal = ImageFont.load_default(12), ImageFont.load_default(14)
    sheet.paste(_thumbnail(flag, PICTURE), (left, top))
    said = ", ".join(flag.labels or ()) or "-"
    caption = f"{flag.key}   label: {said if flag.labels is not None else 'none'}"
    pen.text((left, top + PICTURE + 6), _fit(caption, normal, 880), fill=INK, font=normal)
    line = _fit(flag.summary, small, 910)
    pen.text((left, top + PICTURE + 25), line, fill=FAINT, font=small)
    _draw_bars(pen, flag, left + PICTURE + 16, top + 4)
    beside = left + PICTURE + 16 + 208
    for number, near in enumerate(flag.neighbours[:SHOWN_NEIGHBOURS]):
        x = beside + number * (THUMBNAIL + 12)
        sheet.paste(_thumbnail(near, THUMBNAIL), (x, top))
        label = _fit(", ".join(near.labels or ()) or "-", normal, THUMBNAIL)
        agrees = set(near.labels or ()) & set(flag.doubted)
        pen.text((x, top + THUMBNAIL + 4), label, fill=GIVEN if agrees else OTHER, font=normal)
        pen.text((x, top + THUMBNAIL + 23), f"{near.similarity:.2f}", fill=FAINT, font=small)


def _draw_bars(pen: ImageDraw.ImageDraw, flag: Flag | LabelIssue, left: int, top: int) -> None:
    font, width = ImageFont.load_default(13), 192
    likely = sorted(flag.probabilities.items(), key=lambda item: -item[1])[:BARS]
    for number, (name, probability) in enumerate(likely):
        y = top + number * 36
        given = name in (flag.labels or ())
        pen.text((left, y), _fit(name, font, width - 48), fill=INK, font=font)
        pen.text((left + width, y), f"{probability:.2f}", fill=INK, font=font, anchor="ra")
        pen.rectangle([left, y + 17, left + width, y + 24], fill=EMPTY)
        if probability * width >= 1:
            end = left + probability * width
            pen.rectangle([left, y + 17, end, y + 24], fill=GIVEN if given else OTHER)


def _thumbnail(shown: Flag | LabelIssue | Neighbour, side: int) -> Image.Image:
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


def _fit(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
