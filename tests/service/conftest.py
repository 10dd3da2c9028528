from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from icehouse.embedder import embed, list_source, one_torch_thread
from icehouse.heads import FitOptions, fit_head
from icehouse.review import QueueOptions, queue
from icehouse.store import Store


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
