"""forget: at once no verb shows the image; after a repair its bytes are gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from icehouse.embedder import EmbedReport, embed, list_source
from icehouse.errors import LookupFailed, StoreCorrupt, UsageError
from icehouse.heads import FitOptions, fit_head, list_heads, load_head, load_labelled
from icehouse.report import overview, write_page
from icehouse.review import flag, neighbours, predict_dataset, write_flags
from icehouse.store import (
    CatalogRow,
    FeatureShards,
    QueueItem,
    Queues,
    Store,
    forget,
    fsck,
    ids_from_bytes,
    image_id,
    plan_forget,
)

Embed = Callable[[Store], EmbedReport]
KEY = "disc/05.png"


@pytest.fixture
def chosen(damaged: Store) -> bytes:
    """The image that is to be forgotten."""
    return damaged.find_image(KEY).image_id


def features_of(store: Store) -> FeatureShards:
    return store.features(store.encoder_ids()[0])


def vector_of(store: Store, image: bytes) -> Any:
    matrix = features_of(store).load()
    [row] = np.flatnonzero(matrix.ids == np.void(image))
    return matrix.vectors[row]


def bytes_of(store: Store) -> dict[str, bytes]:
    return {name: store.files.read(name) for name in store.files.walk()}


def forget_these(store: Store, *images: str) -> None:
    forget(store, plan_forget(store, images))


@pytest.mark.parametrize("by", ["key", "id", "prefix"])
def test_a_forgotten_image_is_in_no_matrix_and_no_catalog(
    damaged: Store, chosen: bytes, by: str
) -> None:
    name = {"key": KEY, "id": chosen.hex(), "prefix": chosen.hex()[:10]}[by]
    plan = plan_forget(damaged, [name])
    assert plan.images == (chosen.hex(),)
    assert plan.rows == (("shapes", KEY),)
    assert plan.vectors == {features_of(damaged).encoder_id: 1}
    forget(damaged, plan)
    known = {i.tobytes() for i in features_of(damaged).load().ids}
    assert chosen not in known
    assert len(known) == 39
    assert known == {i.tobytes() for i in features_of(damaged).ids()}
    assert KEY not in damaged.catalog.rows("shapes")["key"].to_pylist()
    with pytest.raises(LookupFailed, match="no image in the store has the key"):
        damaged.find_image(KEY)


def test_a_plan_changes_nothing(damaged: Store) -> None:
    before = bytes_of(damaged)
    plan_forget(damaged, [KEY])
    plan_forget(damaged, dataset="shapes")
    assert bytes_of(damaged) == before


def test_no_verb_shows_a_forgotten_image(damaged: Store, chosen: bytes) -> None:
    forget_these(damaged, KEY)
    encoder = damaged.encoder_ids()[0]
    task = damaged.labels.task("shapes")
    assert len(load_labelled(damaged, encoder, task)) == 39
    stored = load_head(damaged, "shapes", "logistic")
    report = flag(damaged, stored)
    assert chosen.hex() not in repr(report)
    assert KEY not in [answer.name for answer in predict_dataset(damaged, stored, "shapes")]
    near = neighbours(damaged, encoder, "disc/06.png", k=50)
    assert len(near) == 38
    assert KEY not in [one.key for one in near]
    held = overview(damaged)
    assert [t.labelled for t in held.tasks] == [39]
    assert [e.vectors for e in held.encoders] == [39]
    assert [d.images for d in held.datasets] == [39]
    assert fit_head(damaged, "logistic", options=FitOptions(folds=3)).metrics["train"]["n"] > 0


def test_nobody_is_asked_about_a_forgotten_image(damaged: Store, chosen: bytes) -> None:
    queues = Queues(damaged.labels)
    other = damaged.find_image("disc/06.png").image_id
    made = queues.make("shapes", "random", [QueueItem(each, 1.0) for each in (chosen, other)])
    forget_these(damaged, KEY)
    assert [item.image_id for item in queues.lease(made.id, "ann", 8)] == [other]


def test_its_bytes_are_gone_after_a_repair(damaged: Store, chosen: bytes) -> None:
    vector = vector_of(damaged, chosen).tobytes()
    forget_these(damaged, KEY)
    assert vector in b"".join(bytes_of(damaged).values())
    report = fsck(damaged.path, repair=True)
    assert report.sound
    for name, data in bytes_of(damaged).items():
        assert vector not in data, name
        if name != "labels.sqlite":  # which keeps its events, by the hash alone
            assert chosen not in data, name
            assert KEY.encode() not in data, name
    assert not list((damaged.path / features_of(damaged).folder / "_forgotten").iterdir())
    assert len(features_of(damaged).load()) == 39


def test_the_bytes_of_a_knn_head_and_of_drawn_flags_go_at_once(
    damaged: Store, chosen: bytes
) -> None:
    fit_head(damaged, "knn", options=FitOptions(name="near"))
    stored = load_head(damaged, "shapes", "logistic")
    folder = damaged.path / "heads/shapes/logistic"
    report = flag(damaged, stored)
    seen = {i for f in report.flags for i in (f.image_id, *(n.image_id for n in f.neighbours))}
    write_flags(report, folder)
    (folder / "flags.png").write_bytes(b"its picture")
    shown = chosen.hex() in seen
    plan = plan_forget(damaged, [KEY])
    assert plan.heads == ("shapes/logistic",)
    forget(damaged, plan)
    assert [card.name for card in list_heads(damaged)] == ["logistic"]
    assert not list((damaged.path / "heads/shapes/near").iterdir())
    assert not list(folder.glob("oof*"))
    assert bool(list(folder.glob("flags.*"))) != shown
    assert fsck(damaged.path).sound


def test_flags_that_show_it_are_removed_and_others_stay(damaged: Store, chosen: bytes) -> None:
    folder = damaged.path / "heads/shapes/logistic"
    for name, image in (("logistic", chosen), ("other", image_id(b"other"))):
        (folder.parent / name).mkdir(exist_ok=True)
        line = f'{{"key": "x", "neighbours": [{{"image_id": "{image.hex()}"}}]}}\n'
        for suffix in ("jsonl", "csv", "parquet", "png"):
            (folder.parent / name / f"flags.{suffix}").write_text(line)
    forget_these(damaged, KEY)
    assert not list(folder.glob("flags.*"))
    assert len(list((folder.parent / "other").glob("flags.*"))) == 4


PARTS = ("a.png#0,0,5,5", "a.png#-1,0,5,5")
OTHERS = ("b.png#0,0,5,5", "a.png#1,2,3", "a.png#0,0,5,5.png", "deep/a.png#0,0,5,5", "A.png")


@pytest.mark.parametrize(
    ("keys", "name", "gone"),
    [
        ([*PARTS, *OTHERS], "a.png", PARTS),
        (["a.png", *PARTS, *OTHERS], "a.png", ("a.png", *PARTS)),
        (["a.png", *PARTS, *OTHERS], PARTS[0], PARTS[:1]),
        (["a.png", *PARTS, *OTHERS], "own identity", ("a.png",)),
    ],
    ids=["only parts", "a picture and its parts", "one part", "by its identity"],
)
def test_a_picture_stands_for_its_parts(
    store: Store, keys: list[str], name: str, gone: tuple[str, ...]
) -> None:
    rows = [CatalogRow(key, image_id=image_id(key.encode())) for key in keys]
    store.catalog.append("boxes", rows)
    plan = plan_forget(store, [image_id(b"a.png").hex() if name == "own identity" else name])
    assert sorted(plan.rows) == sorted(("boxes", key) for key in gone)
    assert set(plan.images) == {image_id(key.encode()).hex() for key in gone}
    forget(store, plan)
    assert sorted(store.catalog.rows("boxes")["key"].to_pylist()) == sorted(set(keys) - set(gone))


def test_parts_of_one_name_in_two_datasets_that_differ_are_refused(store: Store) -> None:
    for dataset in ("one", "two"):
        rows = [CatalogRow(PARTS[0], image_id=image_id(dataset.encode()))]
        store.catalog.append(dataset, [*rows, CatalogRow(PARTS[1], image_id=image_id(b"same"))])
    with pytest.raises(LookupFailed, match=r"'a\.png' is several images: .*longer image_id"):
        plan_forget(store, ["a.png"])


def test_answers_by_captions_that_show_it_are_removed_and_others_stay(
    damaged: Store, chosen: bytes
) -> None:
    shown = "zero-shot/clip-0/{}/{}.csv".format
    for task, image in (("shapes", chosen), ("other", image_id(b"other"))):
        for name in ("answers", "differences"):
            damaged.files.commit(shown(task, name), f"key,image_id\nx,{image.hex()}\n".encode())
    assert "foreign-file" not in {f.kind for f in fsck(damaged.path).findings}
    assert shown("shapes", "answers") in plan_forget(damaged, [KEY]).removed
    forget_these(damaged, KEY)
    assert [n for n in damaged.files.walk() if n.startswith("zero-shot/")] == [
        shown("other", "answers"),
        shown("other", "differences"),
    ]


def test_pages_that_show_it_are_removed_and_others_stay(damaged: Store, chosen: bytes) -> None:
    written = write_page(damaged, load_head(damaged, "shapes", "logistic"))
    page = "reports/shapes/logistic.html"
    assert written.path == str(damaged.path / page)
    shown = chosen.hex() in damaged.files.read(page).decode()
    assert (page in plan_forget(damaged, [KEY]).removed) == shown
    other = 'data-image="{}"'.format
    for name, image in (("one", chosen), ("two", image_id(b"other"))):
        damaged.files.commit(f"reports/shapes/{name}.html", other(image.hex()).encode())
    forget_these(damaged, KEY)
    kept = [n for n in damaged.files.walk() if n.startswith("reports/")]
    assert kept == [*([] if shown else [page]), "reports/shapes/two.html"]


def test_a_source_that_still_has_it_brings_it_back_as_new(
    damaged: Store, chosen: bytes, embed_again: Embed
) -> None:
    before = vector_of(damaged, chosen).tobytes()
    forget_these(damaged, KEY)
    report = embed_again(damaged)
    assert (report.encoded, report.reused) == (1, 39)
    assert vector_of(damaged, chosen).tobytes() == before
    fsck(damaged.path, repair=True)
    assert vector_of(damaged, chosen).tobytes() == before
    assert fsck(damaged.path).findings == ()


def test_a_shard_that_comes_back_bit_by_bit_is_not_hidden_by_its_tombstone(
    store: Store, pictures: Path
) -> None:
    listing = list_source(pictures)
    embed(store, listing, "descriptor", dataset="shapes")
    names = set(features_of(store).shards())
    for times in range(1, 4):
        forget(store, plan_forget(store, dataset="shapes"))
        assert len(features_of(store).load()) == 0
        assert embed(store, listing, "descriptor", dataset="shapes").encoded == 40
        assert len(features_of(store).load()) == 40
        names |= set(features_of(store).shards())
        assert len(names) == times + 1
    assert fsck(store.path, repair=True).sound
    assert len(features_of(store).load()) == 40
    assert len(features_of(store).shards()) == 1
    assert fsck(store.path).findings == ()


def test_a_compaction_that_makes_the_name_of_a_forgotten_shard_loses_nothing(
    tmp_path: Path,
) -> None:
    store = Store.create(tmp_path / "store")
    features = store.features("e")
    ids, vectors = ids_from_bytes([image_id(b"a")]), np.ones((1, 4), np.float16)
    store.catalog.append("photos", [CatalogRow("a", image_id=image_id(b"a"))])
    first = features.append(ids, vectors, "float16")
    forget_these(store, "a")
    assert features.append(ids, vectors, "float16") != first
    other = ids_from_bytes([image_id(b"b")])
    features.append(other, vectors, "float16")
    fsck(store.path, repair=True)
    assert len(features.load()) == 2
    assert len(features.shards()) == 1


def test_a_dataset_goes_and_what_another_one_has_stays(
    damaged: Store, grown: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    for number in range(4):
        source = grown / f"photos/disc/{number:02d}.png"
        (shared / source.name).write_bytes(source.read_bytes())
    (shared / "own.png").write_bytes((grown / "photos/disc/00.png").read_bytes() + b"\0")
    embed(damaged, list_source(shared), "descriptor", dataset="shared")
    plan = plan_forget(damaged, dataset="shapes")
    assert (len(plan.images), len(plan.rows)) == (36, 41)
    forget(damaged, plan)
    assert len(features_of(damaged).load()) == 5
    assert len(damaged.catalog.rows("shapes")) == 0
    assert len(damaged.catalog.rows("shared")) == 5
    assert fsck(damaged.path, repair=True).sound
    assert damaged.catalog.datasets() == ["shared"]
    assert len(features_of(damaged).load()) == 5


def test_images_that_stood_in_a_dataset_once_go_with_it(damaged: Store, chosen: bytes) -> None:
    damaged.catalog.append("shapes", [CatalogRow(KEY, gone=True)])
    plan = plan_forget(damaged, dataset="shapes")
    assert chosen.hex() in plan.images


def test_a_vector_without_a_row_can_be_forgotten_by_its_identity(
    damaged: Store, chosen: bytes
) -> None:
    damaged.catalog.append("shapes", [CatalogRow(KEY, gone=True)])
    plan = plan_forget(damaged, [chosen.hex()[:16]])
    assert (plan.images, plan.rows) == ((chosen.hex(),), ())
    forget(damaged, plan)
    assert len(features_of(damaged).load()) == 39


def test_all_views_of_an_image_are_forgotten(damaged: Store, chosen: bytes) -> None:
    features = features_of(damaged)
    ids, views = ids_from_bytes([chosen, chosen]), np.array([1, 2], np.int16)
    vectors = np.stack([vector_of(damaged, chosen)] * 2) + np.float16(1)
    features.append(ids, vectors, "float16", views)
    forget_these(damaged, KEY)
    fsck(damaged.path, repair=True)
    assert vectors[0].tobytes() not in b"".join(bytes_of(damaged).values())


def test_saying_it_again_finishes_what_was_killed(damaged: Store, chosen: bytes) -> None:
    plan = plan_forget(damaged, [KEY])
    # The tombstone alone, as a process leaves it that dies there.
    features = features_of(damaged)
    features.tombstones.commit(ids_from_bytes([chosen]), features.shards())
    assert [f.kind for f in fsck(damaged.path).findings if f.severity == "damage"] == [
        "vectors-missing"
    ]
    again = plan_forget(damaged, [KEY])
    assert again.rows == plan.rows
    forget(damaged, again)
    assert fsck(damaged.path, repair=True).sound


def test_what_was_put_aside_is_removed_and_a_damaged_shard_is_not_kept(
    damaged: Store, chosen: bytes
) -> None:
    vector = vector_of(damaged, chosen).tobytes()
    name = features_of(damaged).shards()[0]
    damaged.files.commit(f"lost+found/{name}", damaged.files.read(name))
    forget_these(damaged, KEY)
    assert not (damaged.path / "lost+found" / name).exists()
    for shard in features_of(damaged).shards():
        path = damaged.path / shard
        if vector in path.read_bytes():
            table = pq.read_table(path)
            data = bytearray(path.read_bytes())
            data[data.find(vector)] ^= 1
            path.write_bytes(bytes(data))
    report = fsck(damaged.path, repair=True)
    assert any("removed, as it holds forgotten vectors" in line for line in report.repairs)
    assert vector[1:] not in b"".join(bytes_of(damaged).values())
    assert len(features_of(damaged).load()) == 40 - len(table)


def test_a_damaged_tombstone_hides_more_rather_than_less(
    damaged: Store, chosen: bytes, embed_again: Embed
) -> None:
    vector = vector_of(damaged, chosen).tobytes()
    forget_these(damaged, KEY)
    [path] = (damaged.path / features_of(damaged).folder / "_forgotten").iterdir()
    data = bytearray(path.read_bytes())
    data[data.find(chosen) + 3] ^= 4
    path.write_bytes(bytes(data))
    with pytest.raises(StoreCorrupt, match=r"tombstone .* is damaged: .*fsck --repair"):
        features_of(damaged).load()
    assert [f.kind for f in fsck(damaged.path).findings if f.severity == "damage"] == ["tombstone"]
    assert fsck(damaged.path, repair=True).sound
    assert vector not in b"".join(bytes_of(damaged).values())
    assert len(features_of(damaged).load()) == 39


def test_a_damaged_tombstone_is_replaced_by_one_that_says_the_same(
    damaged: Store, chosen: bytes
) -> None:
    assert fsck(damaged.path, repair=True).sound  # one shard, and no vector without a row
    vector = vector_of(damaged, chosen).tobytes()
    forget_these(damaged, KEY)
    [path] = (damaged.path / features_of(damaged).folder / "_forgotten").iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    report = fsck(damaged.path, repair=True)
    assert any("forgot 1 vector that have no row" in line for line in report.repairs)
    assert vector not in b"".join(bytes_of(damaged).values())
    assert len(features_of(damaged).load()) == 39


@pytest.mark.parametrize(
    ("images", "dataset", "error", "message"),
    [
        ([], None, UsageError, "say what is to be forgotten: --image ID_OR_KEY, or --dataset"),
        ([KEY], "shapes", UsageError, "say what is to be forgotten"),
        (["nowhere.png"], None, LookupFailed, "no image in the store has the key"),
        (["disc/broken.png"], None, LookupFailed, "no image in the store has the key"),
        ([], "nothing", LookupFailed, "no dataset 'nothing'; it has: shapes"),
    ],
)
def test_what_cannot_be_forgotten_is_said(
    damaged: Store, images: list[str], dataset: str | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        plan_forget(damaged, images, dataset)


def test_a_beginning_of_several_identities_is_refused(damaged: Store) -> None:
    rows = [CatalogRow(f"{n}", image_id=b"\x12\x34" + bytes([n] * 30)) for n in range(2)]
    damaged.catalog.append("twins", rows)
    with pytest.raises(LookupFailed, match=r"'1234' is several images: 123400.*, 123401.*longer"):
        plan_forget(damaged, ["1234"])


def test_a_damaged_head_is_mended_before_something_is_forgotten(damaged: Store) -> None:
    (damaged.path / "heads/shapes/logistic/head.json").write_text("{")
    with pytest.raises(StoreCorrupt, match=r"head\.json is damaged.*fsck --repair first"):
        plan_forget(damaged, [KEY])
