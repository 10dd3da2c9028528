"""A page about a task and its head: one HTML file that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jinja2

from icehouse import __version__
from icehouse.errors import UsageError
from icehouse.heads import Metrics, StoredHead
from icehouse.report.page._areas import areas_section
from icehouse.report.page._blocks import Section, named
from icehouse.report.page._calibrated import calibration_section
from icehouse.report.page._confusion import confusion_section
from icehouse.report.page._data import data_section
from icehouse.report.page._evidence import Evidence, gather
from icehouse.report.page._labels import labels_section
from icehouse.report.page._mistakes import flags_section, mistakes_section
from icehouse.report.page._ran import run_section
from icehouse.report.page._scored import scores_section
from icehouse.report.page._summary import cautions_of, sentences, summary_section
from icehouse.report.page._training import training_section
from icehouse.store import Store, files_at

SECTIONS = (
    summary_section,
    data_section,
    labels_section,
    scores_section,
    confusion_section,
    areas_section,
    calibration_section,
    training_section,
    mistakes_section,
    flags_section,
    run_section,
)


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
    """Write a page about a task and its head.

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
    if path is not None and not str(path).endswith(".html"):
        raise UsageError(f"the page is one file: give a name that ends in .html, not {path}")
    evidence = gather(store, stored, split)
    data = page_of(evidence).encode("utf-8", "replace")
    card = stored.card
    if path is None:
        where = store.files.commit(f"reports/{card.task}/{card.name}.html", data)
    else:
        folder, _, name = str(path).rpartition("/")
        where = files_at(folder or ".").commit(name, data)
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


def page_of(evidence: Evidence) -> str:
    """Return the page as HTML."""
    sections: list[Section] = [s for make in SECTIONS if (s := make(evidence)) is not None]
    card = evidence.card
    return _template().render(
        title=f"{named(card.task)} · {named(card.name)}",
        task=named(card.task),
        head=named(card.name),
        kind=card.kind,
        encoder=card.encoder_id,
        fitted_at=card.fitted_at[:16].replace("T", " at "),
        sections=sections,
        missing=len(evidence.album.missing),
        version=__version__,
    )


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("icehouse.report.page", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2")
