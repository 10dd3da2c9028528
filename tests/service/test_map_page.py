"""The map in a real browser: what is chosen there is labelled, made a queue, or taken along."""

from __future__ import annotations

import csv
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import uvicorn

from icehouse.review import QueueOptions, queue
from icehouse.service import Desk, DeskOptions, People, listen, make_app
from icehouse.store import MapFiles, Queues, Store, StoredMap

TASK = "shapes"
Until = Callable[..., None]


class Inside:
    """The page of a queue of ten images, served by a thread of this process."""

    def __init__(self, store: Store) -> None:
        self.queue = queue(store, QueueOptions(strategy="random", batch=10)).queue.id
        listener = listen("127.0.0.1", 0, People())
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/map"
        app = make_app(Desk(store, self.queue, DeskOptions(refit_every=0)))
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()

    def end(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=60)


@pytest.fixture
def lattice(reviewed: Store) -> dict[bytes, tuple[float, float]]:
    """Where images are on the map that the store keeps: discs to the left, stripes to the right."""
    [encoder] = reviewed.encoder_ids()
    places = reviewed.places()
    rows = reviewed.features(encoder).rows()
    ids = [row.tobytes() for row in rows.ids]
    kinds = [places[image].key.partition("/")[0] for image in ids]
    seen: Counter[str] = Counter()
    xy = np.empty((len(ids), 2), np.float32)
    for row, kind in enumerate(kinds):
        xy[row] = (0 if kind == "disc" else 20) + seen[kind] % 5, seen[kind] // 5
        seen[kind] += 1
    options = {"method": "umap", "neighbours": 15, "min_dist": 0.1, "seed": 0, "most": 100_000}
    made = {"kept": 0.5, "images": len(ids), "made_of": len(ids)}
    said = {"options": options, "revision": 1, **made}
    stored = StoredMap(said, rows.ids, xy, np.zeros(len(ids), np.bool_))
    MapFiles(reviewed.files, encoder).write("umap", stored)
    return dict(zip(ids, map(tuple, xy.tolist()), strict=True))


@pytest.fixture
def server(reviewed: Store, lattice: Any) -> Iterator[Inside]:
    server = Inside(reviewed)
    yield server
    server.end()


class Visitor:
    """Somebody at the map."""

    def __init__(self, browser: Any, server: Inside, until: Until) -> None:
        self.until = until
        self.page = browser.new_context(viewport={"width": 1200, "height": 800}).new_page()
        self.said: list[str] = []
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("console", lambda line: self.said.append(line.text))
        self.page.add_init_script("localStorage.setItem('icehouse-name', 'ann')")
        self.page.goto(server.url)
        self.page.wait_for_selector("#groups li")

    def around(self, left: float, right: float) -> None:
        """Draw a lasso around the part of the plane between two shares of its width."""
        box = self.page.locator("#points").bounding_box()
        x0, x1 = (box["x"] + share * box["width"] for share in (left, right))
        y0, y1 = box["y"] + 5, box["y"] + box["height"] - 5
        self.page.mouse.move(x0, y0)
        self.page.mouse.down()
        for x, y in ((x1, y0), (x1, y1), (x0, y1), (x0, y0 + 2)):
            self.page.mouse.move(x, y, steps=3)
        self.page.mouse.up()

    def across(self, left: float, right: float) -> None:
        """Draw a box over the part of the plane between two shares of its width."""
        box = self.page.locator("#points").bounding_box()
        x0, x1 = (box["x"] + share * box["width"] for share in (left, right))
        self.page.mouse.move(x0, box["y"] + 5)
        self.page.mouse.down()
        self.page.mouse.move(x1, box["y"] + box["height"] - 5, steps=5)
        self.page.mouse.up()

    def chosen(self) -> str:
        return str(self.page.inner_text("#chosen")) if self.page.is_visible("#chosen") else ""

    def groups(self) -> list[str]:
        rows = self.page.locator("#groups li").all_inner_texts()
        return [" ".join(row.split()) for row in rows]

    def saved(self) -> None:
        self.until(lambda: self.page.inner_text("#saved") == "all saved")


@pytest.fixture
def ann(browser: Any, server: Inside, until: Until) -> Visitor:
    return Visitor(browser, server, until)


def test_what_a_lasso_holds_is_labelled_at_once_and_taken_back(
    ann: Visitor, server: Inside, reviewed: Store, lattice: dict[bytes, Any]
) -> None:
    before = reviewed.labels.present(TASK)
    left = {image for image, (x, _) in lattice.items() if x < 10}
    ann.page.keyboard.press("l")
    ann.around(0.01, 0.5)
    ann.until(lambda: ann.chosen() == "20 chosen")
    ann.until(lambda: ann.page.locator("#some img[src]").count() == 20)
    ann.page.keyboard.press("2")
    ann.saved()
    ann.until(lambda: ann.groups() == ["stripes 40"])
    assert ann.chosen() == ""
    now = reviewed.labels.present(TASK)
    assert {image for image, labels in now.items() if labels == ("stripes",)} == set(lattice)
    given = Queues(reviewed.labels).given(server.queue)
    assert {one.image_id for one in given} == left
    assert {one.reviewer for one in given} == {"ann"}
    ann.page.keyboard.press("u")
    ann.saved()
    ann.until(lambda: ann.groups() == ["disc 20", "stripes 20"])
    assert reviewed.labels.present(TASK) == before
    assert ann.said == []


def test_a_box_makes_a_queue_and_a_file(
    ann: Visitor, reviewed: Store, lattice: dict[bytes, Any], tmp_path: Any
) -> None:
    ann.page.keyboard.press("b")
    ann.across(0.5, 0.99)
    ann.until(lambda: ann.chosen() == "20 chosen")
    ann.page.keyboard.press("q")
    ann.until(lambda: "Queue 3 of 20 images" in ann.page.inner_text("#message"))
    right = {image for image, (x, _) in lattice.items() if x > 10}
    assert {item.image_id for item in Queues(reviewed.labels).items(3)} == right
    with ann.page.expect_download() as coming:
        ann.page.keyboard.press("e")
    coming.value.save_as(tmp_path / "chosen.csv")
    text = (tmp_path / "chosen.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {bytes.fromhex(row["image_id"]) for row in rows} == right
    assert {row["labels"] for row in rows} == {"stripes"}
    assert ann.said == []


def test_points_are_moved_zoomed_hidden_and_looked_at(ann: Visitor) -> None:
    box = ann.page.locator("#points").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    # Between the two blocks nothing is; zoomed out by far, all points are there.
    ann.page.mouse.move(*middle)
    assert not ann.page.is_visible("#hover")
    ann.page.mouse.wheel(0, 1500)
    ann.until(lambda: _looked_at(ann, middle))
    ann.until(lambda: ann.page.locator("#hover img[src]").count() == 1)
    assert ann.page.inner_text("#hover figcaption") in ("disc", "stripes")
    # What is hidden is neither seen nor chosen.
    ann.page.keyboard.press("0")
    ann.page.click("#groups button >> nth=0")
    ann.page.keyboard.press("l")
    ann.around(0.01, 0.99)
    ann.until(lambda: ann.chosen() == "20 chosen")
    # Moved by so much, the right half is where the left one was.
    ann.page.click("#groups button >> nth=0")
    ann.page.keyboard.press("Escape")
    ann.page.keyboard.press("v")
    ann.page.mouse.move(*middle)
    ann.page.mouse.down()
    ann.page.mouse.move(middle[0] - box["width"] / 2, middle[1], steps=5)
    ann.page.mouse.up()
    ann.page.keyboard.press("l")
    ann.around(0.01, 0.55)
    ann.until(lambda: ann.chosen() == "20 chosen")
    assert ann.said == []


def _looked_at(ann: Visitor, middle: tuple[float, float]) -> bool:
    for across in range(-24, 25, 3):
        ann.page.mouse.move(middle[0] + across, middle[1])
        if ann.page.is_visible("#hover"):
            return True
    return False


def test_colours_are_changed_and_a_map_made_anew_is_read_again(
    ann: Visitor, server: Inside, reviewed: Store, lattice: Any
) -> None:
    ann.page.select_option("#by", "dataset")
    ann.until(lambda: ann.groups() == ["shapes 40"])
    [encoder] = reviewed.encoder_ids()
    files = MapFiles(reviewed.files, encoder)
    stored = files.read("umap")
    assert stored is not None
    half = stored.xy[:, 0] < 10
    files.write(
        "umap", StoredMap(stored.said, stored.ids[half], stored.xy[half], stored.placed[half])
    )
    ann.page.goto(server.url)
    ann.page.wait_for_selector("#groups li")
    ann.until(lambda: ann.groups() == ["disc 20"])
    assert ann.said == []
