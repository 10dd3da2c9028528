"""Features of several encoders under one id."""

import numpy as np
import pytest

from icehouse.errors import LookupFailed
from icehouse.store import Store, ids_from_bytes, image_id, parts_of

IDS = ids_from_bytes(image_id(name) for name in (b"a", b"b", b"c"))


@pytest.fixture
def two(store: Store) -> Store:
    """Encoder one has images a, b; encoder two c, b, a."""
    for name, ids, dim, dtype in (("one", IDS[:2], 2, "float16"), ("two", IDS[::-1], 3, "float32")):
        features = store.features(name)
        spec = {"dim": dim, "stored_as": dtype, "family": "plain"}
        features.describe({"spec": spec, "request": {"name": name}})
        vectors = np.arange(len(ids) * dim, dtype=np.float32).reshape(len(ids), dim)
        features.append(ids, vectors, dtype)
    return store


def test_vectors_stand_side_by_side_for_images_that_all_encoders_have(two):
    matrix = two.features("one+two").load()
    assert matrix.encoder_id == "one+two"
    found = dict(zip(matrix.ids.tolist(), matrix.vectors.tolist(), strict=True))
    assert found == {IDS[0].tobytes(): [0, 1, 6, 7, 8], IDS[1].tobytes(): [2, 3, 3, 4, 5]}
    assert two.features("one+two").ids().tolist() == np.sort(IDS[:2]).tolist()
    assert two.features("one+two").held()[1].tolist() == [1, 1]


def test_what_is_known_of_them_is_what_they_share_or_what_each_has(two):
    card = two.features("one+two").card
    assert card["spec"] == {"dim": 5, "stored_as": "float16 + float32", "family": "plain"}
    assert card["request"]["name"] == "one + two"


def test_all_of_them_have_to_be_there(two):
    assert two.features("one+two").exists
    assert not two.features("one+three").exists
    with pytest.raises(LookupFailed, match="no features of encoder three"):
        assert two.features("one+three").card
    assert two.encoder_ids() == ["one", "two"]


def test_an_id_of_one_encoder_is_one_part():
    assert parts_of("one") == ("one",)
