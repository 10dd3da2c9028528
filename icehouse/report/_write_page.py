"""A page about a task and its head, written as one HTML file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from icehouse.errors import UsageError
from icehouse.store import Store, files_at

if TYPE_CHECKING:
    from icehouse.heads import Metrics, StoredHead


@dataclass(frozen=True)
class PageReport:
    """A page that was written.

    Attributes
    ----------
    path : str
        Where it is.
    bytes : int
    task, head : str
    split : str
        What was measured on.
    images : int
        Measured.
    metrics : Metrics
    summary : str
        What the page comes to, in a few sentences.
    cautions : tuple of str
        What weakens these numbers.
    pictures, missing : int
        Images whose pictures were read, and those that could not be.
    """

    path: str
    bytes: int
    task: str
    head: str
    split: str
    images: int
    metrics: Metrics
    summary: str
    cautions: tuple[str, ...]
    pictures: int
    missing: int


def write_page(
    store: Store, stored: StoredHead, path: str | Path | None = None, split: str | None = None
) -> PageReport:
    """Write a page about a task and its head: one HTML file that needs nothing else.

    The same store gives the same page, byte for byte.

    Parameters
    ----------
    store : Store
    stored : StoredHead
    path : str or Path, optional
        Of the HTML file; it may be a URL. By default ``reports/<task>/<head>.html`` in the store.
    split : {"test", "val", "train", "out-of-fold"}, optional
        What to measure on; by default the first of test, out-of-fold, val and train that there is.

    Raises
    ------
    UsageError
        The file's name does not end in ``.html``, or no image is in that split.
    TrainingDataError
        No labelled image has features of the head's encoder.
    """
    # They bring scikit-learn, over a second: not for all verbs.
    from icehouse.report.page import cautions_of, gather, page_of, sentences

    if path is not None and not str(path).endswith(".html"):
        raise UsageError(f"the page is one file: give a name that ends in .html, not {path}")
    card = stored.card
    evidence = gather(store, stored, split)
    data = page_of(evidence).encode("utf-8", "replace")
    if path is None:
        where = store.files.commit(f"reports/{card.task}/{card.name}.html", data)
    else:
        folder, slash, name = str(path).rpartition("/")
        where = files_at(folder or slash or ".").commit(name, data)
    return PageReport(
        path=where,
        bytes=len(data),
        task=card.task,
        head=card.name,
        split=evidence.split,
        images=len(evidence.rows),
        metrics=evidence.metrics,
        summary=" ".join(sentences(evidence)),
        cautions=tuple(cautions_of(evidence)),
        pictures=len(evidence.album.read),
        missing=len(evidence.album.missing),
    )
