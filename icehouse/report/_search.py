"""What a search found, and what indexes there are: tables, CSV and a sheet of pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont
from rich.markup import escape
from rich.table import Table

from icehouse.report._canvas import as_png
from icehouse.report._cells import ImageCell, NamesCell
from icehouse.report._names import ending, squeezed
from icehouse.report._sheet import EMPTY, FAINT, INK, MARGIN, PAPER, RULE, Placed, fits, thumbnail
from icehouse.report._tables import new_table
from icehouse.store import files_at

if TYPE_CHECKING:
    from icehouse.search import Found, Hit, IndexState, Pushed, PushedState
    from icehouse.store import IndexCard

ACROSS, SIDE, GAP, WORDS = 6, 180, 12, 62
Cell = tuple[Placed, str, str]  # a picture, and two lines below it


def hits_table(found: Found) -> Table:
    """Return the images that a search found."""
    title = f"most similar of {found.among:,} images"
    table = new_table(title, "", "cosine", "image", "dataset", "label")
    for hit in found.hits:
        said = "" if hit.labels is None else ", ".join(hit.labels) or "-"
        table.add_row(
            str(hit.rank),
            f"{hit.similarity:.3f}",
            ImageCell(hit.key, hit.image_id),
            escape(hit.dataset),
            NamesCell(said),
        )
    return table


def index_table(card: IndexCard) -> Table:
    """Return what an index was chosen from."""
    wanted = f"recall {card.asked['target_recall']:g}"
    title = f"{card.encoder_id}: {card.kind}, the fastest with {wanted}"
    if card.kind == "flat":
        title = f"{card.encoder_id}: no index; exact search is the fastest with {wanted}"
    return _measured(title, card.tried, card.kind)


def indexes_table(states: Iterable[IndexState]) -> Table:
    """Return the indexes of a store."""
    columns = ("encoder", "kind", "recall", "queries/s", "MB", "vectors", "lacks", "gone")
    table = new_table("indexes", *columns, gap=1)
    for each in states:
        card = each.card
        if card is None:
            table.add_row(each.encoder_id, "damaged")
            continue
        said = card.measured
        table.add_row(
            each.encoder_id,
            "exact search" if card.kind == "flat" else card.kind,
            f"{said['recall']:.3f}",
            f"{said['queries_per_second']:,.0f}",
            f"{said['memory'] / 1e6:,.0f}",
            f"{each.vectors:,}",
            f"{each.lacks:,}",
            f"{each.gone:,}",
        )
    return table


def pushed_lines(pushed: Pushed) -> list[str]:
    """Return what a push to Milvus did."""
    done = "nothing to do"
    if pushed.added or pushed.removed:
        done = f"{pushed.added:,} vectors added, {pushed.removed:,} removed"
    where = f"{pushed.collection} at {pushed.where}"
    return [escape(f"{done}; {where} has {pushed.rows:,} ({pushed.seconds:,.1f} s)")]


def pushed_table(states: Iterable[PushedState]) -> Table:
    """Return how far collections of Milvus are behind the store."""
    table = new_table("in Milvus", "encoder", "collection", "at", "vectors", "lacks", "gone", gap=1)
    for each in states:
        numbers = (f"{number:,}" for number in (each.vectors, each.lacks, each.gone))
        table.add_row(each.encoder_id, each.collection, escape(each.where), *numbers)
    return table


def _measured(title: str, tried: Sequence[Mapping[str, Any]], chosen: str) -> Table:
    columns = ("index", "search", "recall@10", "queries/s", "p95, ms", "MB", "build s", "")
    table = new_table(title, *columns, gap=1)
    for each in tried:
        how = " ".join(f"{name}={value:g}" for name, value in each["parameters"].items())
        table.add_row(
            each["kind"],
            how,
            f"{each['recall']:.4f}" if each["recall"] else "",
            f"{each['queries_per_second']:,.0f}" if each["queries_per_second"] else "",
            f"{each['latency_ms']:.2f}" if each["latency_ms"] else "",
            f"{each['memory'] / 1e6:,.0f}",
            f"{each['build_seconds']:,.0f}",
            "chosen" if each["kind"] == chosen else each["why"],
        )
    return table


def write_hits(found: Found, folder: str | Path, title: str) -> list[str]:
    """Write ``search.csv`` and, where there are hits, ``search.png`` into a folder or URL."""
    files = files_at(folder)
    written = [files.commit("search.csv", _csv(found.hits).encode())]
    if found.hits:
        written.append(files.commit("search.png", _sheet(found, title)))
    return written


def _csv(hits: Sequence[Hit]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["rank", "similarity", "dataset", "key", "image_id", "labels"])
    for hit in hits:
        labels = ";".join(hit.labels or ())
        similarity = f"{hit.similarity:.6f}"
        writer.writerow([hit.rank, similarity, hit.dataset, hit.key, hit.image_id, labels])
    return text.getvalue()


def _sheet(found: Found, title: str) -> bytes:
    """Draw what was asked for, and below it what was found, in its order, row by row."""
    asked = [(e, "asked for" if e.liked else "not like this", e.key) for e in found.examples]
    hits = [
        (hit, f"{hit.rank}.  {hit.similarity:.3f}  {', '.join(hit.labels or ())}", hit.key)
        for hit in found.hits
    ]
    rows = [*_by_rows(asked), *_by_rows(hits)]
    across = max(map(len, rows))
    size = max(across, 3) * (SIDE + GAP) + 2 * MARGIN, len(rows) * (SIDE + WORDS) + 60
    sheet = Image.new("RGB", size, PAPER)
    pen, small = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    large = ImageFont.load_default(20)
    pen.text((MARGIN, 14), squeezed(title, fits(large, size[0] - 2 * MARGIN)), INK, large)
    narrow = fits(small, SIDE)
    for number, row in enumerate(rows):
        top = 54 + number * (SIDE + WORDS)
        for place, (shown, said, key) in enumerate(row):
            left = MARGIN + place * (SIDE + GAP)
            pen.rectangle([left, top, left + SIDE - 1, top + SIDE - 1], fill=EMPTY)
            sheet.paste(thumbnail(shown, SIDE), (left, top))
            pen.text((left, top + SIDE + 5), squeezed(said, narrow), fill=INK, font=small)
            pen.text((left, top + SIDE + 24), ending(key, narrow), fill=FAINT, font=small)
        if number + 1 == len(_by_rows(asked)):
            low = top + SIDE + WORDS - GAP
            pen.line([(MARGIN, low), (size[0] - MARGIN, low)], fill=RULE)
    return as_png(sheet)


def _by_rows(cells: Sequence[Cell]) -> list[Sequence[Cell]]:
    return [cells[start : start + ACROSS] for start in range(0, len(cells), ACROSS)]
