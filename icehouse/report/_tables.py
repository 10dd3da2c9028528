"""Results as tables for people. Programs get the dataclasses themselves, as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from icehouse.embedder import EmbedReport, Rehearsal, Speed
from icehouse.report._cells import ImageCell, NamesCell
from icehouse.report._overview import Overview

if TYPE_CHECKING:
    from icehouse.heads import HeadCard
    from icehouse.review import Flag, FlagReport, Prediction

SHOWN_FAILURES = 5
SHORT_SPLITS = {"out-of-fold": "out-of-\nfold"}  # a table of all numbers is 80 columns wide


def embed_table(report: EmbedReport) -> Table:
    """Return what a run of ``embed`` did, and what limited it."""
    table = new_table(_outcome(report), "", "")
    rows: list[tuple[str, Any]] = [
        ("dataset", escape(report.dataset)),
        ("encoder", report.encoder_id),
        ("inputs", f"{report.inputs:,}"),
        ("encoded", f"{report.encoded:,}"),
        ("reused", f"{report.reused:,}"),
        *((f"failed: {kind}", f"{count:,}") for kind, count in report.errors.items()),
    ]
    if report.views:
        rows.append(("augmented views", f"{report.views:,}"))
    if report.gone:
        rows.append(("gone from the source", f"{report.gone:,}"))
    rows += _speed(report.speed, report.seconds)
    rows += [("note", escape(note)) for note in report.notes]
    shown = report.failures[:SHOWN_FAILURES]
    rows += [("not embedded", f"{escape(f.key)} ({f.kind}: {escape(f.detail)})") for f in shown]
    if len(report.failures) > len(shown):
        rows.append(("", f"and {len(report.failures) - len(shown)} more: --json names them all"))
    return fill(table, rows)


def _outcome(report: EmbedReport) -> str:
    if report.encoded:
        return "embedded"
    if report.reused:
        return "nothing new to embed"
    return "nothing embedded: no input could be read as a picture"


def rehearsal_table(rehearsal: Rehearsal) -> Table:
    """Return what a dry run found."""
    table = new_table("dry run, nothing is written", "", "")
    rows: list[tuple[str, Any]] = [
        ("source", escape(rehearsal.source)),
        ("encoder", rehearsal.encoder_id),
        ("inputs", f"{rehearsal.inputs:,}"),
        ("tried", f"{rehearsal.tried:,}"),
        ("encoded", f"{rehearsal.encoded:,}"),
        *([("augmented views", f"{rehearsal.views:,}")] if rehearsal.views else []),
        *((f"failed: {kind}", f"{count:,}") for kind, count in rehearsal.errors.items()),
        *_speed(rehearsal.speed, rehearsal.seconds),
    ]
    if rehearsal.estimate is not None:
        rows.append(("opening the encoder", f"{rehearsal.opening:.1f} s"))
        rows.append(("all of it would take", str(timedelta(seconds=round(rehearsal.estimate)))))
    return fill(table, rows)


def _speed(speed: Speed | None, seconds: float) -> list[tuple[str, Any]]:
    if speed is None:
        return []
    measured = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in speed.engines.items())
    read = [] if speed.read is None else [("read alone", f"{speed.read:,.0f} images/s")]
    share = f"{speed.achieved / speed.bound:.0%} of what decode+encode allow"
    return [
        *read,
        ("decode alone", f"{speed.decode:,.0f} images/s"),
        ("encode alone", f"{speed.encode:,.0f} images/s"),
        ("achieved", f"{speed.achieved:,.0f} images/s in {seconds:.1f} s, {share}"),
        ("limit", speed.limit),
        ("engine", f"{speed.engine} (measured: {measured})" if measured else speed.engine),
    ]


def heads_table(cards: Iterable[HeadCard], split: str | None = None) -> Table:
    """Return the metrics of heads: a row for each head and split, or each head for one split."""
    numbers = {
        "top1": "top-1",
        "top5": "top-5",
        "precision": "prec.",
        "recall": "recall",
        "f1": "F1",
        "auc_roc": "AUC",
        "log_loss": "loss",
        "ece": "ECE",
    }
    cards = list(cards)
    measured = [m for card in cards for name, m in card.metrics.items() if split in (None, name)]
    numbers = {k: v for k, v in numbers.items() if any(m[k] is not None for m in measured)}
    title = "heads on " + ", ".join(sorted({card.encoder_id for card in cards}))
    title += f", {split}" if split else ""
    first = ("head", "split") if split is None else ("head",)
    table = new_table(title, *first, "images", *numbers.values(), "fit s", gap=1)
    for card in cards:
        for name, m in card.metrics.items():
            if split in (None, name):
                shown = [_number(m[key]) for key in numbers]
                which = (card.name,) if split else (card.name, SHORT_SPLITS.get(name, name))
                table.add_row(*which, f"{m['n']:,}", *shown, f"{card.seconds:.1f}")
    for column in table.columns:
        column.no_wrap = True
    return table


def sets_lines(card: HeadCard) -> list[str]:
    """Return a line for each split on how far sets hold what was asked of them."""
    return [
        f"{name}: {m['covered']:.1%} of {m['n']:,} images are in their set of coverage "
        f"{card.coverage:.1%}, which holds {m['set_size']:.2f} classes on average"
        for name, m in card.metrics.items()
        if "covered" in m
    ]


def chosen_lines(card: HeadCard) -> list[str]:
    """Return a line on what a fit chose itself, if it did."""
    said = ", ".join(f"{name} {value:.4g}" for name, value in card.chosen.items())
    return [escape(f"chosen for {card.name}: {said}")] if said else []


def flags_table(report: FlagReport, top: int) -> Table:
    """Return the first flagged images."""
    shown = report.flags[:top]
    title = f"{len(report.flags):,} of {report.images:,} images flagged; the first {len(shown)}"
    table = new_table(title, "image", "label", "predicted", "doubt", "reasons", "nearest", gap=1)
    table.columns[4].no_wrap = True
    for flag in shown:
        votes = Counter("+".join(n.labels or ()) or "-" for n in flag.neighbours)
        near = ", ".join(f"{count}× {name}" for name, count in votes.most_common())
        table.add_row(
            ImageCell(flag.key, flag.image_id),
            _labels(flag.labels),
            _predicted(flag),
            f"{flag.doubt:.2f}",
            "\n".join(flag.reasons),
            NamesCell(near),
        )
    return table


def counts_table(report: FlagReport) -> Table:
    """Return how many images have each reason."""
    return fill(new_table("reasons", "reason", "images"), report.counts.items())


def predictions_table(predictions: Sequence[Prediction]) -> Table:
    """Return answers, the next classes or the set, and why an answer is ambiguous."""
    sets = any(each.possible is not None for each in predictions)
    third = "one of" if sets else "next"
    table = new_table("predictions", "image", "answer", "p", third, "ambiguous because")
    for each in predictions:
        if each.error is not None:
            said = Text(each.error, style="red")
            table.add_row(ImageCell(each.name, ""), "", "", "", said)
            continue
        p = [each.probabilities[label] for label in each.predicted]
        rest = [
            f"{name} {value:.2f}"
            for name, value in each.probabilities.items()
            if name not in each.predicted
        ]
        table.add_row(
            ImageCell(each.name, each.image_id),
            _labels(each.predicted),
            " ".join(f"{value:.2f}" for value in p),
            _labels(each.possible) if sets else NamesCell(", ".join(rest[:4])),
            ", ".join(f"{name} {strength:.2f}" for name, strength in each.reasons.items()),
        )
    return table


def overview_tables(overview: Overview) -> list[RenderableType]:
    """Return what a store holds."""
    datasets = new_table("datasets", "dataset", "inputs", "images", "errors", "source")
    for d in overview.datasets:
        errors = ", ".join(f"{count} {kind}" for kind, count in d.errors.items()) or "0"
        source, name = escape(d.source or ""), escape(d.name)
        datasets.add_row(name, f"{d.inputs:,}", f"{d.images:,}", errors, source)
    columns = ["encoder_id", "name", "dim", "precision", "vectors"]
    with_views = any(e.views for e in overview.encoders)
    encoders = new_table("encoders", *columns, *(["views"] if with_views else []))
    for e in overview.encoders:
        views = [f"{e.views:,}"] if with_views else []
        encoders.add_row(e.encoder_id, e.name, str(e.dim), e.precision, f"{e.vectors:,}", *views)
    tasks = new_table("tasks", "task", "kind", "labelled images", "classes")
    for t in overview.tasks:
        classes = ", ".join(f"{name} {count:,}" for name, count in t.classes.items())
        tasks.add_row(escape(t.name), t.kind, f"{t.labelled:,}", escape(classes))
    shown: list[RenderableType] = [datasets, encoders, tasks]
    by_encoder: dict[str, list[HeadCard]] = {e.encoder_id: [] for e in overview.encoders}
    for card in overview.heads:  # an ensemble may be of several encoders, which come last
        by_encoder.setdefault(card.encoder_id, []).append(card)
    for cards in filter(None, by_encoder.values()):
        shown += [heads_table(cards), *(line for card in cards for line in chosen_lines(card))]
    return [*shown, *(f"[red]damaged[/red]: {escape(each)}" for each in overview.damaged)]


def new_table(title: str, *columns: str, gap: int = 2) -> Table:
    """Return an empty table."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        show_header=any(columns),
        box=None,
        padding=(0, gap, 0, 0),
        header_style="bold underline",
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def fill(table: Table, rows: Iterable[tuple[str, Any]]) -> Table:
    """Add rows of two columns."""
    for name, value in rows:
        table.add_row(name, str(value))
    return table


def _predicted(flag: Flag) -> NamesCell:
    said = ", ".join(flag.predicted) or "-"
    if len(flag.predicted) == 1:
        said += f" {flag.probabilities[flag.predicted[0]]:.2f}"
    return NamesCell(said)


def _labels(labels: tuple[str, ...] | None) -> NamesCell:
    return NamesCell("" if labels is None else ", ".join(labels) or "-")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
