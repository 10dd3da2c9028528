"""Real conditions for the store's tests: other processes, small disks and read-only ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import icehouse
from icehouse.embedder import EmbedReport, embed, list_source
from icehouse.heads import FitOptions, fit_head, list_heads, load_head
from icehouse.heads._stored import load_folds
from icehouse.store import Store

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
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())

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
