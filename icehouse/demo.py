"""``demo``: the whole loop on 1,797 scanned digits, in about a minute, without a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from icehouse.embedder import embed, list_source
from icehouse.heads import KINDS, FitOptions, fit_head, load_head
from icehouse.report import (
    EmbedProgress,
    contact_sheet,
    counts_table,
    embed_table,
    flags_table,
    heads_table,
)
from icehouse.review import flag, write_flags
from icehouse.store import Store

Print = Callable[..., None]

CLOSING = """
[bold]Where things are[/bold]
  {sheet}   the twelve most ambiguous digits: look at this one
  {folder}/flags.csv   all flagged images, for a spreadsheet
  {store}   the store: Parquet and JSON, readable without icehouse

[bold]Next, on photographs of your own[/bold] (folders are classes)
  icehouse embed PHOTOS --store photos.icehouse --encoder tiny
  icehouse fit-head --store photos.icehouse --head mlp --folds 5
  icehouse flag --store photos.icehouse
With a network, --encoder clip:ViT-B-32/laion2b_s34b_b79k sees more than tiny does.
"""


def run(out: Path, show: Print) -> Path:
    """Embed, fit all heads, compare them, flag, and draw the most ambiguous images.

    Parameters
    ----------
    out : Path
        Folder to work in; a second run there reuses what the first one stored.
    show : callable
        Prints text and tables.

    Returns
    -------
    Path
        The contact sheet.
    """
    images = write_digits(out / "digits")
    path = out / "digits.icehouse"
    show(f"[bold]$ icehouse embed {images} --store {path} --encoder tiny[/bold]")
    store = Store.open_or_create(path)
    with EmbedProgress() as progress:
        show(embed_table(embed(store, list_source(images), "tiny", progress=progress)))
    cards = []
    for kind in KINDS:
        show(f"[bold]$ icehouse fit-head --store {path} --head {kind} --folds 5[/bold]")
        cards.append(fit_head(store, kind, options=FitOptions(folds=5)))
    show(heads_table(cards, "test"), heads_table(cards, "out-of-fold"))
    best = min(cards, key=lambda card: card.metrics["out-of-fold"]["log_loss"])
    show(f"[bold]$ icehouse flag --store {path} --head {best.name} --order ambiguity[/bold]")
    stored = load_head(store, best.task, best.name)
    report = flag(store, stored, order="ambiguity")
    folder = path / best.folder
    write_flags(report, folder)
    title = f"The twelve most ambiguous of {report.images:,} digits, by head {best.name!r}"
    sheet = out / "ambiguous.png"
    contact_sheet(report.flags[:12], sheet, title)
    show(flags_table(report, 12), counts_table(report))
    show(CLOSING.format(sheet=sheet, folder=folder, store=path))
    return sheet


def write_digits(folder: Path) -> Path:
    """Write scikit-learn's scanned digits as PNG files in class folders, once."""
    digits: Any = load_digits()
    for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = folder / str(label) / f"{number:04d}.png"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.round(image * 255 / 16).astype(np.uint8)).save(path)
    return folder
