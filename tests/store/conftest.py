"""Real conditions for the store's tests: other processes, small disks and read-only ones."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import icehouse
from icehouse.embedder import EmbedReport, embed, list_source
from icehouse.heads import FitOptions, fit_head, list_heads, load_head
from icehouse.heads._stored_folds import load_folds
from icehouse.store import Store

REQUIRED = "ICEHOUSE_REQUIRE_POSTGRES"
PASSWORD = "Mammoth-7"
Python = Callable[..., subprocess.CompletedProcess[str]]


def environment() -> dict[str, str]:
    """Return what another Python needs to import the icehouse under test."""
    return os.environ | {"PYTHONPATH": str(Path(icehouse.__file__).parents[1])}


@pytest.fixture
def python() -> Python:
    """Run a script in a Python of its own: ``python(script, *arguments, prefix=())``."""

    def run(
        script: str, *arguments: object, prefix: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, "-c", script, *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=environment()
        )

    return run


@pytest.fixture
def start_python() -> Callable[..., subprocess.Popen[str]]:
    """Start a script in a Python of its own, with its output in a pipe."""

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    return start


def _mounting(folder: Path, mount: str) -> tuple[str, ...]:
    """Return the prefix of a command that is to see a mount at a folder, root or not."""
    shell = ("unshare", "-rm", "sh", "-c", f'{mount} && shift && exec "$@"', "sh", str(folder))
    if shutil.which("unshare") is None or subprocess.run([*shell, "true"], check=False).returncode:
        pytest.skip("this system does not let its users mount a file system of their own")
    return shell


@pytest.fixture
def small_disk(tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    """A folder, and the prefix of a command that sees a disk of 256 KiB there."""
    folder = tmp_path / "small"
    folder.mkdir()
    return folder, _mounting(folder, 'mount -t tmpfs -o size=256k tmpfs "$1"')


@pytest.fixture
def read_only() -> Callable[[Path], tuple[str, ...]]:
    """Return the prefix of a command that sees a folder as read-only, even as root."""

    def protect(folder: Path) -> tuple[str, ...]:
        mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"'
        return _mounting(folder, mount)

    return protect


def _postgres_programs() -> Path:
    for folder in (
        *([Path(found).resolve().parent] if (found := shutil.which("postgres")) else []),
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
    ):
        if (folder / "initdb").exists():
            return folder
    if os.environ.get(REQUIRED):
        raise AssertionError(f"{REQUIRED} is set, and there is no PostgreSQL")
    pytest.skip("PostgreSQL is not installed on this machine")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server of the tests' own, without a database's name."""
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = _postgres_programs()
    # It refuses to run as root, and its files have to be of the user whom it runs as.
    user = "nobody" if os.geteuid() == 0 else None
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="icehouse-pg-") as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD)
        if user:
            for each in (folder, folder / "password"):
                shutil.chown(each, user)
        common = {"user": user, "cwd": folder, "env": {**os.environ, "LC_ALL": "C.UTF-8"}}
        subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-U", "ice", "-A", "scram-sha-256",
             "--pwfile", folder / "password", "--no-sync"],
            check=True, capture_output=True, **common,
        )  # fmt: skip
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder,
             "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
            stderr=subprocess.DEVNULL, **common,
        )  # fmt: skip
        url = f"postgresql://ice:{PASSWORD}@127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    psycopg.connect(f"{url}/postgres").close()
                    break
                except psycopg.OperationalError:
                    time.sleep(0.05)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # it ends all sessions
            server.wait(timeout=60)


@pytest.fixture
def postgres(postgres_server: str) -> str:
    """The URL of a new database on a PostgreSQL server."""
    import psycopg

    name = f"ice_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{postgres_server}/{name}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that nothing is in yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/labels.sqlite"
    return str(request.getfixturevalue("postgres"))


@pytest.fixture(scope="session")
def grown(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``photos`` and ``store``, embedded in three runs, with a head. Read only."""
    folder = tmp_path_factory.mktemp("grown")
    store = Store.create(folder / "store")
    for last in (7, 14, 20):
        for kind in ("disc", "stripes"):
            (folder / "photos" / kind).mkdir(parents=True, exist_ok=True)
            for number in range(last):
                name = f"{kind}/{number:02d}.png"
                if not (folder / "photos" / name).exists():
                    shutil.copy2(pictures / name, folder / "photos" / name)
        (folder / "photos" / "disc" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
        embed(store, list_source(folder / "photos"), "descriptor", dataset="shapes")
    fit_head(store, "logistic", options=FitOptions(folds=3))
    person = [(image, ("disc",)) for image in sorted(store.labels.present("shapes"))[:3]]
    store.labels.record("shapes", person, annotator="ada", origin="review", note="looked at it")
    return folder


@pytest.fixture
def damaged(grown: Path, tmp_path: Path) -> Store:
    """A copy of the store of ``grown``, to be damaged."""
    shutil.copytree(grown / "store", tmp_path / "store")
    return Store(tmp_path / "store")


@pytest.fixture
def embed_again(grown: Path) -> Callable[[Store], EmbedReport]:
    """Embed the photos of ``grown`` into a store."""

    def run(store: Store) -> EmbedReport:
        return embed(store, list_source(grown / "photos"), "descriptor", dataset="shapes")

    return run


Logical = dict[str, Any]


@pytest.fixture(scope="session")
def logical() -> Callable[[Store], Logical]:
    """Return all that a store holds, whatever files it lies in and in whatever order."""

    def dump(store: Store) -> Logical:
        held: Logical = {}
        for name in store.catalog.datasets():
            held[f"catalog/{name}"] = store.catalog.rows(name).sort_by("key").to_pylist()
        for name in store.encoder_ids():
            matrix = store.features(name).load()
            order = np.argsort(matrix.ids)
            held[f"features/{name}"] = matrix.ids[order].tobytes(), matrix.vectors[order].tobytes()
            assert store.features(name).ids().tobytes() == matrix.ids[order].tobytes()
            held[f"card/{name}"] = store.features(name).card
            held[f"canary/{name}"] = store.files.read(f"features/{name}/canary.npy")
        for task in store.labels.tasks() if store.has_labels else []:
            said = [
                (event.image_id, event.labels, event.annotator, event.origin, event.note)
                for event in store.labels.events(task.name)
            ]
            held[f"labels/{task.name}"] = task, sorted(said), store.labels.present(task.name)
        for card in list_heads(store):
            stored = load_head(store, card.task, card.name)
            arrays = {name: a.tobytes() for name, a in stored.head.to_arrays().items()}
            folds = load_folds(store, card)
            held[card.folder] = card, arrays, None if folds is None else folds.proba.tobytes()
        return held

    return dump
