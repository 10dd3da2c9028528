"""Images are asked about over HTTP: what is answered is what the library says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from icehouse.embedder import embed, list_source
from icehouse.errors import LookupFailed
from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.review import neighbours, predict_files
from icehouse.service import Service, ServiceOptions, StationOptions, make_service
from icehouse.store import Store, image_id

ON_TORCH = ServiceOptions(station=StationOptions(engine="torch"))  # nothing is to be converted
PNG = {"Content-Type": "image/png"}


def drawn(shade: int, kind: str = "png") -> bytes:
    """A picture that no store has."""
    random = np.random.default_rng(shade)
    pixels = random.integers(0, 256, (40, 48, 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def post(client: TestClient, path: str, data: bytes, **more: Any) -> dict[str, Any]:
    said = client.post(path, content=data, headers=PNG, **more)
    assert said.status_code == 200, said.text
    return dict(said.json())


# Predictions.


def test_answers_are_those_of_the_library(
    anybody: TestClient, lasting: Service, tmp_path: Path
) -> None:
    files = [tmp_path / f"{number}.png" for number in range(6)]
    for number, file in enumerate(files):
        file.write_bytes(drawn(number))
    store = lasting.store
    stored = load_head(store, "shapes", "logistic")
    expected = predict_files(store, stored, files)
    forms = [("images", (file.name, file.read_bytes())) for file in files]
    said = anybody.post("/v1/predict?top=2", files=forms).json()
    for file, wanted, image in zip(files, expected, said["images"], strict=True):
        [answer] = image["answers"]
        assert image["name"] == file.name
        assert image["image_id"] == wanted.image_id
        assert (image["width"], image["height"], image["error"]) == (48, 40, None)
        assert tuple(answer["predicted"]) == wanted.predicted
        top = {each["label"]: each["probability"] for each in answer["top"]}
        assert list(top) == list(wanted.probabilities)
        assert top == pytest.approx(wanted.probabilities, abs=1e-6)
        assert answer["reasons"] == pytest.approx(wanted.reasons, abs=1e-6)
        assert answer["flagged"] == bool(wanted.reasons)
        assert answer["unfamiliarity"] == pytest.approx(wanted.unfamiliarity)
        assert answer["neighbours"] is None


def test_one_image_comes_as_bytes_in_a_form_or_by_its_name(
    anybody: TestClient, disc: bytes
) -> None:
    name = image_id(disc).hex()
    asked = [
        {"content": disc, "headers": PNG},
        {"content": disc, "headers": {"Content-Type": "application/octet-stream"}},
        {"files": {"images": ("a.png", disc)}},
        {"files": {"whatever": ("a.png", disc)}},
        {"json": {"image_ids": [name]}},
        {"data": {"image_ids": [name]}, "files": []},
    ]
    answers = []
    for words in asked[:5]:
        [image] = anybody.post("/v1/predict", **words).json()["images"]
        assert image["image_id"] == name
        answers.append(image["answers"])
    assert all(answer == answers[0] for answer in answers)
    [answer] = answers[0]
    assert (answer["predicted"], answer["unfamiliarity"]) == (["disc"], 0)


def test_every_answer_names_head_version_and_encoder(
    anybody: TestClient, lasting: Service, disc: bytes
) -> None:
    [answer] = post(anybody, "/v1/predict", disc)["images"][0]["answers"]
    [head] = anybody.get("/v1/tasks").json()["tasks"][0]["heads"]
    for name in ("task", "head", "version", "encoder_id"):
        assert answer[name] == head[name]
    assert answer["encoder_id"] == lasting.store.encoder_ids()[0]
    assert len(answer["version"]) == 12


def test_neighbours_are_those_of_the_library(
    anybody: TestClient, lasting: Service, disc: bytes
) -> None:
    store = lasting.store
    found = neighbours(store, store.encoder_ids()[0], image_id(disc).hex(), 4, task="shapes")
    [answer] = post(anybody, "/v1/predict?neighbours=4", disc)["images"][0]["answers"]
    assert [(m["image_id"], m["key"], tuple(m["labels"])) for m in answer["neighbours"]] == [
        (n.image_id, n.key, n.labels) for n in found
    ]
    cosines = [match["similarity"] for match in answer["neighbours"]]
    assert cosines == pytest.approx([n.similarity for n in found], abs=1e-3)


def test_of_many_images_each_has_its_own_error(anybody: TestClient, disc: bytes) -> None:
    sent = [disc, b"", b"no picture", disc[:100], disc]
    forms = [("images", (f"{n}.png", data)) for n, data in enumerate(sent)]
    said = anybody.post("/v1/predict", files=forms)
    assert said.status_code == 200
    images = said.json()["images"]
    kinds = [(image["error"] or {"detail": "good"})["detail"].split(":")[0] for image in images]
    assert kinds == ["good", "empty", "not-an-image", "truncated", "good"]
    assert [len(image["answers"]) for image in images] == [1, 0, 0, 0, 1]
    assert images[0]["answers"] == images[4]["answers"]


def test_several_heads_and_encoders_at_once(
    reviewed: Store, pictures: Path, disc: bytes, visit: Any
) -> None:
    embed(reviewed, list_source(pictures), "tiny", dataset="shapes")
    descriptor, tiny = sorted(reviewed.encoder_ids())
    for kind, encoder in (("knn", tiny), ("logistic", tiny)):
        fit_head(reviewed, kind, options=FitOptions(encoder=encoder, name=f"{kind}-tiny", folds=3))
    of = ("logistic", "logistic-tiny")
    fit_head(reviewed, "ensemble", options=FitOptions(of=of, folds=3))
    heads = ("shapes/knn-tiny", "shapes/logistic", "shapes/ensemble")
    service = Service(reviewed, ON_TORCH)
    client = visit(make_service(service))
    try:
        asked = "&".join(f"head={head}" for head in heads)
        answers = post(client, f"/v1/predict?{asked}", drawn(1))["images"][0]["answers"]
        assert [f"{a['task']}/{a['head']}" for a in answers] == list(heads)
        assert [a["encoder_id"] for a in answers][:2] == [tiny, descriptor]
        assert set(answers[2]["encoder_id"].split("+")) == {tiny, descriptor}
        for answer in answers:
            stored = load_head(reviewed, "shapes", answer["head"])
            file = reviewed.path / "new.png"
            file.write_bytes(drawn(1))
            [expected] = predict_files(reviewed, stored, [file])
            top = {each["label"]: each["probability"] for each in answer["top"]}
            assert top == pytest.approx(expected.probabilities, abs=1e-4)
        said = client.post(f"/v1/embed?encoder={tiny[:6]}", content=disc, headers=PNG).json()
        assert said["encoder_id"] == tiny
        features = reviewed.features(tiny).load()
        stored = {i.tobytes().hex(): v for i, v in zip(features.ids, features.vectors, strict=True)}
        forms = [("images", (file.name, file.read_bytes())) for file in pictures.rglob("*.png")]
        for image in client.post(f"/v1/embed?encoder={tiny[:6]}", files=forms[:21]).json()[
            "images"
        ]:
            assert image["vector"] == stored[image["image_id"]].astype(np.float64).tolist()
        assert set(client.get("/readyz").json()["encoders"].values()) == {"ready"}
        by_name = client.post(f"/v1/predict?{asked}", json={"image_ids": [image_id(disc).hex()]})
        assert len(by_name.json()["images"][0]["answers"]) == 3
    finally:
        service.close()


# Vectors.


def test_vectors_are_those_that_embed_stores(
    anybody: TestClient, lasting: Service, pictures: Path
) -> None:
    features = lasting.store.features(lasting.store.encoder_ids()[0]).load()
    stored = {i.tobytes().hex(): v for i, v in zip(features.ids, features.vectors, strict=True)}
    files = sorted(pictures.rglob("*.png"))
    for some in (files[:1], files[1:4], files[4:40]):  # whatever the batch
        forms = [("images", (file.name, file.read_bytes())) for file in some]
        said = anybody.post("/v1/embed", files=forms).json()
        assert said["dim"] == features.vectors.shape[1]
        for image in said["images"]:
            vector = np.array(image["vector"], np.float32).astype(features.vectors.dtype)
            assert (vector == stored[image["image_id"]]).all()
            assert vector.astype(np.float64).tolist() == image["vector"]


def test_a_queue_that_is_not_there_is_said_at_the_start(lasting: Service) -> None:
    with pytest.raises(LookupFailed, match="queue 77"):
        make_service(lasting, queue=77)


# Search, and what is known.


def test_search_by_bytes_and_by_name_finds_the_same(anybody: TestClient, disc: bytes) -> None:
    name = image_id(disc).hex()
    by_bytes = post(anybody, "/v1/search?k=5&task=shapes", disc)["matches"]
    by_name = anybody.post("/v1/search?k=5&task=shapes", json={"image_id": name}).json()["matches"]
    assert by_bytes == by_name
    assert len(by_name) == 5
    assert name not in [match["image_id"] for match in by_name]
    assert by_name[0]["labels"] in (["disc"], ["stripes"])
    untold = anybody.post("/v1/search?k=5", json={"image_id": name}).json()["matches"]
    assert untold == by_name  # there is one task


def test_search_by_words_takes_an_encoder_that_knows_any(
    anybody: TestClient, store: Store, pictures: Path, clip_folder: Path, visit: Any
) -> None:
    said = anybody.post("/v1/search", json={"text": "a disc"})
    assert said.status_code == 400
    assert "takes words" in said.json()["detail"]
    for name in ("~nobody/x", "clip:local-dir:~nobody/x", "none"):
        said = anybody.post("/v1/search", params={"encoder": name}, json={"text": "a disc"})
        assert (said.status_code, said.json()["error"]) == (404, "LookupFailed")
    embed(store, list_source(pictures), f"clip:local-dir:{clip_folder}", dataset="shapes")
    service = Service(store, ON_TORCH)
    try:
        said = visit(make_service(service)).post("/v1/search?k=3", json={"text": "a disc"})
        assert len(said.json()["matches"]) == 3
    finally:
        service.close()


def test_what_the_store_knows_of_an_image(anybody: TestClient, disc: bytes) -> None:
    name = image_id(disc).hex()
    known = anybody.get(f"/v1/images/{name}").json()
    [place], [label] = known["places"], known["labels"]
    assert (place["dataset"], place["key"]) == ("shapes", "disc/03.png")
    assert (place["width"], place["height"], place["format"]) == (48, 40, "PNG")
    assert (label["task"], label["labels"], label["origin"]) == ("shapes", ["disc"], "source")
    assert len(known["encoders"]) == 1
    assert anybody.get(f"/v1/images/{name}/picture?size=160").content.startswith(b"\xff\xd8")


def test_the_store_is_followed_as_it_changes(
    own: Service, pictures: Path, tmp_path: Path, visit: Any
) -> None:
    client = visit(make_service(own))
    data = drawn(3)
    name = image_id(data).hex()
    assert client.post("/v1/predict", json={"image_ids": [name]}).status_code == 404
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "new.png").write_bytes(data)
    embed(own.store, list_source(tmp_path / "more"), "descriptor", dataset="more")
    own.look()
    assert client.post("/v1/predict", json={"image_ids": [name]}).status_code == 200
    assert client.get(f"/v1/images/{name}").json()["places"][0]["key"] == "new.png"


# Health.


def test_health_and_metrics(anybody: TestClient, disc: bytes, lasting: Service) -> None:
    assert anybody.get("/healthz").json() == {"status": "alive"}
    post(anybody, "/v1/predict", disc)
    anybody.post("/v1/predict", content=b"no", headers=PNG)
    ready = anybody.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert list(ready.json()["heads"]) == ["shapes/logistic"]
    text = anybody.get("/metrics").text
    encoder = lasting.store.encoder_ids()[0]
    for line in (
        'icehouse_requests_total{method="POST",route="/v1/predict",status="200"}',
        'icehouse_requests_total{method="POST",route="/v1/predict",status="422"}',
        'icehouse_request_seconds_bucket{le="0.005",method="POST",route="/v1/predict"}',
        f'icehouse_batch_images_count{{encoder="{encoder}"}}',
        f'icehouse_waiting_images{{encoder="{encoder}"}} 0.0',
        'icehouse_errors_total{error="ImageError"}',
        "process_resident_memory_bytes",
    ):
        assert line in text, line


def test_the_interface_documents_itself(anybody: TestClient) -> None:
    said = anybody.get("/v1/openapi.json").json()
    for path in ("predict", "embed", "search", "flag"):
        content = said["paths"][f"/v1/{path}"]["post"]["requestBody"]["content"]
        assert {"multipart/form-data", "application/json", "image/*"} <= set(content)
    errors = said["paths"]["/v1/predict"]["post"]["responses"]
    assert {"401", "404", "413", "415", "422", "429", "503"} <= set(errors)
    assert "ErrorOut" in json.dumps(errors["429"])
