"""What was run, so that it can be run again and written down."""

from __future__ import annotations

import json
from typing import Any

from icehouse.embedder import spoken
from icehouse.report.page._blocks import Block, Points, Section, Table, Verbatim, counted, named
from icehouse.report.page._evidence import Evidence
from icehouse.report.page._scores import Means

LONG = 200


def run_section(evidence: Evidence) -> Section:
    """Return encoder, head, settings, seed, versions and time."""
    card, spec = evidence.card, evidence.encoder["spec"]
    head = [
        (
            "head",
            named(card.name) if card.name == card.kind else f"{named(card.name)} ({card.kind})",
        ),
        (
            "task",
            f"{named(card.task)}, {'several labels' if evidence.multi else 'one label'} an image",
        ),
        ("fitted at", card.fitted_at),
        ("seconds", f"{card.seconds:.1f}"),
        ("seed", _said(card.training.get("seed"))),
        ("images", _images(evidence)),
        ("dataset", named(_said(card.training.get("dataset") or "all of the task's"))),
        ("training set", _said(card.training.get("digest"))),
        ("store", named(evidence.store_name)),
    ]
    encoder = [
        ("encoder", named(spoken(evidence.encoder), LONG)),
        ("encoder_id", card.encoder_id),
        ("network", f"{_said(spec.get('architecture'))} ({_said(spec.get('family'))})"),
        ("dimension", _said(spec.get("dim"))),
        ("precision", f"{_said(spec.get('precision'))}, stored as {_said(spec.get('stored_as'))}"),
        ("weights", _said(spec.get("weights_sha256")) or "none"),
        ("preprocessing", _said(spec.get("preprocess"))),
    ]
    versions = [(name, _said(version)) for name, version in card.versions.items()]
    settings = [(name, _said(value)) for name, value in card.settings.items()]
    settings += [(f"{name}, as chosen", f"{value:.4g}") for name, value in card.chosen.items()]
    blocks: list[Block] = [
        _pairs("The head", head),
        _pairs("Its settings", settings),
        _pairs("The encoder", encoder),
        _pairs("Libraries that fitted it", versions),
        Verbatim("A paragraph for the methods section", methods(evidence)),
    ]
    if card.notes:
        blocks.append(Points("Notes of the fit", tuple(named(note, 500) for note in card.notes)))
    return Section(
        "run",
        "What was run",
        "The same images, encoder, settings and seed give the same numbers.",
        tuple(blocks),
    )


def methods(evidence: Evidence) -> str:
    """Return in a paragraph what a paper has to say of a head."""
    card, spec = evidence.card, evidence.encoder["spec"]
    metrics, means = evidence.metrics, evidence.scores.means["macro avg"]
    images = card.training.get("images", {})
    fitted = f"fitted on {images.get('train', 0):,} images"
    if images.get("val"):
        fitted += f" and calibrated on {images['val']:,} others"
    changed = {k: v for k, v in card.settings.items() if not isinstance(v, dict)}
    settings = ", ".join(f"{name} = {_said(value)}" for name, value in changed.items())
    versions = ", ".join(f"{name} {version}" for name, version in card.versions.items())
    return (
        f"Images were embedded once by a frozen encoder ({spoken(evidence.encoder)}; "
        f"{spec.get('dim')} dimensions; weights {str(spec.get('weights_sha256'))[:12] or 'none'}). "
        f"On these features a classifier of kind {card.kind} was {fitted} ({settings}). "
        f"{_result(evidence, metrics.top1, means)} Software: {versions}."
    )


def _result(evidence: Evidence, accuracy: float, means: Means) -> str:
    what = "exact-match accuracy" if evidence.multi else "accuracy"
    return (
        f"On {counted(len(evidence.rows), evidence.measured + ' image')} of "
        f"{len(evidence.classes):,} classes it reaches {what} {accuracy:.3f}, macro-averaged "
        f"precision {means[0]:.3f}, recall {means[1]:.3f} and F1 {means[2]:.3f}, and an expected "
        f"calibration error of {evidence.metrics.ece:.3f}."
    )


def _images(evidence: Evidence) -> str:
    images = evidence.card.training.get("images", {})
    return ", ".join(f"{count:,} {named(split)}" for split, count in images.items())


def _pairs(title: str, pairs: list[tuple[str, str]]) -> Table:
    rows = tuple((named(name), named(value, 1000)) for name, value in pairs)
    return Table(title, (), rows, "ll")


def _said(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
