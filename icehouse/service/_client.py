"""A client of ``icehouse serve``, of the standard library alone; what it returns is typed.

::

    with Client("http://127.0.0.1:8400") as client:
        [image] = client.predict(Path("photo.jpg"))
        print(image.answers[0].top[0].label)
"""

from __future__ import annotations

import json
import re
import ssl
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from icehouse.errors import ServiceRefused, UsageError
from icehouse.service._connection import RAW, Connection, refused
from icehouse.service.http import (
    EmbedOut,
    FlagOut,
    KnownOut,
    PredictedOut,
    PredictOut,
    ReadyOut,
    SearchOut,
    TasksOut,
)

Image = Path | bytes | str
IMAGE_ID = re.compile("[0-9a-fA-F]{64}")
"""A file, the bytes of one, or the image_id of an image of the store."""

Out = TypeVar("Out", bound=BaseModel)
JSON = "application/json"


class Client:
    """One connection to a service; each thread takes its own.

    Parameters
    ----------
    url : str
        ``http://HOST:PORT``, or https.
    token : str, optional
    timeout : float
        Seconds of one answer.
    tries : int
        How often one is asked for where the service is busy, each time after the seconds that it
        has said.
    context : ssl.SSLContext, optional
        Of https.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 60.0,
        tries: int = 1,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._connection = Connection(url, token, timeout, tries, context)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    # What is asked.

    def predict(
        self, *images: Image, heads: str | Sequence[str] = (), top: int = 5, neighbours: int = 0
    ) -> list[PredictedOut]:
        """Return what heads say of images, in their order.

        Parameters
        ----------
        *images : Path, bytes or str
        heads : str or sequence of str
            ``TASK/NAME``; none: the default of the service.
        top : int
            Classes.
        neighbours : int
            Images of the store.

        Raises
        ------
        ServiceError
            There is no answer: busy, down, too late, refused, or nobody there. Of several images,
            what is wrong with one is said in its ``error``.
        """
        named = [heads] if isinstance(heads, str) else list(heads)
        asked = {"head": named, "top": top, "neighbours": neighbours}
        return self._post("predict", asked, images, PredictOut).images

    def embed(self, *images: Image, encoder: str | None = None) -> EmbedOut:
        """Return the vectors of images; raises as :meth:`predict`."""
        return self._post("embed", {"encoder": encoder}, images, EmbedOut)

    def search(
        self,
        image: Image | None = None,
        *,
        text: str | None = None,
        k: int = 10,
        encoder: str | None = None,
        task: str | None = None,
    ) -> SearchOut:
        """Return the images of the store nearest to an image, or to words."""
        asked = {"k": k, "encoder": encoder, "task": task}
        if isinstance(image, str):
            _check(image)
            return self._send("search", asked, {"image_id": image}, SearchOut)
        if image is None:
            return self._send("search", asked, {"text": text}, SearchOut)
        return self._post("search", asked, [image], SearchOut)

    def flag(
        self,
        image: Image,
        *,
        head: str | None = None,
        labels: Sequence[str] = (),
        note: str | None = None,
    ) -> FlagOut:
        """Say that an answer is wrong, and what would be right."""
        said = {"head": head, "labels": list(labels), "note": note}
        given = {name: value for name, value in said.items() if value}
        _check(image)
        if isinstance(image, str):
            return self._send("flag", {}, {"image_id": image, **given}, FlagOut)
        body, kind = _form([image], given)
        return self._ask("POST", "/v1/flag", FlagOut, body, kind)

    def explain(
        self,
        image: Image,
        *,
        head: str | None = None,
        method: str = "occlusion",
        shown: str | None = None,
    ) -> bytes:
        """Return a PNG of the parts of an image that speak for an answer, and against it.

        Parameters
        ----------
        image : Path, bytes or str
        head : str, optional
            ``TASK/NAME``; by default that of the service.
        method : str
            See ``icehouse explain``.
        shown : str, optional
            The class; by default the answer.

        Raises
        ------
        ServiceError
            As :meth:`predict`; or the head cannot be asked so.
        """
        asked = {"head": head, "method": method, "class": shown}
        body, kind = _body([image])
        return self._connection.ask("POST", f"/v1/explain?{_query(asked)}", body, kind)

    def image(self, image_id: str) -> KnownOut:
        """Return what the store knows of an image."""
        return self._ask("GET", f"/v1/images/{image_id}", KnownOut)

    def picture(self, image_id: str, size: int = 640) -> bytes:
        """Return an image of the store as JPEG, no side longer than ``size``."""
        return self._connection.ask("GET", f"/v1/images/{image_id}/picture?size={size}")

    def tasks(self) -> TasksOut:
        """Return the tasks and their heads."""
        return self._ask("GET", "/v1/tasks", TasksOut)

    def ready(self) -> ReadyOut:
        """Return whether the service can answer, and what is wrong where it cannot."""
        status, data, wait = self._connection.once("GET", "/readyz")
        if status >= 400 and status != 503:
            raise refused(status, data, wait)
        return _read(ReadyOut, data)

    # How it is asked.

    def _post(
        self, what: str, asked: dict[str, Any], images: Sequence[Image], out: type[Out]
    ) -> Out:
        return self._ask("POST", f"/v1/{what}?{_query(asked)}", out, *_body(images))

    def _send(self, what: str, asked: dict[str, Any], said: Any, out: type[Out]) -> Out:
        path = f"/v1/{what}?{_query(asked)}"
        return self._ask("POST", path, out, json.dumps(said).encode(), JSON)

    def _ask(
        self, method: str, path: str, out: type[Out], body: bytes | None = None, kind: str = RAW
    ) -> Out:
        return _read(out, self._connection.ask(method, path, body, kind))


def _query(asked: dict[str, Any]) -> str:
    return urlencode({k: v for k, v in asked.items() if v not in (None, [])}, doseq=True)


def _bytes(image: Image) -> bytes:
    if isinstance(image, str):
        raise UsageError("images of the store and others are not asked about in one request")
    return image if isinstance(image, bytes) else image.read_bytes()


def _check(image: Image) -> None:
    """Refuse what is no image, before anything is sent."""
    if isinstance(image, str) and not IMAGE_ID.fullmatch(image):
        raise UsageError(
            f"a text is the image_id of an image of the store, 64 hexadecimal digits; got "
            f"{image[:80]!r}. A file is Path({image[:80]!r})"
        )
    if not isinstance(image, str | bytes | Path):
        raise UsageError(
            f"an image is a Path, its bytes or an image_id, got {type(image).__name__}; "
            "several are given one after another: predict(one, other)"
        )


def _body(images: Sequence[Image]) -> tuple[bytes, str]:
    """Return what images are sent as, and its type of content."""
    for image in images:
        _check(image)
    if all(isinstance(image, str) for image in images):
        return json.dumps({"image_ids": list(images)}).encode(), JSON
    if len(images) == 1:
        return _bytes(images[0]), RAW
    return _form(images, {})


def _form(images: Sequence[Image], said: dict[str, Any]) -> tuple[bytes, str]:
    """Return a form of images and fields, and its type of content."""
    edge = uuid.uuid4().hex
    parts: list[bytes] = []
    for name, value in said.items():
        for each in value if isinstance(value, list) else [value]:
            head = f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
            parts += [head.encode(), str(each).encode(), b"\r\n"]
    for image in images:
        called = image.name if isinstance(image, Path) else "image"
        quoted = called.replace('"', "%22").replace("\r", " ").replace("\n", " ")
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="images"; filename="{quoted}"\r\n'
            f"Content-Type: {RAW}\r\n\r\n"
        )
        parts += [head.encode(), _bytes(image), b"\r\n"]
    return b"".join([*parts, f"--{edge}--\r\n".encode()]), f"multipart/form-data; boundary={edge}"


def _read(out: type[Out], data: bytes) -> Out:
    try:
        return out.model_validate_json(data)
    except ValidationError as error:
        raise ServiceRefused(200, "NotUnderstood", f"{data[:200]!r} ({error})") from None
