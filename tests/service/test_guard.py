"""Who is let in, from where, how often, and with how much: before any route is asked."""

from __future__ import annotations

import http.client
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from icehouse.service import (
    Limits,
    People,
    Service,
    ServiceOptions,
    StationOptions,
    Terms,
    Wire,
    make_service,
)
from icehouse.service.http._errors import without_paths
from icehouse.service.http._rate import Rate
from icehouse.store import Queues, Store

TOKEN = "visitor-0123456789abcdef"
PNG = {"Content-Type": "image/png"}
JSON = {"Content-Type": "application/json"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def a_visitor() -> People:
    return People.of([], tokens=[TOKEN])


# Tokens.


def test_from_another_address_without_a_token_nothing_but_health_is_answered(
    lasting: Service, inside: Any, disc: bytes
) -> None:
    people = a_visitor()
    app = make_service(lasting, people)
    server = inside(app, "127.0.0.2", people)
    routes = [
        (method, re.sub(r"\{\w+\}", "x", route.path))
        for route in app.routes
        if isinstance(route, Route)
        for method in sorted(route.methods or ())
    ]
    routes += [("GET", "/nothing"), ("GET", "/v1/openapi.json"), ("POST", "/v1/explain")]
    assert len(routes) > 15
    for method, path in routes:
        # Files of the package, nothing of the store.
        if path in ("/", "/review", "/map", "/static/x"):
            continue
        for headers in ({}, {"Authorization": "Bearer " + "x" * 24}, {"X-Reviewer": "owner"}):
            status = ask(server, method, path, headers)[0]
            assert status == (200 if path == "/healthz" else 401), (method, path)
    status, said = ask(server, "POST", "/v1/predict", {**BEARER, **PNG}, disc)
    assert status == 200
    assert b"disc" in said


def ask(
    server: Any, method: str, path: str, headers: dict[str, str], body: bytes | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_who_a_proxy_speaks_for_is_believed_only_where_that_was_said(
    lasting: Service, inside: Any
) -> None:
    app = make_service(lasting)
    far = {"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "https"}
    assert ask(inside(app), "GET", "/v1/tasks", far)[0] == 200
    for trusted, status in (("127.0.0.1", 401), ("10.0.0.1", 200)):
        server = inside(app, wire=Wire(trust_proxy=trusted))
        assert ask(server, "GET", "/v1/tasks", far)[0] == status


def test_a_token_in_the_address_opens_nothing(lasting: Service, visit: Any) -> None:
    client = visit(make_service(lasting, a_visitor()))
    assert client.get(f"/v1/tasks?token={TOKEN}").status_code == 401
    assert client.get("/v1/tasks", headers={"Authorization": TOKEN}).status_code == 401
    assert client.get("/v1/tasks", headers=BEARER).status_code == 200
    assert client.get(f"/review?token={TOKEN}").status_code == 200  # the page, which takes it away


def test_a_visitor_asks_and_flags_but_does_not_review(lasting: Service, visit: Any) -> None:
    client = visit(make_service(lasting, a_visitor()), headers=BEARER)
    assert client.get("/v1/tasks").status_code == 200
    said = client.post("/v1/review/next", json={"count": 1})
    assert (said.status_code, said.json()["error"]) == (403, "Forbidden")


def test_a_token_that_nobody_has_is_said_to_be_that(lasting: Service, visit: Any) -> None:
    client = visit(make_service(lasting, a_visitor()))
    wrong = client.get("/v1/tasks", headers={"Authorization": f"Bearer {TOKEN}x"}).json()
    assert wrong["detail"] == "nobody here has the token that you have given"
    assert client.get("/v1/tasks").json()["detail"].startswith("give your token")


def test_readers_begin_no_queue_and_see_those_that_others_began(
    shelf: Path, tmp_path: Path, visit: Any
) -> None:
    shutil.copytree(shelf / "store", tmp_path / "store")
    store = Store.open(tmp_path / "store")
    people = People.of([f"ann:reviewer:{TOKEN}-ann"], tokens=[TOKEN])
    service = Service(store, ServiceOptions(station=StationOptions(engine="torch")))
    app = make_service(service, people)
    reader = visit(app, headers=BEARER)
    for path in ("/v1/review", "/v1/review/state", "/v1/map/groups"):
        said = reader.get(path)
        assert (said.status_code, said.json()["error"]) == (404, "LookupFailed")
        assert "nothing of task 'shapes' is being reviewed" in said.json()["detail"]
    assert Queues(store.labels).queues("shapes") == []
    ann = visit(app, headers={"Authorization": f"Bearer {TOKEN}-ann"})
    begun = ann.get("/v1/review").json()
    assert reader.get("/v1/review").json() == begun | {"me": {"name": "visitor", "role": "reader"}}
    assert [queue.id for queue in Queues(store.labels).queues("shapes")] == [begun["queue"]]
    service.close()


def test_without_tokens_only_this_machine_is_answered(lasting: Service, visit: Any) -> None:
    app = make_service(lasting)
    assert visit(app).get("/healthz").status_code == 200
    for there in (("192.168.1.7", 4), ("10.0.0.1", 5), ("::ffff:8.8.8.8", 1)):
        assert visit(app, client=there).get("/v1/tasks").status_code == 401
    assert visit(app, client=("::1", 4)).get("/v1/tasks").status_code == 200


# Pages elsewhere.


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "a b"])
def test_by_another_name_this_machine_does_not_answer(
    lasting: Service, visit: Any, host: str
) -> None:
    said = visit(make_service(lasting)).get("/v1/tasks", headers={"Host": host})
    assert said.status_code == 400
    assert "a name of this machine" in said.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_what_pages_elsewhere_send_is_refused(
    lasting: Service, visit: Any, disc: bytes, headers: dict[str, str]
) -> None:
    for people in (People(), a_visitor()):
        client = visit(make_service(lasting, people), headers=BEARER)
        for kind in ("image/png", "text/plain", "application/json"):
            words = {"Content-Type": kind, **headers}
            said = client.post("/v1/predict", content=disc, headers=words)
            assert (said.status_code, said.json()["error"]) == (403, "Forbidden")


def test_our_own_page_may_send(lasting: Service, visit: Any, disc: bytes) -> None:
    client = visit(make_service(lasting))
    own = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin", **PNG}
    assert client.post("/v1/predict", content=disc, headers=own).status_code == 200


def test_every_answer_is_sealed_against_pages_and_holds_no_cookie(
    anybody: TestClient, disc: bytes
) -> None:
    for said in (
        anybody.get("/review"),
        anybody.get("/v1/nothing"),
        anybody.post("/v1/predict", content=disc, headers=PNG),
        anybody.post("/v1/predict", content=b"", headers={"Origin": "http://evil.example"}),
    ):
        policy = said.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert said.headers["x-content-type-options"] == "nosniff"
        assert said.headers["cross-origin-resource-policy"] == "same-origin"
        assert "set-cookie" not in said.headers
        assert "access-control-allow-origin" not in said.headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2f_app.py",
        "/static/%2e%2e/_app.py",
        "/static/....//_app.py",
        "/v1/images/..%2f..%2fstore.json/picture",
        "/v1/images/%00/picture",
        "/v1/images/%2fetc%2fpasswd",
        "//etc/passwd",
        "/static/review.html%00.svg",
    ],
)
def test_no_path_of_a_request_reaches_a_file(anybody: TestClient, path: str) -> None:
    said = anybody.get(path)
    assert said.status_code in (400, 404)
    assert set(said.json()) == {"error", "detail"}


def test_errors_say_nothing_of_where_things_are(own: Service, visit: Any) -> None:
    client = visit(make_service(own))
    root = str(own.store.path)
    for folder in (own.store.path / "catalog").iterdir():
        for file in folder.iterdir():
            file.write_bytes(b"damaged")
    name = next(iter(own.library.images._places)).hex()
    said = client.get(f"/v1/images/{name}")
    assert (said.status_code, said.json()["error"]) == (503, "StoreCorrupt")
    assert root not in said.text
    assert "log of the server" in said.json()["detail"]
    for text, left in (
        ("/srv/a b/x", "… b/x"),
        (f"{root}/heads/x is gone; fit it", "… is gone; fit it"),
        ("C:\\Users\\ann\\store is full", "… is full"),
        ("s3://bucket/name cannot be read", "… cannot be read"),
        ("at 'postgresql://ann:secret@host/db'", "at '…'"),
        ("ask /v1/tasks for shapes/logistic", "ask /v1/tasks for shapes/logistic"),
    ):
        assert without_paths(text) == left


# Too much, too often, too slowly.


def test_too_many_bytes_are_refused_said_or_not(lasting: Service, inside: Any) -> None:
    server = inside(make_service(lasting, limits=Limits(body=10_000)))
    said = ask(server, "POST", "/v1/predict", PNG, bytes(10_001))
    assert said[0] == 413
    assert b"MiB at most" in said[1]
    # Even who sends everything before he listens hears of it.
    assert ask(server, "POST", "/v1/predict", PNG, bytes(20_000_000))[0] == 413

    def parts() -> Any:
        for _ in range(8):
            yield bytes(2000)

    connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
    connection.request("POST", "/v1/predict", parts(), PNG, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    assert ask(server, "POST", "/v1/predict", PNG, bytes(10_000))[0] == 422
    connection.request("POST", "/v1/review/next", parts(), JSON, encode_chunked=True)
    assert connection.getresponse().status == 413  # FastAPI itself reads what is JSON
    connection.close()


def test_bytes_of_all_requests_together_have_a_limit(
    lasting: Service, inside: Any, until: Callable[..., None]
) -> None:
    server = inside(make_service(lasting, limits=Limits(body=10_000, memory=12_000)))
    with socket.create_connection((server.host, server.port)) as slow:
        slow.sendall(head(9000) + bytes(8000))
        until(lambda: ask(server, "POST", "/v1/predict", PNG, bytes(9000))[0] == 429)
        slow.sendall(bytes(1000))
        assert b" 422 " in slow.recv(4000)
    until(lambda: ask(server, "POST", "/v1/predict", PNG, bytes(9000))[0] == 422)


def head(length: int) -> bytes:
    return (
        b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
        b"Content-Length: %d\r\n\r\n" % length
    )


def test_a_body_that_stalls_is_not_waited_for(lasting: Service, inside: Any, disc: bytes) -> None:
    limits = Limits(idle=0.1, whole=0.6)
    server = inside(make_service(lasting, limits=limits))
    with socket.create_connection((server.host, server.port)) as slow:
        slow.settimeout(30)
        slow.sendall(head(1000) + bytes(10))
        assert b" 408 " in slow.recv(4000)
    with socket.create_connection((server.host, server.port)) as slow:
        slow.settimeout(30)
        slow.sendall(head(1000))
        drip = threading.Thread(target=dripping, args=(slow,))
        drip.start()  # never idle for long, and never done
        assert b" 408 " in slow.recv(4000)
        slow.close()
        drip.join()
    assert ask(server, "POST", "/v1/predict", PNG, disc)[0] == 200


def dripping(slow: socket.socket) -> None:
    for _ in range(100):
        try:
            slow.sendall(b"x")
        except OSError:
            return
        time.sleep(0.03)


def test_clients_that_leave_are_no_trouble(lasting: Service, inside: Any, disc: bytes) -> None:
    server = inside(make_service(lasting))
    for sent in (head(len(disc)), head(len(disc)) + disc[:50], head(len(disc)) + disc, b"\x16\x03"):
        for _ in range(5):
            with socket.create_connection((server.host, server.port)) as gone:
                gone.sendall(sent)
    assert ask(server, "POST", "/v1/predict", PNG, disc)[0] == 200
    assert ask(server, "GET", "/readyz", {})[0] == 200


def test_who_asks_too_often_waits(lasting: Service, visit: Any) -> None:
    app = make_service(lasting, limits=Limits(rate=1))
    client = visit(app)
    statuses = [client.get("/v1/tasks").status_code for _ in range(4)]
    assert statuses[:2] == [200, 200]
    assert 429 in statuses
    said = client.get("/v1/tasks")
    assert int(said.headers["retry-after"]) >= 1
    assert client.get("/healthz").status_code == 200
    assert visit(app, client=("127.0.0.9", 1)).get("/v1/tasks").status_code == 200


def test_a_bucket_fills_up_as_time_goes_by() -> None:
    now = [100.0]
    rate = Rate(2.0, lambda: now[0])
    assert [rate.wait("a") for _ in range(5)] == [0, 0, 0, 0, 1]
    assert rate.wait("b") == 0
    now[0] += 1
    assert [rate.wait("a") for _ in range(3)] == [0, 0, 1]
    now[0] += 3600
    assert [rate.wait("a") for _ in range(5)] == [0, 0, 0, 0, 1]
    assert [Rate(0.0).wait("a") for _ in range(100)] == [0] * 100
    for number in range(20_000):
        rate.wait(str(number))
    assert len(rate._buckets) == 10_000


def test_many_images_are_too_many(lasting: Service, visit: Any) -> None:
    client = visit(make_service(lasting, terms=Terms(images=3)))
    forms = [("images", (f"{n}.png", b"x")) for n in range(10_000)]
    said = client.post("/v1/predict", files=forms)
    assert (said.status_code, said.json()["error"]) == (413, "TooLarge")
    assert "3 images at most" in said.json()["detail"]
    names = {"image_ids": ["ab" * 32] * 4}
    assert client.post("/v1/predict", json=names).status_code == 413


def test_nothing_secret_is_written_down(
    lasting: Service, inside: Any, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    people = a_visitor()
    server = inside(make_service(lasting, people), people=people)
    with caplog.at_level("DEBUG"):
        for headers in (BEARER, {"Authorization": f"Bearer {TOKEN}x"}):
            ask(server, "GET", "/v1/tasks", headers)
            ask(server, "GET", f"/review?token={TOKEN}", headers)
    assert TOKEN not in caplog.text
    assert TOKEN not in "".join(capfd.readouterr())
    assert TOKEN not in repr(people.__dict__)


def test_files_of_the_page_are_those_of_the_package(anybody: TestClient) -> None:
    from icehouse import service

    pages = Path(str(service.__file__)).parent / "pages"
    for file in pages.iterdir():
        assert anybody.get(f"/static/{file.name}").content == file.read_bytes()
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|javascript:|style=", text), file.name
