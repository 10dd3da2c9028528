"""What the service has at hand: what a search finds, and kept up with the store."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source
from icehouse.errors import LookupFailed, MilvusError, UsageError
from icehouse.search import (
    BuildOptions,
    Query,
    build_index,
    drop_index,
    extend_index,
    push_index,
    search,
)
from icehouse.search.milvus._collection import Collection
from icehouse.service import Service, ServiceOptions, StationOptions, make_service
from icehouse.service.inference._library import AGAIN, Library
from icehouse.store import (
    CatalogRow,
    Queues,
    Store,
    forget,
    ids_from_bytes,
    image_id,
    plan_forget,
)

ENCODER = "some-0123456789ab"
DIM = 8


class Clock:
    """Time as a test sets it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def named(numbers: Sequence[int]) -> list[bytes]:
    return [image_id(str(number).encode()) for number in numbers]


def drawn(count: int, seed: int) -> npt.NDArray[Any]:
    return np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float16)


def add(store: Store, numbers: Sequence[int], dataset: str | None = "a", encoder: str = ENCODER):
    """Store vectors of images, and their places unless they are to stand in no dataset."""
    ids = named(numbers)
    store.features(encoder).append(ids_from_bytes(ids), drawn(len(ids), numbers[0]), "float16")
    if dataset is not None:
        keys = [f"{number}.png" for number in numbers]
        store.catalog.append(dataset, [CatalogRow(k, i) for k, i in zip(keys, ids, strict=True)])


def near(library: Library, vectors: npt.NDArray[Any], k: int = 4, own: bytes | None = None):
    """Return what is near: image and cosine."""
    found = library.near(ENCODER, vectors, k, [own] * len(vectors))
    return [[(each.place.image_id, each.similarity) for each in some] for some in found]


def agrees(library: Library, k: int = 4) -> None:
    """Compare what is near with what the room of search finds, for images and for strangers."""
    store = library.store
    known = store.features(ENCODER).load()
    for row in range(0, len(known), 23):
        own = known.ids[row].tobytes()
        if own not in library.images:
            continue
        hits = search(store, ENCODER, Query(like=(own.hex(),)), k).hits
        [found] = near(library, known.vectors[row : row + 1], k, own)
        assert [image.hex() for image, _ in found] == [hit.image_id for hit in hits]
        assert [score for _, score in found] == pytest.approx(
            [hit.similarity for hit in hits], abs=1e-5
        )
    asked = drawn(5, seed=99)
    for vector, found in zip(asked, near(library, asked, k), strict=True):
        hits = search(store, ENCODER, Query(vectors=vector[None]), k).hits
        assert [image.hex() for image, _ in found] == [hit.image_id for hit in hits]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "drawn")
    store.features(ENCODER).describe({"spec": {"dim": DIM}, "request": {"name": "some"}})
    return store


def test_it_finds_what_search_finds_while_the_store_changes(store: Store) -> None:
    add(store, range(200))
    add(store, range(200, 260), dataset=None)  # that stand in no dataset
    library = Library(store)
    agrees(library)
    add(store, range(300, 340), dataset="b")
    library.refresh()
    agrees(library)
    store.catalog.append("a", [CatalogRow("7.png", gone=True)])
    library.refresh()
    agrees(library)
    forget(store, plan_forget(store, [named([8])[0].hex()]))
    library.refresh()
    agrees(library)
    every = {image for some in near(library, drawn(1, 0), 1000) for image, _ in some}
    assert every == set(named([*range(200), *range(300, 340)])) - set(named([7, 8]))
    add(store, range(200, 210), dataset="c", encoder="other-0123456789ab")  # has vectors here, too
    library.refresh()
    agrees(library)
    assert set(named(range(200, 210))) < {image for image, _ in near(library, drawn(1, 0), 999)[0]}


def test_an_index_is_used_as_soon_as_there_is_one_and_as_long(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("faiss", reason="faiss is not installed")
    add(store, range(400))
    library = Library(store)

    def covered() -> int | None:
        engine = library._open(ENCODER).engine
        assert engine is not None
        return None if engine.index is None else int(engine.index.covered.sum())

    def build() -> None:
        build_index(store, ENCODER, BuildOptions(target_recall=1.0, kinds=("hnsw",)))
        library.refresh()

    assert covered() is None
    build()
    assert covered() == 400
    agrees(library)
    assert not caplog.records
    add(store, range(400, 520), dataset="b")
    library.refresh()
    assert covered() == 400
    assert "lacks 120 of 520 vectors" in caplog.text
    agrees(library)
    extend_index(store, ENCODER)
    library.refresh()
    assert covered() == 520
    forget(store, plan_forget(store, [named([8])[0].hex()]))
    library.refresh()
    agrees(library)
    assert named([8])[0] not in [image for image, _ in near(library, drawn(1, 0), 20)[0]]
    drop_index(store, ENCODER)
    library.refresh()
    assert covered() is None
    agrees(library)
    build()
    store.files.commit(f"indexes/{ENCODER}/index.json", b"{")
    caplog.clear()
    library.refresh()
    assert covered() is None
    assert "search is exact and slower" in caplog.text
    agrees(library)


def test_milvus_is_searched_and_where_it_fails_answers_stay_right(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    pytest.importorskip("milvus_lite", reason="milvus-lite is not installed")
    add(store, range(400))
    where = f"milvus:{tmp_path}/index.db"
    push_index(store, ENCODER, where)
    library = Library(store, index=where)
    library.open(ENCODER)
    engine = library._open(ENCODER).engine
    assert engine is not None
    assert engine.index is not None
    assert engine.index.covered.all()
    agrees(library)
    assert "search by" not in caplog.text

    def gone(*_: object) -> None:
        raise MilvusError("nobody answers")

    monkeypatch.setattr(Collection, "nearest", gone)
    for _ in range(2):
        agrees(library)
    [said] = [each.getMessage() for each in caplog.records if "search by" in each.getMessage()]
    assert "search is exact and slower: nobody answers" in said
    with pytest.raises(UsageError, match="--index takes milvus:"):
        Library(store, index="photos.db").open(ENCODER)


def test_what_is_all_forgotten_has_no_neighbours(store: Store) -> None:
    add(store, range(3))
    library = Library(store)
    assert len(near(library, drawn(1, 0))[0]) == 3
    forget(store, plan_forget(store, dataset="a"))
    library.refresh()
    assert near(library, drawn(2, 0)) == [[], []]
    [found] = library.vectors(ENCODER, named([1]))
    assert isinstance(found, LookupFailed)


def test_what_is_not_known_is_looked_for_but_not_all_the_time(store: Store) -> None:
    add(store, range(3))
    clock = Clock()
    library = Library(store, clock)
    assert library.has_vector(ENCODER, named([1])[0])
    add(store, range(3, 6))
    assert library.place(named([4])[0]).key == "4.png"
    add(store, range(6, 9), dataset=None)
    with pytest.raises(LookupFailed, match="in no dataset"):
        library.place(named([7])[0])  # a look was just now
    clock.now += AGAIN
    [none] = library.vectors(ENCODER, named([7]))
    assert "in no dataset" in str(none)
    store.catalog.append("a", [CatalogRow("7.png", named([7])[0])])
    assert not library.has(named([7])[0])
    clock.now += AGAIN
    [found] = library.vectors(ENCODER, named([7]))
    np.testing.assert_array_equal(found, drawn(3, seed=6)[1])


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 48, 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "png")
    return out.getvalue()


@pytest.mark.parametrize("how", ["flag", "predict", "image", "picture", "explain"])
def test_an_image_that_another_process_has_just_embedded_is_there(
    shelf: Path, tmp_path: Path, visit: Any, disc: bytes, how: str
) -> None:
    shutil.copytree(shelf / "store", tmp_path / "store")
    options = ServiceOptions(station=StationOptions(engine="torch"), watch=3600)
    service = Service(Store.open(tmp_path / "store"), options)
    client = visit(make_service(service))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "new.png").write_bytes(picture(3))
    name = image_id(picture(3)).hex()
    asked = {
        "flag": ("post", "/v1/flag", {"json": {"image_id": name}}),
        "predict": ("post", "/v1/predict?neighbours=3", {"json": {"image_ids": [name]}}),
        "image": ("get", f"/v1/images/{name}", {}),
        "picture": ("get", f"/v1/images/{name}/picture?size=160", {}),
        "explain": ("post", "/v1/explain", {"json": {"image_ids": [name]}}),
    }
    method, path, words = asked[how]
    try:
        client.post("/v1/predict?neighbours=1", json={"image_ids": [image_id(disc).hex()]})
        other = Store.open(tmp_path / "store")
        embed(other, list_source(tmp_path / "more"), "descriptor", dataset="more")
        said = getattr(client, method)(path, **words)
        assert said.status_code == 200, said.text
        if how == "flag":
            items = Queues(other.labels).items(said.json()["queue"])
            assert [item.image_id.hex() for item in items] == [name]
            assert not said.json()["kept"]
        elif how == "predict":
            assert len(said.json()["images"][0]["answers"][0]["neighbours"]) == 3
    finally:
        service.close()
