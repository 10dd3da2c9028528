"""Stores to draw pages of, and a reader that takes a page apart as a browser does."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source
from icehouse.heads import LabelledSet, fit_head, load_head, measure
from icehouse.report.page import Evidence, gather
from icehouse.report.page._album import Album
from icehouse.report.page._scores import score
from icehouse.store import Store, Task, ids_from_bytes, image_id

EVIL = "<script>alert(1)</script>"

VOID = {"meta", "img", "link", "br", "wbr", "hr", "input"}


@dataclass
class Table:
    """A table: its heading or summary, and the texts of its cells."""

    title: str
    rows: list[list[str]] = field(default_factory=list)

    def row(self, first: str) -> list[str]:
        """Return the row that begins with a text."""
        return next(row for row in self.rows if row[0] == first)


class Page(HTMLParser):
    """Tags, attributes, texts and tables; every tag has to be closed in its order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[Table] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self._heading = ""
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self._open.append(tag)
        if tag in ("h2", "h3", "h4", "summary"):
            self._heading = ""
        elif tag == "table":
            self.tables.append(Table(self._heading))
        elif tag == "tr":
            self.tables[-1].rows.append([])
        elif tag in ("td", "th"):
            self.tables[-1].rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if {"h2", "h3", "h4", "summary"} & set(self._open):
            self._heading += data
        elif "td" in self._open or "th" in self._open:
            self.tables[-1].rows[-1][-1] += data

    @property
    def text(self) -> str:
        """All that is to be read."""
        return " ".join(" ".join(self.texts).split())

    def table(self, beginning: str) -> Table:
        """Return the table whose title begins so."""
        return next(each for each in self.tables if each.title.startswith(beginning))

    def attributes(self, name: str) -> list[str]:
        """Return the values of an attribute, wherever it is."""
        return [value for _, values in self.tags if (value := values.get(name)) is not None]

    def count(self, tag: str) -> int:
        """Return how often a tag occurs."""
        return sum(found == tag for found, _ in self.tags)


@pytest.fixture
def read_page() -> Callable[[str], Page]:
    """Take HTML apart."""
    return Page


def write_colours(folder: Path, classes: dict[str, tuple[int, int, int]], each: int) -> list[str]:
    """Write pictures of one colour and some noise, and return their names, class by class."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    names = []
    for place, colour in enumerate(classes.values()):
        for number in range(each):
            noise = random.integers(-25, 26, (20, 24 + place, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            names.append(f'"><img src=x>{place}-{number:02d}.png')
            Image.fromarray(pixels).save(folder / names[-1])
    return names


def write_manifest(path: Path, column: str, rows: list[tuple[str, str]]) -> None:
    """Write paths and labels."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("path", column), *rows])


@pytest.fixture
def coloured(tmp_path: Path) -> Store:
    """Three classes of 20 pictures each, one of a dangerous name, with a head knn.

    Of each class, the last three have the label of the next one.
    """
    classes = {"blue & <b>": (40, 60, 200), "red": (190, 40, 50), EVIL: (180, 60, 40)}
    names = write_colours(tmp_path / "pictures", classes, 20)
    order = [*classes, *classes]
    labels = [order[i + (number >= 17)] for i in range(3) for number in range(20)]
    rows = [(f"pictures/{name}", label) for name, label in zip(names, labels, strict=True)]
    write_manifest(tmp_path / "colours.csv", "label", rows)
    store = Store.create(tmp_path / "store")
    embed(store, list_source(tmp_path / "colours.csv"), "descriptor")
    fit_head(store, "knn", {"k": "3"})
    return store


@pytest.fixture
def several(tmp_path: Path) -> Store:
    """Pictures with none, one or two of the labels warm and dark, with a head logistic."""
    tones = {"": (90, 90, 220), "warm": (230, 120, 60), "dark": (20, 20, 60), "x": (90, 20, 10)}
    names = write_colours(tmp_path / "pictures", tones, 16)
    labels = [tone.replace("x", "warm;dark") for tone in tones for _ in range(16)]
    rows = [(f"pictures/{name}", label) for name, label in zip(names, labels, strict=True)]
    write_manifest(tmp_path / "tones.csv", "labels", rows)
    store = Store.create(tmp_path / "store")
    embed(store, list_source(tmp_path / "tones.csv"), "descriptor")
    bare = [i for i in store.places() if i not in store.labels.present("tones")]
    store.labels.record("tones", [(i, ()) for i in bare], annotator="me", origin="cli")
    fit_head(store, "logistic")
    return store


@pytest.fixture
def evidence(fitted: Store) -> Evidence:
    """What is known of the head of the store ``fitted``."""
    return gather(fitted, load_head(fitted, "shapes", "logistic"))


@pytest.fixture
def invented(evidence: Evidence) -> Callable[..., Evidence]:
    """Make evidence out of classes, labels and probabilities, without any picture."""

    def invent(names: list[str], labels: Any, proba: Any) -> Evidence:
        classes, labels = np.array(names), np.asarray(labels)
        proba = np.asarray(proba, np.float32)
        y, answers = classes[labels], classes[proba.argmax(axis=1)]
        truth, answered = y[:, None] == classes, answers[:, None] == classes
        ids = np.sort(ids_from_bytes(image_id(str(i).encode()) for i in range(len(y))))
        split = np.full(len(y), "test")
        task = Task("invented", "single", tuple(names))
        return replace(
            evidence,
            card=replace(evidence.card, classes=tuple(names)),
            data=LabelledSet(task, "none", ids, np.zeros((len(y), 1)), y, tuple(names), split),
            rows=np.arange(len(y)),
            classes=tuple(names),
            truth=truth,
            answered=answered,
            proba=proba,
            metrics=measure(y, proba, answers, classes),
            scores=score(truth, answered, proba, multi=False),
            album=Album({}),
        )

    return invent
