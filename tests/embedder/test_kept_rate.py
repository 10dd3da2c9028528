"""How fast an encoder was stays beside its vectors, if it can be told."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import embed, kept_rate, list_source
from icehouse.store import Store


def folder_of(images, root):
    root.mkdir()
    for number in range(images):
        noise = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"{number:03}.png")
    return list_source(root)


def frozen(store, listing):
    report = embed(store, listing, "descriptor")
    return report, kept_rate(store, report.encoder_id)


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "store")


def test_the_rate_of_a_run_of_many_images_is_kept(store, tmp_path):
    many, rate = frozen(store, folder_of(64, tmp_path / "many"))
    assert rate == many.speed.achieved
    assert frozen(store, folder_of(64, tmp_path / "again"))[1] == rate  # nothing was encoded


def test_a_run_of_few_images_says_nothing(store, tmp_path):
    assert frozen(store, folder_of(63, tmp_path / "few"))[1] is None


@pytest.mark.parametrize("damage", [b"", b"[]", b"{}", b'{"achieved": null}', b"\xff"])
def test_a_rate_may_be_lost(store, tmp_path, damage):
    report, _ = frozen(store, folder_of(64, tmp_path / "many"))
    store.files.commit(f"features/{report.encoder_id}/speed.json", damage)
    assert kept_rate(store, report.encoder_id) is None
