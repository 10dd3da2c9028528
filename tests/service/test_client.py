"""The client: typed answers, typed errors, over a real connection."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from icehouse.errors import (
    ServiceBusy,
    ServiceError,
    ServiceRefused,
    ServiceTimeout,
    UsageError,
)
from icehouse.explain import Explainer, ExplainOptions
from icehouse.heads import load_head
from icehouse.report import explain_picture
from icehouse.service import Client, Limits, People, Service, Terms, make_service
from icehouse.store import image_id

TOKEN = "visitor-0123456789abcdef"


@pytest.fixture
def client(lasting: Service, inside: Any) -> Client:
    return Client(inside(make_service(lasting)).url)


def test_it_asks_all_that_can_be_asked(client: Client, pictures: Path, disc: bytes) -> None:
    name = image_id(disc).hex()
    file = pictures / "disc" / "03.png"
    with client:
        for image in (file, disc, name):
            [one] = client.predict(image, top=1, neighbours=2)
            [answer] = one.answers
            assert (one.image_id, answer.top[0].label) == (name, "disc")
            assert len(answer.neighbours or ()) == 2
        many = client.predict(file, b"no picture", heads=["shapes/logistic"])
        assert many[0] == client.predict(file, b"no picture", heads="shapes/logistic")[0]
        assert [image.name for image in many] == ["03.png", "image"]
        assert many[1].error is not None
        assert many[1].error.error == "ImageError"
        embedded = client.embed(disc)
        assert len(embedded.images[0].vector or ()) == embedded.dim
        assert client.search(disc, k=3) == client.search(name, k=3)
        assert client.search(file, k=1, task="shapes").matches[0].labels is not None
        assert client.image(name).places[0].key == "disc/03.png"
        assert client.picture(name, 160).startswith(b"\xff\xd8")
        assert client.tasks().default == "shapes/logistic"
        assert client.ready().status == "ready"


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("photo.jpg", r"got 'photo.jpg'. A file is Path\('photo.jpg'\)"),
        ([b"one", b"two"], r"got list; several are given one after another"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_image_is_not_sent(image: Any, said: str) -> None:
    client = Client("http://127.0.0.1:9")  # where nobody answers
    for ask in (client.predict, client.embed, client.flag, client.explain):
        with pytest.raises(UsageError, match=said):
            ask(image)


def test_it_asks_why(client: Client, lasting: Service, pictures: Path, disc: bytes) -> None:
    explainer = Explainer(lasting.store, load_head(lasting.store, "shapes", "logistic"))
    options = ExplainOptions(method="black-and-white", shown="stripes", scores=False)
    expected = explain_picture(explainer, disc, "", options)[1]
    for image in (pictures / "disc" / "03.png", disc, image_id(disc).hex()):
        asked = {"head": "shapes/logistic", "method": "black-and-white", "shown": "stripes"}
        assert client.explain(image, **asked) == expected
    assert client.explain(disc) not in (b"", expected)
    with pytest.raises(ServiceRefused, match="has no class 'owl'"):
        client.explain(disc, shown="owl")
    client.close()


def test_it_flags(own: Service, inside: Any, disc: bytes, tmp_path: Path) -> None:
    new = tmp_path / 'a "new"\nname.png'
    new.write_bytes(disc + b"more")
    with Client(inside(make_service(own)).url) as client:
        assert client.flag(new, labels=["disc", "stripes"], note="which?").kept
        assert not client.flag(image_id(disc).hex(), head="shapes/logistic").kept


def test_what_is_refused_is_an_error_of_its_kind(
    client: Client, lasting: Service, inside: Any, disc: bytes
) -> None:
    with pytest.raises(ServiceRefused, match="ImageError \\(422\\): not-an-image") as refused:
        client.predict(b"no picture")
    assert (refused.value.status, refused.value.error) == (422, "ImageError")
    with pytest.raises(ServiceRefused, match="no head 'x' is served"):
        client.predict(disc, heads=["x"])
    with pytest.raises(ServiceRefused, match="takes words"):
        client.search(text="a disc")
    with pytest.raises(UsageError, match="not asked about in one request"):
        client.predict(disc, image_id(disc).hex())
    with pytest.raises(UsageError, match="a service is at http"):
        Client("127.0.0.1:8400")
    late = Client(inside(make_service(lasting, terms=Terms(seconds=1e-9))).url)
    with pytest.raises(ServiceTimeout, match="no answer within"):
        late.predict(disc)
    late.close()
    client.close()


def test_a_token_opens(lasting: Service, inside: Any, disc: bytes) -> None:
    people = People.of([], tokens=[TOKEN])
    url = inside(make_service(lasting, people), people=people).url
    with Client(url) as stranger, pytest.raises(ServiceRefused, match="Unauthorized"):
        stranger.predict(disc)
    with Client(url, TOKEN) as visitor:
        assert visitor.predict(disc)[0].answers


def test_who_is_busy_is_asked_again(lasting: Service, inside: Any, disc: bytes) -> None:
    url = inside(make_service(lasting, limits=Limits(rate=0.5))).url
    with Client(url) as hasty:
        hasty.predict(disc)
        with pytest.raises(ServiceBusy, match="too many requests") as busy:
            hasty.predict(disc)
    assert busy.value.retry_after >= 1
    with Client(url, tries=4) as patient:
        assert patient.predict(disc)


def test_a_connection_that_was_closed_meanwhile_is_opened_again(
    client: Client, disc: bytes
) -> None:
    first = client.predict(disc)
    client._connection._http.sock.shutdown(socket.SHUT_RDWR)
    assert client.predict(disc) == first
    client.close()


def test_nobody_there_is_an_error_too() -> None:
    with (
        Client("http://127.0.0.1:9", timeout=5) as client,
        pytest.raises(ServiceError, match="cannot be asked"),
    ):
        client.tasks()


def test_python_of_the_documentation_runs(
    lasting: Service, inside: Any, disc: bytes, tmp_path: Path, capsys: Any
) -> None:
    url = inside(make_service(lasting)).url
    text = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "photo.jpg").write_bytes(disc)
    with contextlib.chdir(tmp_path):
        exec(compile(block.replace("http://127.0.0.1:8400", url), "serve.md", "exec"), {})
    assert capsys.readouterr().out.startswith("logistic ")
