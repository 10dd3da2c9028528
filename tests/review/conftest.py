import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_limits

from icehouse.embedder import EncoderRequest, embed, list_source, one_torch_thread
from icehouse.heads import FitOptions, fit_head
from icehouse.store import Store


@pytest.fixture(scope="session")
def mislabelled(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store whose image disc/wrong.png shows stripes; heads logistic, knn and forest."""
    folder = tmp_path_factory.mktemp("mislabelled")
    images = folder / "shapes"
    shutil.copytree(pictures, images)
    (images / "stripes" / "07.png").rename(images / "disc" / "wrong.png")
    store = Store.create(folder / "store")
    embed(store, list_source(images), "descriptor")
    for kind in ("logistic", "knn"):
        fit_head(store, kind, options=FitOptions(folds=5))
    fit_head(store, "forest", {"n_estimators": 20}, FitOptions(folds=5))
    return store


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks and problems this small are slower on many threads."""
    with one_torch_thread(), threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def captioned(pictures: Path, clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two datasets under a small random CLIP: shapes, labelled, and loose, without labels.

    Heads of the task shapes: weak and logistic on CLIP, knn on the descriptor, which knows nothing
    of loose.
    """
    folder = tmp_path_factory.mktemp("captioned")
    (folder / "loose").mkdir()
    noise = np.random.default_rng(9).integers(0, 256, (3, 40, 40, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / "loose" / f"{number}.png")
    store = Store.create(folder / "store")
    clip = EncoderRequest(f"clip:local-dir:{clip_folder}", "float32")
    embed(store, list_source(pictures), clip, dataset="shapes")
    embed(store, list_source(folder / "loose"), clip, dataset="loose")
    embed(store, list_source(pictures), "descriptor", dataset="shapes")
    weak = FitOptions(encoder=clip.name, name="weak", folds=5)
    fit_head(store, "logistic", {"C": 1e-6}, weak)
    fit_head(store, "logistic", options=FitOptions(encoder=clip.name, folds=5))
    fit_head(store, "knn", options=FitOptions(encoder="descriptor", folds=5))
    return store
