"""A visitor's "this is wrong": the image is kept, people are asked about it, nothing is lost."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from icehouse.embedder import embed, list_source
from icehouse.heads import FitOptions, fit_head
from icehouse.service import Desk, Service, make_service
from icehouse.store import Queues, Store, forget, fsck, image_id, plan_forget


def picture(shade: int) -> bytes:
    out = io.BytesIO()
    random = np.random.default_rng(shade)
    Image.fromarray(random.integers(0, 256, (30, 50, 3)).astype(np.uint8)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def client(own: Service, visit: Any) -> TestClient:
    return visit(make_service(own), headers={"X-Reviewer": "ann"})


def flag(client: TestClient, data: bytes, **said: Any) -> dict[str, Any]:
    answer = client.post("/v1/flag", files={"images": ("../../x.jpg", data)}, data=said)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_an_image_that_is_new_is_kept_and_is_the_next_that_people_see(
    client: TestClient, own: Service
) -> None:
    data = picture(1)
    name = image_id(data).hex()
    said = flag(client, data, labels=["stripes"], note="no disc at all")
    assert said == {"image_id": name, "task": "shapes", "queue": 1, "kept": True}
    [item, *_] = client.post("/v1/review/next", json={"count": 3}).json()["items"]
    assert (item["image_id"], item["dataset"]) == (name, "visitors")
    why = item["why"]
    assert why["reason"] == "ann says that this is wrong, and that it is stripes (“no disc at all”)"
    assert (why["head"], why["version"]) == ("logistic", own.heads.find([])[0].version)
    [predicted] = client.post("/v1/predict", json={"image_ids": [name]}).json()["images"]
    assert why["predicted"] == predicted["answers"][0]["predicted"]
    shown = client.get(f"/v1/images/{name}/picture?size=160")
    assert Image.open(io.BytesIO(shown.content)).size == (50, 30)
    [place] = client.get(f"/v1/images/{name}").json()["places"]
    assert place | {"bytes": None} == {
        "dataset": "visitors", "key": f"{name}.jpg", "width": 50, "height": 30,
        "format": "JPEG", "bytes": None, "split": None,
    }  # fmt: skip
    kept = own.store.path / "kept" / "visitors" / f"{name}.jpg"
    assert kept.read_bytes() == data
    answer = {"token": "t", "image_id": name, "labels": ["stripes"]}
    assert client.post("/v1/review/answers", json={"answers": [answer]}).status_code == 200
    assert own.store.labels.present("shapes")[image_id(data)] == ("stripes",)
    assert 'icehouse_flags_total{task="shapes"} 1.0' in client.get("/metrics").text


def test_images_that_are_kept_are_known_at_once(client: TestClient) -> None:
    for number in range(3):  # one right after the other
        name = flag(client, picture(number))["image_id"]
        [said] = client.post("/v1/predict", json={"image_ids": [name]}).json()["images"]
        assert said["error"] is None


def test_an_image_of_the_store_is_only_asked_about(
    client: TestClient, own: Service, disc: bytes
) -> None:
    for send in (
        lambda: flag(client, disc, note="once"),
        lambda: client.post(
            "/v1/flag", json={"image_id": image_id(disc).hex(), "note": "twice"}
        ).json(),
    ):
        assert send()["kept"] is False
    item = Queues(own.store.labels).items(1)[0]
    assert item.image_id == image_id(disc)
    assert [said["note"] for said in item.why["said"]] == ["once", "twice"]
    assert not (own.store.path / "kept").exists()


def test_what_people_have_answered_is_asked_again_in_another_queue(
    client: TestClient, own: Service, disc: bytes
) -> None:
    name = image_id(disc).hex()
    assert flag(client, disc)["queue"] == 1
    client.post("/v1/review/next", json={"count": 1})
    answer = {"token": "t", "image_id": name, "labels": ["disc"]}
    client.post("/v1/review/answers", json={"answers": [answer]})
    assert flag(client, disc)["queue"] == 2
    queues = Queues(own.store.labels)
    assert queues.queue(2).strategy == "visitors"
    assert [item.image_id for item in queues.items(2)] == [image_id(disc)]
    assert Desk(own.store, 2).next("bob", 1)[0][0]["image_id"] == name


def test_a_ranking_anew_leaves_flags_where_they_are(client: TestClient, own: Service) -> None:
    names = [flag(client, picture(shade))["image_id"] for shade in range(3)]
    queues = Queues(own.store.labels)
    queues.rank_anew(1, [])
    assert [item.image_id.hex() for item in queues.items(1)] == names[::-1]


def test_a_desk_elsewhere_shows_what_came_meanwhile(client: TestClient, own: Service) -> None:
    desk = Desk(own.store, 1)
    name = flag(client, picture(1))["image_id"]
    assert desk.next("bob", 1)[0][0]["image_id"] == name


def test_what_cannot_be_flagged_is_refused_and_leaves_nothing(
    client: TestClient, own: Service, disc: bytes
) -> None:
    before = own.store.files.walk()
    sent = {"images": ("x.jpg", picture(1))}
    for words, status in (
        ({"files": sent, "data": {"labels": ["owl"]}}, 400),
        ({"files": sent, "data": {"head": "none/none"}}, 404),
        ({"files": sent, "data": {"note": "x" * 2001}}, 400),
        ({"files": {"images": ("x.jpg", b"no picture")}}, 422),
        ({"files": [("images", ("a", disc)), ("images", ("b", disc))]}, 413),
        ({"json": {"image_id": "ab" * 32}}, 404),
        ({"json": {"note": "nothing"}}, 400),
    ):
        said = client.post("/v1/flag", **words)
        assert said.status_code == status, said.text
    assert [name for name in own.store.files.walk() if "-" not in name.split("/")[-1][:14]] == [
        name for name in before if "-" not in name.split("/")[-1][:14]
    ]
    assert "visitors" not in own.store.catalog.datasets()


def test_what_is_kept_is_sound_and_is_embedded_and_forgotten_as_all_else(
    client: TestClient, own: Service
) -> None:
    names = [flag(client, picture(shade))["image_id"] for shade in range(3)]
    store = Store.open(own.store.path)
    assert {finding.severity for finding in fsck(store.path).findings} <= {"information"}
    folder = store.path / "kept" / "visitors"
    again = embed(store, list_source(folder), "descriptor", dataset="visitors")
    assert (again.inputs, again.encoded) == (3, 0)
    shown = f"/v1/images/{names[0]}/picture?size=160"
    assert client.get(shown).status_code == 200
    forget(store, plan_forget(store, [names[0]]))
    assert sorted(file.stem for file in folder.iterdir()) == sorted(names[1:])
    own.look()
    assert client.get(f"/v1/images/{names[0]}").status_code == 404
    assert client.get(shown).status_code == 404
    assert client.get(f"/v1/images/{names[1]}").status_code == 200


def test_pictures_are_found_where_the_store_has_been_moved_to(
    client: TestClient, own: Service, tmp_path: Path
) -> None:
    name = flag(client, picture(1))["image_id"]
    own.store.path.rename(tmp_path / "moved")
    desk = Desk(Store.open(tmp_path / "moved"), 1)
    assert desk.images.jpeg(bytes.fromhex(name), 160).startswith(b"\xff\xd8")
    (tmp_path / "moved").rename(own.store.path)


def test_a_store_at_a_url_keeps_images_too(
    bucket: tuple[str, Any], pictures: Path, tmp_path: Path, visit: Any
) -> None:
    labels = f"sqlite:///{tmp_path}/labels.sqlite"
    store = Store.create(f"{bucket[0]}/flagged", labels)
    embed(store, list_source(pictures), "descriptor", dataset="shapes")
    fit_head(store, "knn", options=FitOptions(folds=3))
    service = Service(store)
    try:
        client = visit(make_service(service))
        name = flag(client, picture(1))["image_id"]
        assert client.get(f"/v1/images/{name}/picture?size=160").status_code == 200
        assert client.get("/v1/review").json()["strategy"] == "visitors"
        assert client.get("/readyz").status_code == 200
    finally:
        service.close()
    assert store.files.exists(f"kept/visitors/{name}.jpg")


def test_what_is_said_in_the_address_is_not_dropped(anybody: TestClient, disc: bytes) -> None:
    said = anybody.post(
        "/v1/flag?labels=stripes", content=disc, headers={"Content-Type": "image/png"}
    )
    assert said.status_code == 400
    assert "in the form or the JSON; got them in the address: labels" in said.json()["detail"]
