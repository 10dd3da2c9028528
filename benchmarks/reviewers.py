"""Claim: eight people who label a thousand images each, on a server that is killed (SIGKILL) again
and again, lose no label and give none twice, and no image is given to two of them.

    python benchmarks/reviewers.py [postgresql://USER:PASSWORD@HOST/DATABASE]

On EuroSAT, with the labels in SQLite or where the argument says. Reviewers are threads that speak
HTTP as the page does: what is not answered is sent again, as it is, until it is.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from _common import command, icehouse, real, show, workplace

from icehouse.store import Queues, Store

PEOPLE, LABELS = 8, 1000
AHEAD = 8  # images that the page has at hand
BETWEEN_KILLS = 1.0, 8.0  # seconds that a server answers, at random
URL = sys.argv[1] if len(sys.argv) > 1 else None


@dataclass
class Reviewer:
    """Somebody at a page, who labels at once what comes."""

    name: str
    port: int
    given: set[str] = field(default_factory=set)
    sent: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    again: int = 0

    def work(self) -> None:
        """Label until enough is labelled."""
        chance = random.Random(self.name)
        while len(self.sent) < LABELS:
            items = self._post("next", {"count": min(AHEAD, LABELS - len(self.sent))})["items"]
            for item in items:
                image = item["image_id"]
                self.given.add(image)
                label = chance.choice([name for name, _ in item["bars"]])
                answer = {"image_id": image, "outcome": "label", "labels": [label]}
                began = time.perf_counter()
                said = self._post("answers", {"answers": [{**answer, "token": uuid.uuid4().hex}]})
                self.seconds.append(time.perf_counter() - began)
                assert len(said["recorded"]) == 1
                self.sent[image] = label

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "X-Reviewer": self.name}
        while True:
            line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                line.request("POST", f"/v1/review/{path}", json.dumps(body), headers)
                response = line.getresponse()
                text = response.read()
                if response.status == 200:
                    return dict(json.loads(text))
                if response.status < 500:
                    raise AssertionError(text)
            except (OSError, http.client.HTTPException):
                self.again += 1
                time.sleep(0.1)
            finally:
                line.close()


def main() -> None:
    """Run it."""
    data = real()
    place = ["--labels", URL] if URL else []
    with workplace() as folder:
        path = folder / "store"
        icehouse("embed", data / "eurosat.csv", "--store", path, "--encoder", "tiny", *place)
        icehouse("fit-head", "--store", path, "--head", "logistic", *place)
        size = PEOPLE * (LABELS + AHEAD)
        icehouse("queue", "--store", path, "--again", "--batch", size, *place)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        people = [Reviewer(f"person {number}", port) for number in range(PEOPLE)]
        began = time.perf_counter()
        kills = label(people, command("review", "--store", path, "--port", port, *place))
        seconds = time.perf_counter() - began
        store = Store.open(path, URL)
        [task] = store.labels.tasks()
        events = [each for each in store.labels.events(task.name) if each.origin == "review"]
        given = Queues(store.labels).given(1)
    found = {(each.annotator, each.image_id.hex()): each.labels for each in events}
    expected = {(p.name, image): (label,) for p in people for image, label in p.sent.items()}
    twice = sum(count > 1 for count in Counter(i for p in people for i in p.given).values())
    waits = 1000 * np.array([each for p in people for each in p.seconds])
    rows = [
        ("labels that were sent", len(expected)),
        ("events in the log", len(events)),
        ("as they were sent", found == expected),
        ("answers of the queue", len(given)),
        ("images given to two", twice),
        ("kills", kills),
        ("sent again", sum(p.again for p in people)),
        ("seconds", seconds),
        ("ms for a label, median", np.median(waits)),
        ("ms for a label, 95th percentile", np.percentile(waits, 95)),
    ]
    show(
        f"{PEOPLE} people, labels in {'PostgreSQL' if URL else 'SQLite'}",
        ("what", "measured"),
        rows,
    )
    held = (
        found == expected and len(events) == len(given) == PEOPLE * LABELS and not twice and kills
    )
    print(f"claim: {PEOPLE * LABELS:,} events, none lost, none twice: {bool(held)}")
    if not held:
        sys.exit(1)


def label(people: list[Reviewer], words: list[str]) -> int:
    """Let people label on a server that does not live long, and return how often it was killed."""
    threads = [threading.Thread(target=person.work, daemon=True) for person in people]
    chance, kills = random.Random(0), 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        _answers(people[0].port)
        end = time.monotonic() + chance.uniform(*BETWEEN_KILLS)
        while time.monotonic() < end and any(thread.is_alive() for thread in threads):
            time.sleep(0.02)
        kills += any(thread.is_alive() for thread in threads)
        server.kill()
        server.wait()
    return kills


def _answers(port: int) -> None:
    while True:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            line.request("GET", "/healthz")
            line.getresponse().read()
            return
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        finally:
            line.close()


if __name__ == "__main__":
    main()
