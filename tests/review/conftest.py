import shutil
from pathlib import Path

import pytest

from icehouse.embedder import embed, list_source
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
