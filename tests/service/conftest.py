from __future__ import annotations

import gc
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient
from threadpoolctl import threadpool_limits

from icehouse.embedder import embed, list_source, one_torch_thread
from icehouse.heads import FitOptions, fit_head
from icehouse.review import QueueOptions, queue
from icehouse.service import (
    People,
    Service,
    ServiceOptions,
    StationOptions,
    Wire,
    listen,
    make_service,
)
from icehouse.service._serve import _config
from icehouse.store import Store

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REQUIRED = "ICEHOUSE_REQUIRE_BROWSER"
Visit = Callable[..., TestClient]


@pytest.fixture(scope="session")
def shelf(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures and a store of them, with a head. Read only."""
    folder = tmp_path_factory.mktemp("shelf")
    shutil.copytree(pictures, folder / "shapes")
    store = Store.create(folder / "store")
    with one_torch_thread(), threadpool_limits(1):
        embed(store, list_source(folder / "shapes"), "descriptor")
        fit_head(store, "logistic", options=FitOptions(folds=3))
    return folder


@pytest.fixture
def reviewed(shelf: Path, tmp_path: Path) -> Store:
    """A store of one's own with a head, and queue 1: all 40 images, by margin."""
    shutil.copytree(shelf / "store", tmp_path / "store")
    store = Store.open(tmp_path / "store")
    queue(store, QueueOptions(strategy="random", batch=40))
    return store


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[Any]:
    """Problems this small are slower on many threads."""
    with one_torch_thread(), threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def visit() -> Visit:
    """Return a client of an application: somebody on this machine, unless they say otherwise."""

    def one(app: FastAPI, **words: Any) -> TestClient:
        here = {"base_url": "http://127.0.0.1", "client": ("127.0.0.1", 50000)}
        return TestClient(app, raise_server_exceptions=False, **(here | words))

    return one


@pytest.fixture(scope="session")
def lasting(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service of a store of its own, for all tests that change nothing."""
    folder = tmp_path_factory.mktemp("lasting")
    shutil.copytree(shelf / "store", folder / "store")
    service = Service(Store.open(folder / "store"))
    yield service
    service.close()


@pytest.fixture(scope="session")
def anybody(lasting: Service, visit: Visit) -> TestClient:
    """Somebody who asks the lasting service."""
    return visit(make_service(lasting))


@pytest.fixture
def own(reviewed: Store) -> Iterator[Service]:
    """A service of a store of one's own, with queue 1."""
    # On torch, so that nothing is converted; and it looks at the store when it is told to.
    service = Service(reviewed, ServiceOptions(station=StationOptions(engine="torch"), watch=0.05))
    yield service
    service.close()


@pytest.fixture
def disc(pictures: Path) -> bytes:
    """The bytes of a picture of the store."""
    return (pictures / "disc" / "03.png").read_bytes()


class Inside:
    """An application that a thread of this process serves."""

    def __init__(
        self,
        app: FastAPI,
        host: str = "127.0.0.1",
        people: People | None = None,
        wire: Wire | None = None,
    ) -> None:
        listener = listen(host, 0, people or People())
        self.host, self.port = host, int(listener.getsockname()[1])
        self.url = f"http://{host}:{self.port}"
        config = _config(app, wire or Wire())
        config.lifespan = "off"  # the service is of several tests
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()

    def end(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(timeout=60)


@pytest.fixture
def inside() -> Iterator[Callable[..., Inside]]:
    """Serve applications until the end of a test."""
    made: list[Inside] = []

    def one(app: FastAPI, *words: Any, **more: Any) -> Inside:
        made.append(Inside(app, *words, **more))
        return made[-1]

    yield one
    for server in made:
        server.end()


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for what is to come."""

    def wait(holds: Callable[[], object]) -> None:
        for _ in range(6000):
            if holds():
                return
            time.sleep(0.005)
        raise AssertionError("it does not come to be")

    return wait


@pytest.fixture(scope="module")
def browser(chromium: Any) -> Iterator[Any]:
    """Chromium without a window, and after the tests of a file without pages."""
    yield chromium
    for context in chromium.contexts:
        context.close()
    # Playwright's greenlets, were they found amid the parsing of a file, would confuse Python.
    gc.collect()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Chromium, without a window."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get(REQUIRED):
            raise AssertionError(f"{REQUIRED} is set, and there is no {' or '.join(BROWSERS)}")
        pytest.skip(f"no browser on this machine: {', '.join(BROWSERS)}")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as program:
        words = ["--no-sandbox", "--disable-background-networking"]
        chromium = program.chromium.launch(executable_path=found, args=words)
        yield chromium
        chromium.close()
