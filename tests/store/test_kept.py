"""Images that nobody has but the store: the bytes as they came, and a row and a vector of each."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.store import Place, Sent, Store, image_id, keep, read_kept

SENT = Sent(b"bytes of a picture", "JPEG", 40, 30)
VECTOR = np.arange(4, dtype=np.float16)


@pytest.mark.parametrize(
    ("kind", "ending"), [("JPEG", "jpg"), ("PNG", "png"), ("TIFF", "tif"), ("WEBP", "webp")]
)
def test_what_is_kept_is_found_again(store: Store, kind: str, ending: str) -> None:
    image = image_id(SENT.data)
    place = keep(store, "sent", Sent(SENT.data, kind, 40, 30), {"e-1": VECTOR})
    assert place == store.places()[image]
    assert place.key == f"{image.hex()}.{ending}"
    assert read_kept(store, place) == SENT.data
    assert place.path is not None
    assert place.path.read_bytes() == SENT.data
    [row] = store.catalog.rows("sent").to_pylist()
    assert (row["width"], row["height"], row["format"]) == (40, 30, kind)
    assert (row["bytes"], row["error"], row["gone"]) == (len(SENT.data), None, False)
    features = store.features("e-1").load()
    assert features.ids.tolist() == [image]
    assert (features.vectors == VECTOR).all()
    assert features.vectors.dtype == np.float16


def test_kept_twice_it_is_there_once(store: Store) -> None:
    for _ in range(2):
        keep(store, "sent", SENT, {"e-1": VECTOR})
    assert len(store.catalog.rows("sent")) == 1
    assert len(store.features("e-1").load()) == 1


def test_only_what_is_kept_is_read_by_its_key(store: Store) -> None:
    image = image_id(SENT.data)
    keep(store, "sent", SENT, {})
    for key in ("../../store.json", f"../sent/{image.hex()}.jpg", "other.jpg", f"{'0' * 64}.jpg"):
        assert read_kept(store, Place("sent", key, None, image)) is None
    assert read_kept(store, Place("other", f"{image.hex()}.jpg", None, image)) is None
