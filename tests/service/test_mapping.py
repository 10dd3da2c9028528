"""The map over HTTP."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from icehouse.maps import MapOptions, make_map
from icehouse.service import Desk, People, make_app
from icehouse.store import Queues, Store, forget, plan_forget


@pytest.fixture
def desk(reviewed: Store) -> Desk:
    return Desk(reviewed, 1)


@pytest.fixture
def ann(desk: Desk, visit: Any) -> TestClient:
    return visit(make_app(desk))


def points(client: TestClient) -> tuple[dict[str, Any], list[str], np.ndarray]:
    """Return what the page makes of the points."""
    data = client.get("/v1/map/points").content
    (size,) = struct.unpack("<I", data[:4])
    said = json.loads(data[4 : 4 + size])
    ids, xy = data[4 + size :][: 32 * said["images"]], data[4 + size + 32 * said["images"] :]
    assert (4 + size) % 4 == 0
    names = [ids[at : at + 32].hex() for at in range(0, len(ids), 32)]
    return said, names, np.frombuffer(xy, "<f4").reshape(-1, 2)


def test_without_a_map_there_is_a_quick_look(ann: TestClient, reviewed: Store) -> None:
    said, ids, xy = points(ann)
    [encoder] = reviewed.encoder_ids()
    drawn = make_map(reviewed, encoder, MapOptions("pca"))
    assert ids == [row.tobytes().hex() for row in drawn.ids]
    np.testing.assert_array_equal(xy, drawn.xy)
    assert (said["method"], said["images"]) == ("pca", 40)
    assert "icehouse map" in said["notes"][0]
    assert said["groupings"] == ["label", "prediction", "flag", "error", "dataset", "split"]


def test_groups_are_those_of_the_points(ann: TestClient, reviewed: Store) -> None:
    said, ids, _ = points(ann)
    found = ann.get("/v1/map/groups?by=label").json()
    labels = reviewed.labels.present("shapes")
    assert [found["names"][of] for of in found["of"]] == [
        labels[bytes.fromhex(image)][0] for image in ids
    ]
    assert found["version"] == said["version"]
    assert found["sizes"] == [{"group": "disc", "images": 20}, {"group": "stripes", "images": 20}]
    assert len(found["colours"]) == len(set(found["colours"])) == 2
    refused = ann.get("/v1/map/groups?by=taste")
    assert refused.status_code == 400 or refused.status_code == 422
    assert "label, prediction, flag" in refused.json()["detail"]


def test_a_version_tells_that_the_map_is_another(
    ann: TestClient, desk: Desk, reviewed: Store
) -> None:
    before, ids, _ = points(ann)
    forget(reviewed, plan_forget(reviewed, [ids[0]]))
    desk.images.refresh()
    after, left, _ = points(ann)
    assert left == ids[1:]
    assert before["version"] != after["version"] == ann.get("/v1/map/groups").json()["version"]


def test_chosen_images_join_the_queue_once(ann: TestClient, reviewed: Store) -> None:
    queues = Queues(reviewed.labels)
    items = queues.items(1)
    small = queues.make("shapes", "few", items[:2], queues.queue(1).settings)
    desk = Desk(reviewed, small.id)
    assert desk.take_in([item.image_id for item in items[1:4]]) == 2
    assert desk.take_in([item.image_id for item in items[1:4]]) == 0
    assert [item.image_id for item in queues.items(small.id)] == [i.image_id for i in items[:4]]
    queues.rank_anew(small.id, [])
    assert [item.image_id for item in queues.items(small.id)][-2:] == [
        item.image_id for item in items[2:4]
    ]


def test_a_queue_is_made_of_images(ann: TestClient, reviewed: Store) -> None:
    _, ids, _ = points(ann)
    said = ann.post("/v1/review/queues", json={"image_ids": [*ids[:3], ids[0]]}).json()
    assert said == {"queue": 2, "images": 3}
    made = Queues(reviewed.labels).queue(2)
    assert (made.strategy, made.task) == ("chosen", "shapes")
    assert [item.image_id.hex() for item in Queues(reviewed.labels).items(2)] == ids[:3]


@pytest.mark.parametrize("path", ["/v1/review/chosen", "/v1/review/queues", "/v1/map/table"])
def test_bad_images_are_refused(ann: TestClient, path: str) -> None:
    unknown = ann.post(path, json={"image_ids": ["0" * 64]})
    assert unknown.status_code == 404
    assert "0" * 12 in unknown.json()["detail"]
    for images in ([], ["zz"], "all"):
        assert ann.post(path, json={"image_ids": images}).status_code == 422
    many = {"image_ids": ["0" * 64] * 1001}
    assert ann.post("/v1/review/chosen", json=many).status_code == 422


def test_readers_look_and_do_not_choose(reviewed: Store, visit: Any) -> None:
    token = "r" * 32
    client = visit(make_app(Desk(reviewed, 1), People([f"rita:reader:{token}"])))
    signed = {"Authorization": f"Bearer {token}"}
    assert client.get("/v1/map/points").status_code == 401
    assert client.get("/v1/map/points", headers=signed).status_code == 200
    for path in ("/v1/review/chosen", "/v1/review/queues"):
        body = {"image_ids": ["0" * 64]}
        assert client.post(path, json=body, headers=signed).status_code == 403
