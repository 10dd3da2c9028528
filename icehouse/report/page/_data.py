"""What the images are: how many, how large, of which colours, and what they look like."""

from __future__ import annotations

import math

from icehouse.report.page._blocks import (
    Block,
    Chart,
    Charts,
    Gallery,
    Picture,
    Section,
    Swatches,
    Table,
    Words,
    counted,
    named,
)
from icehouse.report.page._choice import drawn_of_class, extreme_classes
from icehouse.report.page._evidence import Evidence
from icehouse.report.page._plot import Axis, Plot, round_ticks

CLASSES, SHOWN, READ = 20, 8, 400
SIZES = 200


def data_section(evidence: Evidence) -> Section:
    """Return sizes, mean colours and samples."""
    return Section(
        "data",
        "The images",
        "Look for what would make the task easier than it seems: classes that differ in size, "
        "format or colour are told apart by those.",
        (
            Words(_in_words(evidence)),
            *_sizes(evidence),
            *_colours(evidence),
            *_samples(evidence),
        ),
    )


def _in_words(evidence: Evidence) -> str:
    inputs = evidence.inputs
    sets = "dataset" if len(inputs.datasets) == 1 else "datasets"
    names = ", ".join(map(named, inputs.datasets[:SHOWN]))
    said = (
        "all with a label" if inputs.labelled == inputs.images else f"{inputs.labelled:,} labelled"
    )
    text = f"{counted(inputs.images, 'image')} in the {sets} {names}, {said}."
    unread = sum(inputs.errors.values())
    if copies := inputs.count - unread - inputs.images:
        text += f" {counted(copies, 'input')} more hold the same bytes as another."
    if unread:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in inputs.errors.items())
        text += f" {counted(unread, 'input')} could not be read ({kinds})."
    formats = ", ".join(
        name if len(inputs.formats) == 1 else f"{count:,} {name}"
        for name, count in inputs.formats.items()
    )
    return f"{text} {formats}, {inputs.bytes / 1e6:,.1f} MB."


def _sizes(evidence: Evidence) -> list[Block]:
    sizes = evidence.inputs.sizes
    if len(sizes) == 1:
        [(width, height)] = sizes
        return [Words(f"Each is {width:,} × {height:,} pixels.")]
    shown = list(sizes.items())[:SIZES]
    wide, high = (max(size[i] for size, _ in shown) * 1.08 for i in (0, 1))
    plot = Plot(
        "Widths and heights of the images",
        Axis("width (pixels)", 0, wide, round_ticks(wide)),
        Axis("height (pixels)", 0, high, round_ticks(high)),
    )
    most = max(sizes.values())
    for (width, height), count in shown:
        radius = max(2.5, 14 * math.sqrt(count / most)) if most > 1 else 2.5
        plot.dot((width, height), radius, "soft", f"{width} × {height}: {count:,}")
    text = "Each disc is a size; its area is the number of images"
    text += f". The {SIZES} most frequent of {len(sizes):,} sizes." if len(sizes) > SIZES else "."
    rows = tuple((f"{w:,} × {h:,}", f"{count:,}") for (w, h), count in shown[:20])
    title = "Sizes" if len(sizes) <= 20 else "The 20 most frequent sizes"
    table = Table(title, ("pixels", "images"), rows, "lr", folded=True)
    return [Charts((Chart("Sizes", plot.svg(), text),), table)]


def _colours(evidence: Evidence) -> list[Block]:
    some, _ = extreme_classes(evidence, CLASSES)
    each = max(SHOWN, min(24, READ // max(1, len(some))))
    rows = []
    for number in some:
        images = drawn_of_class(evidence, number, each)
        found = [c for image in images if (c := evidence.album.colour(image)) is not None]
        if not found:
            continue
        mean = tuple(round(sum(c[i] for c in found) / len(found)) for i in range(3))
        found.sort(key=lambda c: 299 * c[0] + 587 * c[1] + 114 * c[2])
        swatches = Swatches(_hex(mean), _hex(mean), tuple(map(_hex, found)))
        rows.append((named(evidence.classes[number]), swatches))
    if not rows:
        return []
    title = f"Mean colour by class, of up to {each} images, and of each of these"
    return [Table(title, ("class", "mean colour"), tuple(rows), "lW")]


def _samples(evidence: Evidence) -> list[Block]:
    some, said = extreme_classes(evidence, CLASSES)
    blocks: list[Block] = [
        Words(f"A sample of each class, drawn by chance. {said}".strip(), "quiet")
    ]
    for number in some:
        images = drawn_of_class(evidence, number, SHOWN)
        pictures: list[Picture] = [evidence.album.picture(image) for image in images]
        if pictures:
            blocks.append(Gallery(named(evidence.classes[number]), tuple(pictures), dense=True))
    return blocks


def _hex(colour: tuple[int, ...]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
