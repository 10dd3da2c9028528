"""The HTTP interface: what is asked is done once, and what cannot be done is said."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette import testclient

from icehouse.service import Desk, DeskOptions, People, make_app
from icehouse.service.inference import Images
from icehouse.store import Store, forget, plan_forget


class TestClient(testclient.TestClient):
    """Somebody on this machine."""

    __test__ = False

    def __init__(self, app: Any, headers: dict[str, str] | None = None) -> None:
        here = ("127.0.0.1", 50000)
        super().__init__(app, base_url="http://127.0.0.1", headers=headers, client=here)


TOKENS = {role: f"{role}-0123456789abcdef" for role in ("reader", "reviewer", "owner")}
TASK = "shapes"


@pytest.fixture
def desk(reviewed: Store) -> Desk:
    return Desk(reviewed, 1, DeskOptions(refit_every=0))


@pytest.fixture
def client(desk: Desk) -> TestClient:
    return TestClient(make_app(desk), headers={"X-Reviewer": "ann"})


def give(client: TestClient, count: int = 3) -> list[dict[str, Any]]:
    return list(client.post("/v1/review/next", json={"count": count}).json()["items"])


def answer(client: TestClient, *answers: dict[str, Any]) -> Any:
    return client.post("/v1/review/answers", json={"answers": list(answers)})


def says(item: dict[str, Any], token: str, *labels: str, **more: Any) -> dict[str, Any]:
    return {"token": token, "image_id": item["image_id"], "labels": list(labels)} | more


# What is shown.


def test_the_desk_says_what_it_is_about(client: TestClient) -> None:
    about = client.get("/v1/review").json()
    assert about["task"] == TASK
    assert about["classes"] == ["disc", "stripes"]
    assert (about["queue"], about["strategy"], about["head"]) == (1, "random", "logistic")
    assert about["me"] == {"name": "ann", "role": "owner"}


def test_an_image_comes_with_all_that_helps_to_decide(client: TestClient) -> None:
    items = give(client, 40)
    assert len(items) == 40
    for item in items:
        assert item["why"]["reason"] == "drawn at random"
        assert item["said"]["by"] == TASK
        assert [name for name, _ in item["bars"]] in (["disc", "stripes"], ["stripes", "disc"])
        assert sum(p for _, p in item["bars"]) == pytest.approx(1)
        assert set(item["near"]) == {"disc", "stripes"}
        for name, some in item["near"].items():
            assert len(some) == 3
            cosines = [near["similarity"] for near in some]
            assert cosines == sorted(cosines, reverse=True)
            assert all(near["labels"] == [name] for near in some)
            assert all(near["image_id"] != item["image_id"] for near in some)


def test_a_picture_is_a_jpeg_of_the_size_asked_for(client: TestClient) -> None:
    image = give(client, 1)[0]["image_id"]
    for size, side in ((160, 48), (20, 48)):
        said = client.get(f"/v1/images/{image}/picture?size={size}")
        assert said.headers["content-type"] == "image/jpeg"
        assert "immutable" in said.headers["cache-control"]
        assert max(Image.open(BytesIO(said.content)).size) == side
    assert client.get("/v1/images/xyz/picture").status_code == 400
    missing = client.get(f"/v1/images/{'ab' * 32}/picture")
    assert (missing.status_code, missing.json()["error"]) == (404, "LookupFailed")


def test_the_page_and_its_parts_are_served_from_here_alone(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(parts) >= 3
    for part in parts:
        assert client.get(f"/{part}").status_code == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert client.get("/static/nothing.js").status_code == 404
    assert client.get("/static/..%2f_app.py").status_code == 404
    assert client.get("/healthz").json() == {"status": "alive"}


def test_every_route_is_documented_for_pages_of_others(client: TestClient) -> None:
    text = (Path(__file__).parents[2] / "docs" / "review.md").read_text(encoding="utf-8")
    section = text.partition("## A page of your own")[2]
    described = client.get("/v1/openapi.json").json()
    for path, methods in described["paths"].items():
        if path.startswith(("/v1/review", "/v1/images")):
            for method in methods:
                assert f"`{method.upper()} {path.replace('{image_id}', 'ID')}" in section
    [example] = re.findall(r"```json\n(.*?)```", section, flags=re.DOTALL)
    fields = described["components"]["schemas"]["AnswerIn"]["properties"]
    assert set(json.loads(example)) == set(fields)
    shown = give(client, 1)[0]
    assert all(f"`{name}`" in section for name in shown)


# What is done.


def test_answers_are_labels_and_are_recorded_once(client: TestClient, reviewed: Store) -> None:
    first, second, third = give(client)
    sent = [
        says(first, "a", "disc", note="round", seconds=1.5),
        says(second, "b", outcome="unsure"),
        says(third, "c", outcome="skip"),
    ]
    for again in (False, True):
        recorded = answer(client, *sent).json()["recorded"]
        assert [one["again"] for one in recorded] == [again] * 3
    events = [e for e in reviewed.labels.events(TASK) if e.origin == "review"]
    assert [(e.image_id.hex(), e.labels, e.annotator, e.note) for e in events] == [
        (first["image_id"], ("disc",), "ann", "round")
    ]
    state = client.get("/v1/review/state").json()
    assert (state["images"], state["done"]) == (40, 2)
    [ann] = state["reviewers"]
    assert (ann["labelled"], ann["skipped"], ann["unsure"]) == (1, 1, 1)


def test_what_was_taken_back_is_given_again(client: TestClient, reviewed: Store) -> None:
    first, second, _ = give(client)
    before = reviewed.labels.present(TASK)
    answer(client, says(first, "a", "disc"), says(second, "b", "disc"))
    for image in (second, first):
        said = client.post("/v1/review/undo", json={"token": image["image_id"]}).json()
        assert said == {"image_id": image["image_id"]}
    assert client.post("/v1/review/undo", json={"token": "z"}).json() == {"image_id": None}
    assert reviewed.labels.present(TASK) == before
    assert {i["image_id"] for i in give(client)} >= {first["image_id"], second["image_id"]}


def test_a_label_shows_at_once_on_the_image_and_beside_others(client: TestClient) -> None:
    first, *_ = give(client, 1)
    other = {"disc": "stripes", "stripes": "disc"}[first["said"]["labels"][0]]
    answer(client, says(first, "a", other))
    items = give(client, 39)
    near = [
        each for item in items for some in item["near"].values() for each in some
        if each["image_id"] == first["image_id"]
    ]  # fmt: skip
    assert near
    assert all(each["labels"] == [other] for each in near)


def test_two_people_are_given_different_images(desk: Desk) -> None:
    app = make_app(desk)
    given = [give(TestClient(app, headers={"X-Reviewer": who}), 10) for who in ("ann", "bob")]
    ids = [{item["image_id"] for item in items} for items in given]
    assert not ids[0] & ids[1]


def test_a_class_is_added_and_used(client: TestClient, reviewed: Store) -> None:
    about = client.post("/v1/review/classes", json={"name": " road and field "}).json()
    assert about["classes"] == ["disc", "stripes", "road and field"]
    first, *_ = give(client)
    assert answer(client, says(first, "a", "road and field")).status_code == 200
    assert client.post("/v1/review/classes", json={"name": "  "}).status_code == 400


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        ({"labels": ["owl"]}, 400, "'owl'] not among the classes"),
        ({"labels": []}, 400, "exactly one label"),
        ({"labels": ["disc", "stripes"]}, 400, "exactly one label"),
        ({"outcome": "maybe"}, 400, "one of label, skip, unsure"),
        ({"outcome": "skip", "labels": ["disc"]}, 400, "has no labels"),
        ({"image_id": "ab" * 32, "labels": ["disc"]}, 404, "may have been forgotten"),
        ({"image_id": "ab"}, 422, "image_id"),
        ({"token": ""}, 422, "token"),
        ({"seconds": -1}, 422, "seconds"),
    ],
)
def test_of_answers_of_which_one_cannot_be_none_is_recorded(
    client: TestClient, reviewed: Store, sent: dict[str, Any], status: int, words: str
) -> None:
    first, second, *_ = give(client)
    before = reviewed.labels.events(TASK)
    said = answer(client, says(first, "a", "disc"), says(second, "b") | sent)
    assert said.status_code == status
    assert words in str(said.json()["detail"])
    assert reviewed.labels.events(TASK) == before


def test_what_is_forgotten_is_shown_no_more(reviewed: Store) -> None:
    desk = Desk(reviewed, 1, DeskOptions(refit_every=0), Images(reviewed, every=0))
    client = TestClient(make_app(desk), headers={"X-Reviewer": "ann"})
    first, second, *others = give(client, 40)
    near = {each["image_id"] for some in second["near"].values() for each in some}
    gone = next(item for item in others if item["image_id"] in near)
    picture = f"/v1/images/{gone['image_id']}/picture?size=160"
    assert client.get(picture).status_code == 200
    forget(reviewed, plan_forget(reviewed, [gone["image_id"]]))
    assert client.get(picture).status_code == 404
    said = answer(client, says(gone, "a", "disc"))
    assert (said.status_code, said.json()["error"]) == (404, "LookupFailed")
    assert "it may have been forgotten" in said.json()["detail"]
    items = give(client, 40)
    assert len(items) == 39
    assert gone["image_id"] not in json.dumps(items)
    assert items[0]["image_id"] == first["image_id"]


def test_the_taking_back_of_an_answer_to_what_is_forgotten_leaves_the_queue_done(
    reviewed: Store,
) -> None:
    desk = Desk(reviewed, 1, DeskOptions(refit_every=0), Images(reviewed, every=0))
    client = TestClient(make_app(desk), headers={"X-Reviewer": "ann"})
    for number, item in enumerate(give(client, 40)):
        answer(client, says(item, f"t{number}", "disc"))
    forget(reviewed, plan_forget(reviewed, [item["image_id"]]))
    said = client.post("/v1/review/undo", json={"token": "u"}).json()
    assert said == {"image_id": item["image_id"]}
    assert give(client) == []
    assert desk.queues.counts(1) == (39, 0, 0)


# Who may do it.


def test_each_role_may_do_its_own(desk: Desk) -> None:
    app = make_app(desk, People([f"{role}:{role}:{token}" for role, token in TOKENS.items()]))
    steps = [
        ("get", "/v1/review", None, "reader"),
        ("get", "/v1/review/state", None, "reader"),
        ("post", "/v1/review/next", {"count": 1}, "reviewer"),
        ("post", "/v1/review/undo", {"token": "t"}, "reviewer"),
        ("post", "/v1/review/classes", {"name": "new"}, "owner"),
        ("post", "/v1/review/refit", {}, "owner"),
    ]
    roles = list(TOKENS)
    for method, path, body, least in steps:
        words = {} if body is None else {"json": body}
        for role, token in TOKENS.items():
            client = TestClient(app, headers={"Authorization": f"Bearer {token}"})
            status = getattr(client, method)(path, **words).status_code
            assert status == (200 if roles.index(role) >= roles.index(least) else 403), path
        stranger = TestClient(app, headers={"X-Reviewer": "owner"})
        assert getattr(stranger, method)(path, **words).status_code == 401
    assert TestClient(app).get("/").status_code == 200  # the page itself holds no secret


def test_pages_elsewhere_cannot_pretend_to_be_this_one(desk: Desk) -> None:
    client = TestClient(make_app(desk), headers={"Host": "evil.example"})
    assert client.get("/v1/review").status_code == 400


# The head.


def settled(client: TestClient) -> dict[str, Any]:
    for _ in range(600):
        state = client.get("/v1/review/state").json()
        if not state["refit"]["running"]:
            return dict(state["refit"])
        time.sleep(0.05)
    raise AssertionError("the fit does not end")


def test_a_refit_learns_from_answers_and_ranks_anew(client: TestClient, desk: Desk) -> None:
    before, head = settled(client), weights(desk)
    for number, item in enumerate(give(client, 8)):
        answer(client, says(item, f"t{number}", "disc"))
    assert client.post("/v1/review/refit", json={}).json() == {"begun": True}
    after = settled(client)
    assert after["error"] is None
    assert len(after["points"]) == len(before["points"]) + 1
    assert weights(desk) != head
    assert {item["why"]["weights"] for item in give(client, 20)} == {weights(desk)}


def weights(desk: Desk) -> str:
    card = json.loads(desk.store.files.read("heads/shapes/logistic/head.json"))
    return str(card["weights_sha256"][:7])


def test_a_refit_comes_by_itself_after_so_many_labels(reviewed: Store) -> None:
    client = TestClient(make_app(Desk(reviewed, 1, DeskOptions(refit_every=3))))
    items = give(client, 3)
    for number, item in enumerate(items):
        assert len(settled(client)["points"]) == 1
        answer(client, says(item, f"t{number}", item["said"]["labels"][0]))
    assert len(settled(client)["points"]) == 2


def test_a_refit_that_fails_leaves_all_as_it_was(client: TestClient, reviewed: Store) -> None:
    every = [(image, ("disc",)) for image in reviewed.labels.present(TASK)]
    reviewed.labels.record(TASK, every, annotator="eve", origin="review")
    client.post("/v1/review/refit", json={})
    after = settled(client)
    assert "2 classes" in after["error"]
    assert len(after["points"]) == 1
    assert len(give(client, 5)) == 5


# Many at once.


def test_reviewers_side_by_side_lose_nothing(desk: Desk, reviewed: Store) -> None:
    app = make_app(desk)
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def work(name: str) -> None:
        client = TestClient(app, headers={"X-Reviewer": name})
        while items := give(client, 2):
            with lock:
                seen.update(item["image_id"] for item in items)
            for item in items:
                sent = says(item, f"{name}-{item['image_id'][:8]}", "disc")
                for _ in range(2):
                    assert answer(client, sent).status_code == 200

    people = [threading.Thread(target=work, args=(f"p{n}",)) for n in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert set(seen.values()) == {1}
    events = [e for e in reviewed.labels.events(TASK) if e.origin == "review"]
    assert Counter(e.image_id.hex() for e in events) == seen
    assert len(seen) == 40
