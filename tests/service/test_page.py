"""The page in a real browser: all by keys, and nothing that it showed as saved is ever lost."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
import uvicorn

from icehouse.service import Desk, DeskOptions, People, listen, make_app
from icehouse.store import Place, Queues, Store, forget, plan_forget
from icehouse.store._queue_tables import ITEMS

TASK = "shapes"


class Inside:
    """The page, served by a thread of this process."""

    def __init__(self, store: Store, people: People | None = None) -> None:
        listener = listen("127.0.0.1", 0, people or People())
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        app = make_app(Desk(store, 1, DeskOptions(refit_every=0)), people)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()

    def end(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=60)


class Server:
    """``icehouse review`` in a process of its own, which can be killed and begun again."""

    def __init__(self, store: Store) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = taken.getsockname()[1]
        words = ["review", "1", "--store", str(store.path), "--port", str(self.port)]
        self._words = [*words, "--refit-every", "0"]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.begin()

    def begin(self) -> None:
        words = [sys.executable, "-m", "icehouse", *self._words]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}healthz", timeout=5).close()
                return
            except OSError:
                assert self.process.poll() is None, self.process.communicate()[0].decode()
                time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def end(self, how: int) -> None:
        self.process.send_signal(how)
        self.process.communicate(timeout=60)


@pytest.fixture
def server(reviewed: Store) -> Iterator[Inside]:
    server = Inside(reviewed)
    yield server
    server.end()


@pytest.fixture
def process(reviewed: Store) -> Iterator[Server]:
    server = Server(reviewed)
    yield server
    server.end(signal.SIGKILL)


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what a person would see; the page itself forbids code that is made of text."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come to be"
        time.sleep(0.02)


class Reviewer:
    """Somebody at the page."""

    def __init__(
        self, browser: Any, server: Inside | Server, name: str = "ann", **looks: Any
    ) -> None:
        looks = {"viewport": {"width": 1200, "height": 900}} | looks
        self.context = browser.new_context(**looks)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("console", lambda line: self.said.append(line.text))
        self.page.add_init_script(f"localStorage.setItem('icehouse-name', {name!r})")
        self.page.goto(server.url)
        self.page.wait_for_selector("#picture[src]")

    @property
    def image(self) -> str:
        """The image that is shown, by its key."""
        return str(self.page.inner_text("#caption").split("·")[0].strip())

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def press_and_see(self, key: str) -> str:
        """Press a key, and return the image that it was about."""
        image = self.image
        self.page.keyboard.press(key)
        until(lambda: self.image != image or self.page.is_visible("#end"))
        return image

    def saved(self) -> None:
        until(lambda: self.page.inner_text("#saved") == "all saved")


def places_in_order(store: Store) -> list[Place]:
    """Return what queue 1 asks about."""
    places = store.places()
    return [places[item.image_id] for item in Queues(store.labels).items(1)]


def reviews(store: Store) -> dict[str, tuple[str, ...]]:
    """Return what people have answered, by key."""
    places = store.places()
    given = [one for one in Queues(store.labels).given(1) if one.image_id in places]
    return {places[one.image_id].key: one.labels or (one.outcome,) for one in given}


def test_thirty_labels_by_keys_and_three_taken_back(
    browser: Any, server: Inside, reviewed: Store
) -> None:
    ann = Reviewer(browser, server)
    expected: dict[str, tuple[str, ...]] = {}
    for number in range(30):
        key = "sx12"[number % 4] if number < 4 else "12"[number % 2]
        word = {"1": "disc", "2": "stripes", "s": "skip", "x": "unsure"}[key]
        expected[ann.press_and_see(key)] = (word,)
    assert len(expected) == 30
    for _ in range(3):
        gone = list(expected)[-1]
        ann.press("u")
        until(lambda gone=gone: ann.image == gone)
        del expected[gone]
    ann.saved()
    assert reviews(reviewed) == expected
    again = ann.press_and_see("2")
    ann.saved()
    assert reviews(reviewed) == expected | {again: ("stripes",)}
    assert ann.said == []


def forgotten(store: Store, key: str) -> None:
    forget(store, plan_forget(store, [key]))


def test_what_is_forgotten_meanwhile_is_passed_over(
    browser: Any, server: Inside, reviewed: Store
) -> None:
    ann = Reviewer(browser, server)
    order = [place.key for place in places_in_order(reviewed)]
    ann.press_and_see("1")
    for key in order[6:8]:  # the page has them already, and their pictures
        forgotten(reviewed, key)
    for _ in range(5):
        ann.press_and_see("1")
        ann.saved()
    assert ann.image == order[8]
    forgotten(reviewed, order[8])  # which is looked at
    ann.press_and_see("2")
    until(lambda: ann.page.inner_text("#message").startswith("Not saved: "))
    assert ann.image == order[9]
    ann.press("u")  # of that there is nothing to take back
    until(lambda: ann.image == order[5])
    ann.press_and_see("2")
    ann.saved()
    ann.press("g")
    until(lambda: ann.page.locator("#cells li").count() == 24)
    ann.press("Control+a", "1")
    until(lambda: ann.page.locator("#cells li").count() == 40 - 6 - 3 - 24)
    ann.press("Control+a", "1")
    ann.saved()
    ann.press("g")
    until(lambda: ann.page.is_visible("#end"))
    assert reviews(reviewed) == {
        key: ("stripes",) if key == order[5] else ("disc",)
        for key in order
        if key not in order[6:9]
    }
    assert [line for line in ann.said if "status of 404" not in line] == []


def test_an_answer_to_what_is_forgotten_is_not_taken_back_for_ever(
    browser: Any, server: Inside, reviewed: Store
) -> None:
    ann = Reviewer(browser, server)
    first = ann.press_and_see("1")
    ann.saved()
    second = ann.image
    forgotten(reviewed, first)
    time.sleep(1)  # so long it may not be noticed
    ann.press("u")
    ann.saved()
    until(lambda: ann.image == second)
    images, lack, _ = Queues(reviewed.labels).counts(1)
    assert (images, lack) == (39, 39)
    assert ann.said == []


def test_twenty_at_once_in_the_grid(browser: Any, server: Inside, reviewed: Store) -> None:
    ann = Reviewer(browser, server)
    ann.press("g")
    until(lambda: ann.page.locator("#cells li").count() == 24)
    ann.press(*["Shift+ArrowRight"] * 19)
    assert ann.page.inner_text("#chosen").startswith("20 chosen of 24")
    ann.press("1")
    ann.saved()
    assert Counter(reviews(reviewed).values()) == {("disc",): 20}
    # By mouse: one, and from there to another with Shift.
    until(lambda: ann.page.locator("#cells li").count() >= 12)
    ann.page.click("#cells li >> nth=1")
    ann.page.click("#cells li >> nth=4", modifiers=["Shift"])
    ann.press("2")
    ann.saved()
    assert Counter(reviews(reviewed).values()) == {("disc",): 20, ("stripes",): 4}
    assert ann.said == []


def test_a_new_class_a_note_and_a_refit(browser: Any, server: Inside, reviewed: Store) -> None:
    ann = Reviewer(browser, server)
    ann.press("n")
    ann.page.fill("#given", "road and field")
    ann.press("Enter")
    ann.page.wait_for_selector("#classes li:nth-child(3)")
    ann.press("m")
    ann.page.fill("#given", "both are there")
    ann.press("Enter")
    first = ann.press_and_see("3")
    for _ in range(3):
        ann.press_and_see("1")
    ann.press("/")
    ann.page.fill("#given", "road")
    ann.press("Enter")
    ann.saved()
    said = {e.labels: e for e in reviewed.labels.events(TASK) if e.origin == "review"}
    assert Counter(reviews(reviewed).values()) == {("road and field",): 2, ("disc",): 3}
    assert reviews(reviewed)[first] == ("road and field",)
    assert any(e.note == "both are there" for e in reviewed.labels.events(TASK))
    assert ("road and field",) in said
    before = reviewed.files.read("heads/shapes/logistic/head.json")
    ann.press("r")
    ann.page.wait_for_selector("#team svg", timeout=60_000)
    assert reviewed.files.read("heads/shapes/logistic/head.json") != before
    ann.page.reload()
    ann.page.wait_for_selector("#classes li:nth-child(3)")
    assert "road and field, probability" in str(
        ann.page.get_attribute("#classes li:nth-child(3) button", "aria-label")
    )
    assert ann.said == []


def test_labels_outlive_a_server_that_is_killed(
    browser: Any, process: Server, reviewed: Store
) -> None:
    server = process
    ann = Reviewer(browser, server)
    expected = {ann.press_and_see("1"): ("disc",) for _ in range(4)}
    ann.saved()
    server.end(signal.SIGKILL)
    expected |= {ann.press_and_see("2"): ("stripes",) for _ in range(3)}
    until(lambda: ann.page.get_attribute("#saved", "class") == "lost")
    assert len(reviews(reviewed)) == 4
    ann.page.close()  # what was not saved is kept in the browser, not in the page
    ann.page = ann.context.new_page()
    server.begin()
    ann.page.goto(server.url)
    ann.page.wait_for_selector("#picture[src]")
    ann.saved()
    assert ann.image not in expected
    assert reviews(reviewed) == expected
    events = Counter(e.image_id for e in reviewed.labels.events(TASK) if e.origin == "review")
    assert set(events.values()) == {1}


def test_of_many_answers_one_that_cannot_be_takes_no_other_with_it(
    browser: Any, server: Inside, reviewed: Store
) -> None:
    ann = Reviewer(browser, server)
    ann.press("g")
    until(lambda: ann.page.locator("#cells li").count() == 24)
    with reviewed.labels.database.write() as db:  # the image of the second cell leaves the queue
        db.execute(sa.delete(ITEMS).where(ITEMS.c.place == 1))
    ann.press(*["Shift+ArrowRight"] * 3, "1")
    ann.saved()
    assert ann.page.inner_text("#message").startswith("Not saved: queue 1 has no image")
    assert Counter(reviews(reviewed).values()) == {("disc",): 3}


def test_two_people_see_different_images_and_each_other(
    browser: Any, server: Inside, reviewed: Store
) -> None:
    ann, bob = Reviewer(browser, server), Reviewer(browser, server, "bob <b>&")
    mine = {ann.press_and_see("1") for _ in range(4)}
    others = {bob.press_and_see("2") for _ in range(4)}
    assert not mine & others
    for person in (ann, bob):
        person.saved()
    until(lambda: "bob <b>&: 4 labelled" in bob.page.inner_text("#team"))
    until(lambda: "ann: 4 labelled" in bob.page.inner_text("#team"))
    assert ann.said == bob.said == []


def test_who_only_reads_sees_how_the_queue_stands_and_nothing_to_press(
    browser: Any, reviewed: Store
) -> None:
    token = "rita-0123456789abcdef"
    server = Inside(reviewed, People([f"rita:reader:{token}"]))
    try:
        page = browser.new_context().new_page()
        page.goto(f"{server.url}?token={token}")
        until(lambda: page.inner_text("#end-words") == "0 of 40 images are done.")
        assert page.inner_text("#end-title").startswith("You read as rita; answering takes")
        assert page.locator("button:visible").count() == 0
        page.keyboard.press("1")
        page.keyboard.press("?")
        assert page.is_hidden("#message")
        assert page.is_hidden("#keys")
        page.click("nav >> text=Map")
        page.wait_for_url(f"{server.url}map")
    finally:
        server.end()
    assert reviews(reviewed) == {}


def test_one_press_of_undo_takes_back_one_press(
    browser: Any, server: Inside, reviewed: Store
) -> None:
    ann = Reviewer(browser, server)
    first = ann.press_and_see("1")
    ann.saved()  # or the page asks for one more, in case the server gives it this one again
    ann.press("g")
    until(lambda: ann.page.locator("#cells li").count() == 24)
    ann.press("Shift+ArrowRight", "Shift+ArrowRight", "2")
    ann.saved()
    assert Counter(reviews(reviewed).values()) == {("disc",): 1, ("stripes",): 3}
    ann.press("u")
    ann.saved()
    assert reviews(reviewed) == {first: ("disc",)}
    assert ann.said == []


def test_fingers_choose_in_the_grid_and_label_by_buttons(
    browser: Any, server: Inside, reviewed: Store
) -> None:
    looks = {"viewport": {"width": 390, "height": 800}, "has_touch": True}
    ann = Reviewer(browser, server, **looks)
    ann.page.tap("#to-grid")
    until(lambda: ann.page.locator("#cells li").count() == 24)
    for cell in (1, 4, 6, 4):
        ann.page.tap(f"#cells li >> nth={cell}")
    assert ann.page.inner_text("#chosen").startswith("2 chosen of 24")
    chosen = ann.page.locator("#cells li[aria-selected=true] img").all()
    keys = {str(picture.get_attribute("alt")) for picture in chosen}
    ann.page.tap("#bulk-classes >> text=stripes")
    ann.saved()
    assert reviews(reviewed) == dict.fromkeys(keys, ("stripes",))
    assert ann.said == []


def test_what_was_skipped_is_asked_again_at_the_end(
    browser: Any, server: Inside, reviewed: Store
) -> None:
    ann = Reviewer(browser, server)
    skipped = ann.press_and_see("s")
    ann.press("g")
    for _ in range(2):
        until(lambda: ann.page.locator("#cells li").count() >= 12)
        ann.press("Control+a", "1")
        ann.saved()
    ann.press("g")
    while not ann.page.is_visible("#end"):
        ann.press_and_see("1")
    until(lambda: "You have skipped 1 of the others" in ann.page.inner_text("#end-words"))
    assert ann.page.inner_text("#end-title") == "Nothing is left for you in this queue"
    ann.press("Enter")  # the button is at hand
    until(lambda: ann.page.is_visible("#single"))
    assert ann.image == skipped
    ann.press("2")
    until(lambda: ann.page.inner_text("#end-words") == "40 of 40 images are done.")
    ann.saved()
    assert reviews(reviewed)[skipped] == ("stripes",)
    assert ann.said == []


def test_a_queue_comes_to_its_end(browser: Any, server: Inside, reviewed: Store) -> None:
    ann = Reviewer(browser, server)
    for _ in range(2):
        ann.press("g")
        until(lambda: ann.page.locator("#cells li").count() >= 12)
        ann.press("Control+a", "1")
        ann.saved()
        ann.press("g")
    while not ann.page.is_visible("#end"):
        ann.press_and_see("1")
    until(lambda: ann.page.inner_text("#end-words") == "40 of 40 images are done.")
    assert len(reviews(reviewed)) == 40


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_cut_off_at_any_width(
    browser: Any, server: Inside, scheme: str, width: int
) -> None:
    looks = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    ann = Reviewer(browser, server, **looks)
    script = "document.documentElement.scrollWidth <= window.innerWidth"
    assert ann.page.evaluate(script)
    ground = ann.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
    names = ann.page.evaluate(
        "[...document.querySelectorAll('button, img')].filter(e => e.offsetParent)"
        ".map(e => e.getAttribute('aria-label') || e.alt || e.textContent.trim())"
    )
    assert all(names)
    ann.press("g")
    assert ann.page.evaluate(script)
    assert ann.said == []
