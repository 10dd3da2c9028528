"""Claims about maps: EuroSAT's is the same each time; on its page 500 of 27,000 points are labelled
at once and stand in the log; with 100,000 points the page draws more than 30 frames/s.

    python benchmarks/map_page.py [FOLDER]

In Chromium without a window and without a graphics card. Frames are counted while points are moved
and zoomed, as fast as the browser asks for frames. Pictures of the page are left in FOLDER.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _common import icehouse, real, served, show, workplace
from playwright.sync_api import Page, sync_playwright

MANY, DIM, GROUPS = 100_000, 8, 12
CHOSEN = 500
LEAST = 30.0  # frames/s
SECONDS = 3
BROWSER = "chromium"
LISTEN = """
    localStorage.setItem("icehouse-name", "ann");
    window.drawn = 0;
    document.addEventListener("drawn", () => { drawn += 1; });
    // At each frame something is done; says how many frames were drawn in a second.
    window.frames = async (what, seconds) => {
      const canvas = document.getElementById("points"), box = canvas.getBoundingClientRect();
      const send = (type, x, y, more) => {
        const Kind = type === "wheel" ? WheelEvent : PointerEvent;
        const at = { clientX: box.left + x, clientY: box.top + y, pointerId: 1, cancelable: true };
        canvas.dispatchEvent(new Kind(type, { ...at, ...more }));
      };
      const x = box.width / 2, y = box.height / 2;
      canvas.setPointerCapture = () => {};
      const before = drawn, start = performance.now();
      if (what === "move") send("pointerdown", x, y);
      for (let n = 0; performance.now() - start < seconds * 1000; n += 1) {
        const turn = n / 20;
        if (what === "move")
          send("pointermove", x + 150 * Math.cos(turn), y + 150 * Math.sin(turn));
        else send("wheel", x, y, { deltaY: 60 * Math.sin(turn) });
        await new Promise((done) => requestAnimationFrame(done));
      }
      if (what === "move") send("pointerup", x, y);
      return (drawn - before) / (performance.now() - start) * 1000;
    };
"""


def main() -> None:
    """Run it."""
    data = real()
    browser = shutil.which(BROWSER)
    if browser is None:
        print(f"skipped: there is no {BROWSER} on this machine")
        return
    shots = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with workplace() as folder, sync_playwright() as program:
        chromium = program.chromium.launch(executable_path=browser, args=["--no-sandbox"])

        def visit(url: str) -> Page:
            page = chromium.new_page(viewport={"width": 1280, "height": 800})
            page.add_init_script(LISTEN)
            page.goto(f"{url}map")
            page.wait_for_selector("#groups li", timeout=60_000)
            return page

        same, seconds = twice(folder / "eurosat", data)
        in_log, wait = labelled(folder / "eurosat", visit, shots)
        speeds = moving(folder / "many", visit, shots)
        chromium.close()
    show("EuroSAT, 27,000 points", ("map, s", "the same", f"{CHOSEN} labels, s", "in the log"),
         [(seconds, same, wait, in_log)])  # fmt: skip
    show(f"{MANY:,} points, frames/s", tuple(speeds), [tuple(speeds.values())])
    held = same and in_log and min(speeds.values()) > LEAST
    print(f"claim: the same, all in the log, more than {LEAST:g} frames/s: {held}")
    if not held:
        sys.exit(1)


def twice(store: Path, data: Path) -> tuple[bool, float]:
    """Make EuroSAT's map two times; return whether it is the same, and the second's seconds."""
    icehouse("embed", data / "eurosat.csv", "--store", store, "--encoder", "tiny")
    icehouse("fit-head", "--store", store, "--head", "logistic")
    icehouse("queue", "--store", store, "--again", "--batch", 50)
    icehouse("map", "--store", store)
    [path] = store.glob("maps/*/umap.parquet")
    before = path.read_bytes()
    path.unlink()
    seconds = icehouse("map", "--store", store, "--anew").seconds
    return path.read_bytes() == before, seconds


def labelled(store: Path, visit: Callable[[str], Page], shots: Path | None) -> tuple[bool, float]:
    """Label some hundred points by a lasso; return whether the log has them, and the seconds."""
    from icehouse.store import Store

    log = Store.open(store).labels
    with served(store) as url:
        page = visit(url)
        picture(page, shots, "whole")
        box = page.locator("#points").bounding_box()
        assert box is not None
        page.keyboard.press("l")
        for radius in range(10, 200, 5):  # wider and wider, until it holds as many
            lasso(page, box, radius)
            if chosen(page) >= CHOSEN:
                break
        count = chosen(page)
        page.wait_for_timeout(1000)
        picture(page, shots, "lasso")
        before = len(log.events("eurosat"))
        started = time.perf_counter()
        page.keyboard.press("1")
        while page.inner_text("#saved") != "all saved" or len(log.events("eurosat")) == before:
            page.wait_for_timeout(20)
        wait = time.perf_counter() - started
        page.keyboard.press("v")
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.wheel(0, -1500)
        for step in range(60):
            page.mouse.move(box["x"] + box["width"] / 2 + 2 * step, box["y"] + box["height"] / 2)
            if page.is_visible("#hover"):
                break
        page.wait_for_timeout(500)
        picture(page, shots, "hover")
        events = log.events("eurosat")[before:]
    print(f"{count} points chosen, {len(events)} events")
    return count >= CHOSEN and len({event.image_id for event in events}) == count, wait


def lasso(page: Page, box: Any, radius: float) -> None:
    """Draw a circle, twice as wide as high, around a place where points are dense."""
    x, y = box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.4
    turns = np.linspace(0, 2 * np.pi, 24)
    path = [(x + 2 * radius * np.cos(t), y + radius * np.sin(t)) for t in turns]
    page.mouse.move(*path[0])
    page.mouse.down()
    for point in path[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def chosen(page: Page) -> int:
    """Return how many points are chosen."""
    if not page.is_visible("#chosen"):
        return 0
    return int(page.inner_text("#chosen").split()[0].replace(",", ""))


def moving(store: Path, visit: Callable[[str], Page], shots: Path | None) -> dict[str, float]:
    """Return the frames/s of many points, moved and zoomed, and while some are chosen."""
    write(store)
    with served(store) as url:
        page = visit(url)
        found = {what: page.evaluate(f"frames({what!r}, {SECONDS})") for what in ("move", "zoom")}
        page.keyboard.press("0")
        box = page.locator("#points").bounding_box()
        page.keyboard.press("l")
        lasso(page, box, 150)
        page.keyboard.press("v")
        print(f"{chosen(page):,} of {MANY:,} points chosen")
        found["move, some chosen"] = page.evaluate(f"frames('move', {SECONDS})")
        picture(page, shots, "many")
    return found


def write(path: Path) -> None:
    """Write a store of points around some centres, without any pictures."""
    from icehouse.store import CatalogRow, QueueItem, Queues, Store

    random = np.random.default_rng(0)
    of = random.integers(0, GROUPS, MANY)
    centres = random.standard_normal((GROUPS, DIM))
    vectors = (centres[of] + 0.25 * random.standard_normal((MANY, DIM))).astype(np.float32)
    ids = np.frombuffer(random.bytes(32 * MANY), "V32")
    store = Store.create(path)
    store.features("points-0123456789ab").append(ids, vectors, "float32")
    images = [row.tobytes() for row in ids]
    rows = [CatalogRow(f"{n:06d}.png", image_id=image) for n, image in enumerate(images)]
    store.catalog.append("points", rows)
    store.labels.ensure_task("groups", "single", [f"group {n}" for n in range(GROUPS)])
    labels = [(image, (f"group {n}",)) for image, n in zip(images, of.tolist(), strict=True)]
    store.labels.record("groups", labels, annotator="source", origin="source")
    settings = {"encoder_id": "points-0123456789ab", "head": None}
    items = [QueueItem(image, 0.0, {}) for image in images[:50]]
    Queues(store.labels).make("groups", "random", items, settings)


def picture(page: Page, shots: Path | None, name: str) -> None:
    """Leave a picture of the page."""
    if shots is not None:
        shots.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=shots / f"map-{name}.png")


if __name__ == "__main__":
    main()
