"""Cells of tables that are narrower than what they say: no name is broken over two lines."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

from icehouse.report._names import Fits, ending, squeezed

SHORT = 12  # digits of an image_id that people see
LEAST = 8  # of a name, that tell something


@dataclass(frozen=True)
class NamesCell:
    """A list that wraps behind its commas; the name in what is longer than a line is shortened.

    Attributes
    ----------
    text : str
        Plain, not markup.
    """

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        fits = _fits(options)
        pieces: list[str] = []
        for entry in self.text.replace(", ", ",\n").split("\n"):
            pieces += _shortened(entry, fits)
        lines = pieces[:1]
        for piece in pieces[1:]:
            if fits(f"{lines[-1]} {piece}"):
                lines[-1] += f" {piece}"
            else:
                lines.append(piece)
        yield Text("\n".join(lines))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return _between(max(map(cell_len, self.text.split(" "))), cell_len(self.text), options)


@dataclass(frozen=True)
class ImageCell:
    """A key or path in one line, of which the end is seen, above the image_id.

    Attributes
    ----------
    name : str
        Plain, not markup.
    image_id : str
        Hexadecimal; empty for what is no image.
    """

    name: str
    image_id: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(ending(self.name, _fits(options)), no_wrap=True)
        if self.image_id:
            yield Text(self.image_id[:SHORT], style="dim")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = max(cell_len(self.name), SHORT)
        return _between(width, width, options)


def _shortened(entry: str, fits: Fits) -> list[str]:
    """Return what is shown of an entry such as "3× name" in one line, or else its words."""
    if fits(entry):
        return [entry]
    before, name, after = entry.partition(max(entry.split(" "), key=cell_len))
    short = squeezed(name, lambda text: fits(before + text + after))
    if cell_len(short) >= LEAST:
        return [before + short + after]
    return [squeezed(word, fits) for word in entry.split(" ")]


def _fits(options: ConsoleOptions) -> Fits:
    return lambda text: cell_len(text) <= options.max_width


def _between(least: int, most: int, options: ConsoleOptions) -> Measurement:
    return Measurement(min(least, LEAST), most).with_maximum(options.max_width)
