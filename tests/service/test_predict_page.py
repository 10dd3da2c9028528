"""The page on which images are asked about, in a real browser."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import icehouse.service
from icehouse.review import _reasons
from icehouse.service import People, Service, make_service
from icehouse.store import Queues, image_id

Until = Callable[[Callable[[], object]], None]
PAGES = Path(str(icehouse.service.__file__)).parent / "pages"
TOKEN = "visitor-0123456789abcdef"
SHOTS = os.environ.get("ICEHOUSE_SCREENSHOTS")
# A file that is pasted, or dropped, as the page gets it from a person.
GIVE = """([data, how]) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const files = new DataTransfer();
    files.items.add(new File([bytes], `${how}.png`, { type: "image/png" }));
    const event = how === "paste"
        ? new ClipboardEvent(how, { clipboardData: files, bubbles: true, cancelable: true })
        : new DragEvent(how, { dataTransfer: files, bubbles: true, cancelable: true });
    document.getElementById("drop").dispatchEvent(event);
}"""
# The browser's own dialog of files is no part of the page.
ASKED = """document.getElementById("files").addEventListener("click", (event) => {
    event.preventDefault();
    document.title = "asked for files";
})"""


class Visitor:
    """Somebody at the page."""

    def __init__(self, browser: Any, url: str, **looks: Any) -> None:
        self.context = browser.new_context(**({"viewport": {"width": 1200, "height": 900}} | looks))
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("console", lambda line: self.said.append(line.text))
        self.page.goto(url)

    def choose(self, *files: Path) -> None:
        self.page.set_input_files("#files", [str(file) for file in files])

    def shot(self, name: str) -> None:
        if SHOTS:
            self.page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


@pytest.fixture
def url(own: Service, inside: Any) -> str:
    return str(inside(make_service(own)).url)


def answered(visitor: Visitor, count: int) -> bool:
    done = visitor.page.locator(".card.failed").count()
    return bool(visitor.page.locator(".wrong:visible").count() + done == count)


def test_an_image_is_answered_with_bars_and_neighbours_and_flagged(
    browser: Any, url: str, own: Service, pictures: Path, tmp_path: Path, disc: bytes, until: Until
) -> None:
    visitor = Visitor(browser, f"{url}/")
    page = visitor.page
    new = tmp_path / "new.png"
    new.write_bytes(disc + b"more")
    visitor.choose(new)
    until(lambda: answered(visitor, 1))
    assert page.inner_text(".state") == "disc"
    rows = page.locator(".bars li").all_inner_texts()
    assert [row.split()[0] for row in rows] == ["disc", "stripes"]
    assert all(row.endswith("%") for row in rows)
    assert page.locator(".bars li.said").count() == 1
    assert page.locator(".near figure").count() == 6
    until(lambda: page.locator(".near img[src]").count() == 6)
    assert page.inner_text("#version") == f"version {own.heads.find([])[0].version}"
    page.select_option(".method", "black-and-white")
    page.click(".why")
    until(lambda: page.is_visible(".explanation img"))
    assert page.inner_text(".working").startswith("Orange speaks for")
    visitor.shot("explained")
    page.select_option(".method", "grad-cam")
    page.click(".why")
    until(
        lambda: (
            "by gradients" in page.inner_text(".working")
            or "network" in page.inner_text(".working")
        )
    )
    visitor.shot("refused")
    page.click(".wrong")
    assert page.locator("#right option").all_inner_texts()[1:] == ["stripes"]
    page.select_option("#right", "stripes")
    page.fill("#note", "<b>no disc</b>")
    visitor.shot("flag")
    page.keyboard.press("Enter")
    until(lambda: "queue 1" in page.inner_text(".flagged"))
    assert page.is_disabled(".wrong")
    again = {"image_id": image_id(disc + b"more").hex(), "note": "a line"}
    assert page.request.post(f"{url}/v1/flag", data=again).ok
    item = Queues(own.store.labels).items(1)[0]
    assert item.image_id == image_id(disc + b"more")
    assert item.why["said"][0]["labels"] == ["stripes"]
    page.click("nav >> text=Review")
    page.wait_for_selector("#ask[open]")
    page.fill("#given", "ann")
    page.keyboard.press("Enter")
    page.wait_for_selector("#picture[src]")
    words = page.inner_text("#why")
    assert words.index("“a line”") < words.index("So did anonymous: stripes (“<b>no disc</b>”).")
    assert "visitors" in page.inner_text("#caption")
    visitor.shot("review")
    page.click("nav >> text=Predict")
    page.wait_for_selector("#drop")
    # What the head could not be asked is said on the page, and by the browser in its own words.
    assert all("status of 400" in line for line in visitor.said)


def test_images_are_dropped_and_pasted_several_at_once_and_bad_ones_fail_alone(
    browser: Any, url: str, pictures: Path, tmp_path: Path, disc: bytes, until: Until
) -> None:
    visitor = Visitor(browser, f"{url}/")
    text = tmp_path / "text.png"
    text.write_text("no picture")
    visitor.choose(*sorted((pictures / "stripes").iterdir())[:6], text)
    data = base64.b64encode(disc).decode()
    for how in ("drop", "paste"):
        visitor.page.evaluate(GIVE, [data, how])
    until(lambda: answered(visitor, 9))
    said = {
        card.locator("figcaption").first.inner_text(): card.locator(".state").inner_text()
        for card in visitor.page.locator(".card").all()
    }
    assert said["drop.png"] == said["paste.png"] == "disc"
    assert "not-an-image" in said["text.png"]
    assert sum(words == "stripes" for words in said.values()) == 6
    visitor.shot("several")
    failed = "Failed to load resource: the server responded with a status of 422"
    assert all(line.startswith(failed) for line in visitor.said)


def test_a_visitor_with_a_token_in_the_link(
    browser: Any, own: Service, inside: Any, pictures: Path, until: Until
) -> None:
    people = People.of([], tokens=[TOKEN])
    url = inside(make_service(own, people), people=people).url
    visitor = Visitor(browser, f"{url}/?token={TOKEN}")
    assert TOKEN not in visitor.page.url
    visitor.choose(pictures / "disc" / "03.png")
    until(lambda: answered(visitor, 1))
    visitor.page.reload()
    until(lambda: visitor.page.inner_text("#version"))
    assert visitor.said == []
    stranger = Visitor(browser, f"{url}/")
    until(lambda: "the link that you were given" in stranger.page.inner_text("#message"))


def test_all_is_reached_by_keys(browser: Any, url: str, pictures: Path, until: Until) -> None:
    visitor = Visitor(browser, f"{url}/")
    page = visitor.page
    until(lambda: page.inner_text("#version"))
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached[:5] == ["head", "A", "A", "help", "files"]
    visitor.choose(pictures / "disc" / "03.png")
    until(lambda: answered(visitor, 1))
    page.focus(".wrong")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "right"
    page.keyboard.press("Escape")
    assert page.locator("#flag[open]").count() == 0
    assert page.inner_text(".flagged") == ""


def test_keys_are_listed_and_are_about_the_image_in_use(
    browser: Any, url: str, pictures: Path, until: Until
) -> None:
    visitor = Visitor(browser, f"{url}/")
    page = visitor.page
    until(lambda: page.inner_text("#version"))
    page.keyboard.press("?")
    listed = page.locator("#key-list kbd").all_inner_texts()
    assert listed == ["o", "j", "k", "e", "w", "?", "Esc"]
    page.keyboard.press("w")  # behind the list there is no page
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.evaluate(ASKED)
    page.keyboard.press("o")
    until(lambda: page.title() == "asked for files")
    visitor.choose(*(pictures / name / "03.png" for name in ("disc", "stripes")))
    until(lambda: answered(visitor, 2))
    newest, other = page.locator(".card").all()
    page.keyboard.press("e")
    until(lambda: newest.locator(".explanation img").is_visible())
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("j")  # there is no third
    page.keyboard.press("w")
    assert page.locator("#right option").all_inner_texts()[1:] == ["stripes"]
    page.keyboard.press("Escape")
    assert not other.locator(".explanation img").is_visible()
    page.keyboard.press("e")
    until(lambda: other.locator(".explanation img").is_visible())
    page.keyboard.press("k")
    page.keyboard.press("w")
    assert page.locator("#right option").all_inner_texts()[1:] == ["disc"]
    assert visitor.said == []


def test_an_explanation_says_that_it_is_drawn_and_is_asked_for_once(
    browser: Any, url: str, pictures: Path, until: Until
) -> None:
    visitor = Visitor(browser, f"{url}/")
    page = visitor.page
    visitor.choose(pictures / "disc" / "03.png")
    until(lambda: answered(visitor, 1))
    held: list[Any] = []
    page.route("**/v1/explain*", lambda route: held.append(route))
    page.click(".why")
    until(lambda: page.is_visible("progress") and held)
    assert page.is_disabled(".why")
    assert page.inner_text(".working") == "hiding parts of it…"
    until(lambda: page.inner_text(".seconds").endswith(" s"))
    held[0].fulfill(status=503, json={"error": "ServiceTimeout", "detail": "it took too long"})
    until(lambda: page.inner_text(".working") == "it took too long")
    assert not page.is_visible("progress")
    assert not page.is_disabled(".why")
    assert page.inner_text(".seconds") == ""
    assert len(held) == 1
    page.unroute("**/v1/explain*")
    page.click(".why")
    until(lambda: page.is_visible(".explanation img"))
    assert all("status of 503" in line for line in visitor.said)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_cut_off_at_any_width(
    browser: Any, url: str, pictures: Path, until: Until, scheme: str, width: int
) -> None:
    looks = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    visitor = Visitor(browser, f"{url}/", **looks)
    visitor.choose(pictures / "disc" / "03.png", pictures / "stripes" / "03.png")
    until(lambda: answered(visitor, 2))
    until(lambda: visitor.page.locator(".near img[src]").count() == 12)
    page = visitor.page
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
    names = page.evaluate(
        "[...document.querySelectorAll('button, img, select, a')].filter(e => e.offsetParent)"
        ".map(e => e.ariaLabel || e.alt || e.labels?.length || e.textContent.trim())"
    )
    assert all(names)
    visitor.shot(f"{scheme}-{width}")
    assert visitor.said == []


def test_the_page_has_words_for_every_reason() -> None:
    text = (PAGES / "predict.js").read_text(encoding="utf-8")
    named = set(re.findall(r'^\s*"?([\w-]+)"?: "[a-z]', text, re.MULTILINE))
    named |= set(re.findall(r', "([\w-]+)": "', text))
    assert named >= {
        _reasons.THRESHOLD,
        _reasons.PROBABILITY,
        _reasons.MARGIN,
        _reasons.ENTROPY,
        _reasons.SEVERAL,
        _reasons.NONE,
        _reasons.UNFAMILIAR,
    }
