"""Explanations as pictures: the original, the map over it, and a scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw, ImageFont

from icehouse.report._canvas import FAINT, INK, PAPER, RULE, as_png
from icehouse.report._names import ending, squeezed

if TYPE_CHECKING:
    from icehouse.explain import Explained, Explainer, ExplainOptions, Explanation

FOR, AGAINST, EMPTY = "#c2410c", "#1d4ed8", "#eef1f4"
ALONE, AMONG = 384, 224  # pixels of a picture's longer side
MARGIN, LINE, BAR = 16, 20, 14
SCALE = 96  # width of the bar with its numbers
STRENGTH = 0.8  # of the colour at the largest value; the picture has to shine through
PALE, UNSEEN = 0.45, 0.85  # how much of the picture below is white; where the encoder sees nothing

Pixels = npt.NDArray[np.uint8]


def explain_picture(
    explainer: Explainer, data: bytes, name: str = "", options: ExplainOptions | None = None
) -> tuple[Explanation, bytes]:
    """Explain the answer to a picture, in words and numbers and as a PNG.

    Raises
    ------
    ImageError, UsageError
        As :meth:`icehouse.explain.Explainer.explain`.
    """
    explained = explainer.explain(data, name, options)
    return explained.explanation, explained_png(explained)


def explained_png(explained: Explained) -> bytes:
    """Draw the original, the map over it, and a scale, below the answer; return a PNG."""
    return as_png(_panel(explained, ALONE))


def explained_sheet(several: Sequence[Explained]) -> bytes:
    """Draw explanations on one sheet, two in a row; return a PNG."""
    panels = [_panel(each, AMONG) for each in several]
    wide, high = (max(size) for size in zip(*(panel.size for panel in panels), strict=True))
    columns = min(2, len(panels))
    sheet = Image.new("RGB", (columns * wide, -(-len(panels) // columns) * high), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, panel in enumerate(panels):
        left, top = number % columns * wide, number // columns * high
        sheet.paste(panel, (left, top))
        pen.line([(left + MARGIN, top), (left + wide - MARGIN, top)], fill=RULE)
    return as_png(sheet)


def _panel(explained: Explained, side: int) -> Image.Image:
    said = explained.explanation
    low, high = _range(explained.map)
    pictures = [("original", Image.fromarray(explained.original))]
    if explained.without_colour is not None:
        grey = _without_colour(explained, explained.without_colour)
        pictures.append((f"without colour: {said.hidden:.2f}", grey))
    pictures.append((said.method, _overlay(explained, low, high)))
    width = len(pictures) * (side + MARGIN) + MARGIN + SCALE
    panel = Image.new("RGB", (width, side + 5 * LINE + 2 * MARGIN), PAPER)
    pen = ImageDraw.Draw(panel)
    large, small = ImageFont.load_default(17), ImageFont.load_default(13)
    answer = f"   {', '.join(said.predicted) or 'no class'}"
    if said.predicted != (said.shown,):
        answer += f"   (shown: {said.shown})"
    title = squeezed(f"{answer} {said.probability:.2f}", _fits(large, 0.65 * width))
    name = ending(said.name, _fits(large, width - 2 * MARGIN - large.getlength(title)))
    pen.text((MARGIN, MARGIN - 6), name + title if name else title.strip(), fill=INK, font=large)
    top = MARGIN + LINE + 8
    for number, (words, picture) in enumerate(pictures):
        left = MARGIN + number * (side + MARGIN)
        panel.paste(_fitted(picture, side), (left, top))
        pen.text((left, top + side + 4), words, fill=FAINT, font=small)
    _scale(panel, explained.map, (width - SCALE, top), side)
    right, bottom = width - MARGIN, top + side + 4
    pen.text((right, bottom), said.unit, fill=FAINT, font=small, anchor="ra")
    for number, line in enumerate(_lines(said), 1):
        fits = _fits(small, width - 2 * MARGIN)
        pen.text((MARGIN, bottom + number * LINE), squeezed(line, fits), fill=FAINT, font=small)
    return panel


def _lines(said: Explanation) -> list[str]:
    lines = []
    if said.scores is not None:
        s = said.scores
        lines.append(
            f"deletion {s.deletion:.2f} (random order {s.random_deletion:.2f})   "
            f"insertion {s.insertion:.2f} (random order {s.random_insertion:.2f})"
        )
    if said.randomised is not None:
        verdict = "another map" if said.passed else "THE SAME MAP: it says little of this head"
        lines.append(f"with shuffled weights: {verdict} (rank correlation {said.randomised:.2f})")
    return lines


def _range(values: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the magnitudes that have no colour and all of it.

    Where all values have one sign, the least has none: the difference between them is what tells
    parts apart, and the scale says what they are.
    """
    sizes = np.abs(values)
    one_sign = values.min() > 0 or values.max() < 0
    return float(sizes.min()) if one_sign else 0.0, float(sizes.max())


def _overlay(explained: Explained, low: float, high: float) -> Image.Image:
    """Lay the map over the original, there where it lies."""
    below, box = _shown(explained)
    size = max(1, box[2] - box[0]), max(1, box[3] - box[1])
    fine = Image.fromarray(explained.map.astype(np.float32))
    values = Image.new("F", below.size)
    values.paste(fine.resize(size, Image.Resampling.BILINEAR), box[:2])
    grey = np.asarray(below.convert("L"), np.float32)
    return Image.fromarray(_coloured(_paled(grey, box), np.asarray(values), low, high))


def _without_colour(explained: Explained, grey: Pixels) -> Image.Image:
    """Lay what the encoder sees without colour over the original, there where it lies."""
    below, box = _shown(explained)
    size = max(1, box[2] - box[0]), max(1, box[3] - box[1])
    around = _paled(np.asarray(below.convert("L"), np.float32), box)
    picture = Image.fromarray(np.round(around).astype(np.uint8)).convert("RGB")
    picture.paste(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC), box[:2])
    return picture


def _shown(explained: Explained) -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Return the original, no smaller than it is drawn, and which pixels of it are seen.

    They are left, top, right and bottom, and may lie outside of it.
    """
    image = Image.fromarray(explained.original)
    grow = max(1.0, ALONE / max(image.size))
    size = max(1, round(image.width * grow)), max(1, round(image.height * grow))
    top, left, bottom, right = explained.box
    box = (left * size[0], top * size[1], right * size[0], bottom * size[1])
    x0, y0, x1, y1 = map(round, box)
    return image.resize(size, Image.Resampling.LANCZOS), (x0, y0, x1, y1)


def _paled(grey: npt.NDArray[Any], box: tuple[int, int, int, int]) -> npt.NDArray[np.float32]:
    """Return a grey picture with much white in it, and more where nothing is seen."""
    share = np.full(grey.shape, UNSEEN, np.float32)
    x0, y0, x1, y1 = (max(edge, 0) for edge in box)
    share[y0:y1, x0:x1] = PALE
    pale: npt.NDArray[np.float32] = 255 * share + (1 - share) * grey
    return pale


def _coloured(below: npt.NDArray[Any], values: npt.NDArray[Any], low: float, high: float) -> Pixels:
    """Lay colours of values, (H, W), over a grey picture, as strong as values are large."""
    share = np.clip((np.abs(values) - low) / ((high - low) or 1.0), 0, 1)[..., None] * STRENGTH
    ends = [np.array(ImageColor.getrgb(name), np.float32) for name in (FOR, AGAINST)]
    colour = np.where(values[..., None] > 0, *ends)
    return np.round(below[..., None] * (1 - share) + colour * share).astype(np.uint8)


def _scale(panel: Image.Image, of: npt.NDArray[Any], at: tuple[int, int], side: int) -> None:
    low, high = _range(of)
    top = high if low == 0 or of.max() > 0 else -low
    bottom = -high if low == 0 or of.max() < 0 else low
    values = np.repeat(np.linspace(top, bottom, side)[:, None], BAR, axis=1)
    paper = np.full(values.shape, 255 * PALE + (1 - PALE) * 190, np.float32)
    panel.paste(Image.fromarray(_coloured(paper, values, low, high)), at)
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(13)
    marks = [(0.0, f"{top:+.2g}", "la"), (1.0, f"{bottom:+.2g}", "ld")]
    marks += [(0.5, "0", "lm")] if low == 0 else []
    for share, words, anchor in marks:
        place = at[0] + BAR + 6, at[1] + share * side
        pen.text(place, words, fill=INK, font=font, anchor=anchor)


def _fitted(image: Image.Image, side: int) -> Image.Image:
    """Return a picture as a square of a given side, with paper around it."""
    ratio = side / max(image.size)
    size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    canvas = Image.new("RGB", (side, side), EMPTY)
    place = (side - size[0]) // 2, (side - size[1]) // 2
    canvas.paste(image.resize(size, Image.Resampling.LANCZOS), place)
    return canvas


def _fits(font: Any, width: float) -> Any:
    return lambda text: font.getlength(text) <= width
