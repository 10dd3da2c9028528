"""The sections of the page in their order, and the page that they become."""

from __future__ import annotations

import re
from functools import lru_cache

import jinja2
from markupsafe import Markup

from icehouse import __version__
from icehouse.report.page._areas import areas_section
from icehouse.report.page._blocks import Section, named
from icehouse.report.page._calibrated import calibration_section
from icehouse.report.page._confusion import confusion_section
from icehouse.report.page._data import data_section
from icehouse.report.page._evidence import Evidence
from icehouse.report.page._labels import labels_section
from icehouse.report.page._mistakes import flags_section, mistakes_section
from icehouse.report.page._ran import run_section
from icehouse.report.page._scored import scores_section
from icehouse.report.page._summary import summary_section
from icehouse.report.page._training import training_section

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

ENDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=\w[-_])(?=\w)")


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


def _breakable(text: str) -> Markup:
    """Return a name that may be broken where a word of it ends, as in SeaLake or toy_poodle."""
    return Markup("<wbr>").join(ENDS.split(text))


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("icehouse.report.page", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    return environment.get_template("page.html.j2")
