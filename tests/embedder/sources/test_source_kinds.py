"""The same images give the same vectors, labels and splits wherever they come from."""

from __future__ import annotations

import io
import json
import signal
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from icehouse.embedder import EmbedOptions, EmbedReport, embed, list_lines, list_source, read_again
from icehouse.errors import Interrupted
from icehouse.store import Store, image_id

KINDS = (
    "folder", "manifest", "tar", "shards", "parquet", "hf", "arrow", "zip", "memory", "s3",
    "s3-manifest", "s3-tar", "s3-shards", "s3-parquet",
)  # fmt: skip
LABELLED = [kind for kind in KINDS if kind != "arrow"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-two small pictures in train/ and test/, each with two class folders."""
    root = tmp_path_factory.mktemp("kinds") / "photos"
    for number in range(42):
        split = "test" if number % 5 == 0 else "train"
        path = root / split / ("cat", "dog")[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (12, 14, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return root


def table_of(root: Path) -> pa.Table:
    """Return a table as ``datasets`` makes it: a struct of bytes and path, and class numbers."""
    paths = sorted(root.rglob("*.png"))
    names = [str(path.relative_to(root)) for path in paths]
    image = [{"bytes": p.read_bytes(), "path": n} for p, n in zip(paths, names, strict=True)]
    features = {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": ["cat", "dog"]},
    }
    noted = json.dumps({"info": {"features": features}}).encode()
    table = pa.table(
        {
            "image": image,
            "label": [("cat", "dog").index(path.parent.name) for path in paths],
            "split": [name.partition("/")[0] for name in names],
        }
    )
    return table.replace_schema_metadata({b"huggingface": noted})


def write_tar(path: Path, root: Path, files: list[Path]) -> None:
    with tarfile.open(path, "w") as tar:
        for file in files:
            tar.add(file, file.relative_to(root))


@pytest.fixture(scope="module")
def sources(
    photos: Path, tmp_path_factory: pytest.TempPathFactory, bucket: tuple[str, Any]
) -> dict[str, str]:
    """The same pictures as every kind of source."""
    import fsspec

    root = tmp_path_factory.mktemp("sources")
    files = sorted(photos.rglob("*.png"))
    table = table_of(photos)
    rows = [f"photos/{p.relative_to(photos)},{p.parent.name},{p.parts[-3]}" for p in files]
    manifest = "\n".join(["path,label,split", *rows])
    (photos.parent / "list.csv").write_text(manifest)
    write_tar(root / "photos.tar", photos, files)
    (root / "shards").mkdir()
    for number in range(3):
        write_tar(root / "shards" / f"part-{number:03d}.tar", photos, files[number::3])
    pq.write_table(table, root / "photos.parquet", row_group_size=5)
    saved = root / "saved"
    for split in ("train", "test"):
        (saved / split).mkdir(parents=True)
        rows_of_split = table.filter(pa.compute.equal(table["split"], split)).drop(["split"])
        write_arrow(saved / split / "data-00000-of-00001.arrow", rows_of_split)
        (saved / split / "state.json").write_text("{}")
    (saved / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    pq.write_table(table, root / "again.parquet")
    url, client = bucket
    memory = fsspec.filesystem("memory")
    with zipfile.ZipFile(root / "photos.zip", "w") as archive:
        for file in files:
            name = str(file.relative_to(photos))
            archive.write(file, name)
            memory.pipe(f"/photos/{name}", file.read_bytes())
            client.put_object(Bucket="ice", Key=f"photos/{name}", Body=file.read_bytes())
    client.put_object(Bucket="ice", Key="list.csv", Body=manifest.encode())
    for file in [*root.glob("*.parquet"), *root.glob("*.tar"), *root.glob("shards/*.tar")]:
        key = str(file.relative_to(root))
        client.put_object(Bucket="ice", Key=f"files/{key}", Body=file.read_bytes())
    return {
        "folder": str(photos),
        "manifest": str(photos.parent / "list.csv"),
        "tar": str(root / "photos.tar"),
        "shards": str(root / "shards" / "part-{000..002}.tar"),
        "parquet": str(root / "photos.parquet"),
        "hf": str(saved),
        "arrow": str(saved / "train" / "data-00000-of-00001.arrow"),
        "zip": str(root / "photos.zip"),
        "memory": "memory://photos",
        "s3": f"{url}/photos",
        "s3-manifest": f"{url}/list.csv",
        "s3-tar": f"{url}/files/photos.tar",
        "s3-shards": f"{url}/files/shards",
        "s3-parquet": f"{url}/files/photos.parquet",
    }


def write_arrow(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=4)


def freeze(store: Store, source: str, **options: Any) -> EmbedReport:
    return embed(
        store, list_source(source), "descriptor", dataset="d", options=EmbedOptions(**options)
    )


def said(store: Store) -> dict[bytes, tuple[tuple[str, ...] | None, str | None]]:
    """Return labels and split by image."""
    rows = store.catalog.rows("d").to_pylist()
    return {row["image_id"]: (tuple(row["labels"] or ()), row["split"]) for row in rows}


def vectors(store: Store, encoder_id: str) -> dict[bytes, bytes]:
    found = store.features(encoder_id).load()
    pairs = zip(found.ids, found.vectors, strict=True)
    return {i.tobytes(): vector.tobytes() for i, vector in pairs}


@pytest.fixture(scope="module")
def expected(
    photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[bytes, bytes], dict[bytes, Any], Any]:
    """Vectors and what is said of each image, from the folder."""
    store = Store.create(tmp_path_factory.mktemp("expected") / "store")
    encoder = freeze(store, str(photos)).encoder_id
    return vectors(store, encoder), said(store), store.labels.present("d")


@pytest.mark.parametrize("kind", LABELLED)
def test_every_kind_of_source_gives_the_same(
    kind: str, sources: dict[str, str], expected: Any, store: Store
) -> None:
    report = freeze(store, sources[kind])
    assert (report.inputs, report.encoded, report.errors) == (42, 42, {})
    assert vectors(store, report.encoder_id) == expected[0]
    assert said(store) == expected[1]
    assert store.labels.present("d") == expected[2]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unchanged_is_not_read_again(
    kind: str, sources: dict[str, str], store: Store
) -> None:
    first = freeze(store, sources[kind])
    before = sorted(store.path.rglob("*.parquet"))
    listing = list_source(sources[kind])
    for entry in listing.entries:
        object.__setattr__(entry, "origin", Untouchable())
    report = embed(store, listing, "descriptor", dataset="d")
    assert (report.encoded, report.reused, report.gone) == (0, first.inputs, 0)
    assert sorted(store.path.rglob("*.parquet")) == before


class Untouchable:
    """An origin that must not be read."""

    def read(self) -> Any:
        raise AssertionError("it was read")


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_goes_on_where_it_was(
    kind: str, sources: dict[str, str], store: Store, interrupt: Callable[[int], Any]
) -> None:
    listing = list_source(sources[kind])
    options = EmbedOptions(batch_size=4, workers=2)
    with pytest.raises(Interrupted, match="run the same command again"):
        embed(store, listing, "descriptor", dataset="d", options=options, progress=interrupt(8))
    done = len(store.catalog.rows("d"))
    assert 8 <= done < len(listing.entries)
    report = freeze(store, sources[kind])
    assert (report.encoded, report.reused) == (len(listing.entries) - done, done)


@pytest.fixture
def interrupt() -> Callable[[int], Any]:
    """Return a progress that presses Ctrl-C after so many inputs."""

    def make(after: int) -> Any:
        def progress(done: int, total: int, errors: int) -> None:
            if done >= after and not pressed:
                pressed.append(done)
                signal.raise_signal(signal.SIGINT)

        pressed: list[int] = []
        return progress

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_is_found_again_by_what_the_catalog_says(
    kind: str, sources: dict[str, str], store: Store
) -> None:
    freeze(store, sources[kind])
    places = store.places().values()
    local = kind in ("folder", "manifest")
    for place in list(places)[::7]:
        assert (place.path is not None) == local
        assert image_id(read_again(place.source, place.key)) == place.image_id


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_what_was_taken_out_of_a_file_is_gone_and_the_rest_is_not_encoded_again(
    kind: str, photos: Path, tmp_path: Path, store: Store
) -> None:
    files, path = sorted(photos.rglob("*.png")), tmp_path / f"x.{kind}"

    def write(number: int) -> None:
        if kind == "tar":
            write_tar(path, photos, files[:number])
        else:
            pq.write_table(table_of(photos).slice(0, number), path)

    write(10)
    assert freeze(store, str(path)).encoded == 10
    write(7)
    report = freeze(store, str(path))
    assert (report.inputs, report.encoded, report.reused, report.gone) == (7, 0, 7, 3)
    assert len(store.catalog.rows("d")) == 7


def test_a_list_of_paths_and_urls_is_a_source(
    sources: dict[str, str], photos: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    files = sorted(photos.rglob("*.png"))
    lines = [str(files[0].relative_to(photos)), "", str(files[1]), str(files[1])]
    url = f"{sources['s3']}/{files[2].relative_to(photos)}"
    listing = list_lines(io.BytesIO("\n".join([*lines, url, "nowhere.png"]).encode()))
    assert [entry.key for entry in listing.entries] == [lines[0], lines[2], url, "nowhere.png"]
    report = embed(store, listing, "descriptor", dataset="d")
    assert (report.encoded, report.errors) == (3, {"unreadable": 1})
    [remote] = [place for place in store.places().values() if place.key == url]
    assert remote.path is None
    assert read_again(remote.source, url) == files[2].read_bytes()
