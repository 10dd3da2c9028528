"""A store that may not be read says so, and is not taken for damaged or absent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from icehouse.store import CatalogRow, Store, ids_from_bytes, image_id

# As root everything may be read, so root becomes somebody else, who keeps the folder it is in.
READ = """
import os
from icehouse.errors import IcehouseError
from icehouse.store import Store

store = Store.open("store")  # what is imported late is imported by who may read it
store.catalog.rows("d")
store.features("e").load()
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    store = Store.open_or_create("store")
    store.catalog.rows("d")
    for encoder_id in store.encoder_cards():
        store.files.sweep(f"features/{encoder_id}")
        store.features(encoder_id).load()
    print("read")
except IcehouseError as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a store of one image."""
    store = Store.create(tmp_path / "store")
    store.catalog.append("d", [CatalogRow("k", image_id=image_id(b"k"))])
    features = store.features("e")
    features.describe({"request": {}})
    features.append(ids_from_bytes([image_id(b"k")]), np.ones((1, 4)), "float32")
    return tmp_path


@pytest.fixture
def closed(place: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The same, where one of its files or folders may not be read."""
    [path] = [place / "store"] if request.param == "." else (place / "store").glob(request.param)
    mode = path.stat().st_mode
    yield path
    path.chmod(mode)


def read(place: Path, closed: Path | None = None) -> str:
    place.chmod(0o755)
    program = READ.replace("if os.geteuid", f"os.chmod({str(closed)!r}, 0)\nif os.geteuid", 1)
    ended = subprocess.run(
        [sys.executable, "-c", program if closed else READ],
        cwd=place, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["", str(Path.cwd())])},
    )  # fmt: skip
    return ended.stdout


@pytest.mark.parametrize(
    "closed",
    [".", "store.json", "catalog", "catalog/d", "catalog/d/*.parquet", "features", "features/e",
     "features/e/encoder.json", "features/e/*.parquet"],
    indirect=True,
)  # fmt: skip
def test_what_may_not_be_read_is_said(place: Path, closed: Path) -> None:
    said = read(place, closed)
    assert said.startswith("StoreUnreadable: no permission to read store"), said
    assert "Check who owns the store, and who may read it" in said


def test_what_may_be_read_is_read_by_anybody(place: Path) -> None:
    assert read(place) == "read\n"
