"""Maps under care: they belong into a store, no harm to one is damage, and they forget."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.store import (
    FsckReport,
    MapFiles,
    Store,
    StoredMap,
    forget,
    fsck,
    ids_from_bytes,
    plan_forget,
)

KEY = "disc/05.png"


@pytest.fixture
def mapped(damaged: Store) -> Store:
    """The store with a map of its images."""
    for encoder in damaged.encoder_ids():
        ids = damaged.features(encoder).ids()
        xy = np.random.default_rng(0).normal(size=(len(ids), 2)).astype(np.float32)
        stored = StoredMap({"revision": 1}, ids, xy, np.zeros(len(ids), np.bool_))
        MapFiles(damaged.files, encoder).write("umap", stored)
    return damaged


def map_of(store: Store) -> MapFiles:
    [encoder] = store.encoder_ids()
    return MapFiles(store.files, encoder)


def kinds(report: FsckReport) -> set[str]:
    return {finding.kind for finding in report.findings}


def spoil(store: Store) -> str:
    name = f"{map_of(store).folder}/umap.parquet"
    store.files.commit(name, store.files.read(name)[:-30])
    return name


def test_a_map_belongs_into_a_store(mapped: Store) -> None:
    report = fsck(mapped.path)
    assert report.sound
    assert kinds(report).isdisjoint({"map", "foreign-file"})


def test_a_damaged_map_is_a_warning_and_repair_removes_it(mapped: Store) -> None:
    name = spoil(mapped)
    report = fsck(mapped.path)
    assert report.sound  # nothing is lost with it
    [found] = [finding for finding in report.findings if finding.kind == "map"]
    assert (found.severity, found.where) == ("warning", name)
    assert "cannot be used" in found.what
    assert "icehouse map" in found.remedy
    mended = fsck(mapped.path, repair=True)
    assert f"{name}: removed" in mended.repairs
    assert map_of(mapped).names() == []
    assert "map" not in kinds(fsck(mapped.path))


def test_repair_leaves_a_sound_map_as_it_is(mapped: Store) -> None:
    name = f"{map_of(mapped).folder}/umap.parquet"
    before = mapped.files.read(name)
    fsck(mapped.path, repair=True)
    assert mapped.files.read(name) == before


def test_what_else_lies_among_maps_is_foreign(mapped: Store) -> None:
    mapped.files.commit("maps/notes.txt", b"mine")
    found = [f.where for f in fsck(mapped.path).findings if f.kind == "foreign-file"]
    assert found == ["maps/notes.txt"]


def test_a_forgotten_image_is_on_no_map(mapped: Store) -> None:
    image = mapped.find_image(KEY).image_id
    before = map_of(mapped).read("umap")
    forget(mapped, plan_forget(mapped, [KEY]))
    left = map_of(mapped).read("umap")
    assert image in {i.tobytes() for i in before.ids}
    assert not np.isin(ids_from_bytes([image]), left.ids).any()
    assert len(left.ids) == len(before.ids) - 1
    assert not any(
        image in mapped.files.read(name) for name in mapped.files.names(map_of(mapped).folder, "")
    )
    assert "map" not in kinds(fsck(mapped.path))


def test_a_damaged_map_goes_with_what_is_forgotten(mapped: Store) -> None:
    spoil(mapped)
    forget(mapped, plan_forget(mapped, [KEY]))
    assert map_of(mapped).names() == []
