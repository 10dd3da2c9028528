"""Why an answer was given, over HTTP: the picture that the library draws, or why there is none."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from icehouse.errors import ServiceBusy
from icehouse.explain import Explainer, ExplainOptions
from icehouse.heads import load_head
from icehouse.report import explain_picture
from icehouse.service import Service
from icehouse.service.http._explaining import WAITING, Explanations
from icehouse.service.inference._seen import Upload
from icehouse.store import image_id

OPTIONS = ExplainOptions(scores=False)


def explain(client: TestClient, data: bytes, **asked: str) -> Any:
    return client.post(
        "/v1/explain", params=asked, content=data, headers={"Content-Type": "image/png"}
    )


@pytest.mark.parametrize("by", ["bytes", "form", "image_id"])
def test_the_picture_is_that_of_the_library(
    anybody: TestClient, lasting: Service, disc: bytes, by: str
) -> None:
    stored = load_head(lasting.store, "shapes", "logistic")
    name = "a.png" if by == "form" else ""
    expected = explain_picture(Explainer(lasting.store, stored), disc, name, OPTIONS)[1]
    if by == "bytes":
        said = explain(anybody, disc)
    elif by == "form":
        said = anybody.post("/v1/explain", files=[("images", ("a.png", disc))])
    else:
        said = anybody.post("/v1/explain", json={"image_ids": [image_id(disc).hex()]})
    assert (said.status_code, said.headers["Content-Type"]) == (200, "image/png")
    assert said.content == expected


def test_another_class_and_method_is_another_picture(anybody: TestClient, disc: bytes) -> None:
    pictures = {
        explain(anybody, disc).content,
        explain(anybody, disc, method="black-and-white").content,
        explain(anybody, disc, **{"class": "stripes"}).content,
    }
    assert len(pictures) == 3


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"class": "owl"}, 400, "has no class 'owl'"),
        ({"method": "grad-cam"}, 400, "grad-cam"),
        ({"method": "magic"}, 422, "method"),
        ({"head": "nobody"}, 404, "no head 'nobody' is served"),
    ],
)
def test_what_cannot_be_asked_is_said(
    anybody: TestClient, disc: bytes, asked: dict[str, str], status: int, words: str
) -> None:
    said = explain(anybody, disc, **asked)
    assert said.status_code == status
    assert words in said.json()["detail"]


def test_what_is_no_image_is_said(anybody: TestClient) -> None:
    assert explain(anybody, b"no picture").status_code == 422
    two = [("images", ("a.png", b"1")), ("images", ("b.png", b"2"))]
    assert anybody.post("/v1/explain", files=two).status_code == 413


def test_who_comes_when_too_many_wait_is_told_to_come_again(lasting: Service, disc: bytes) -> None:
    line, held = Explanations(lasting), threading.Event()
    line._thread.submit(held.wait)
    [served] = lasting.heads.find([])

    async def crowd() -> list[bytes]:
        asked = [
            asyncio.create_task(line.draw(served, Upload(data=disc), OPTIONS))
            for _ in range(WAITING)
        ]
        await asyncio.sleep(0)
        with pytest.raises(ServiceBusy, match=f"{WAITING} explanations are waited for"):
            await line.draw(served, Upload(data=disc), OPTIONS)
        for one in asked[1:]:
            one.cancel()
        held.set()
        return [await asked[0]]

    try:
        with ThreadPoolExecutor(1) as other:  # where a browser is open, this thread has a loop
            [picture] = other.submit(asyncio.run, crowd()).result()
    finally:
        held.set()
        line.close()
    assert picture.startswith(b"\x89PNG")
