"""Whatever is sent as an image: one answer, no failure of the server, and an honest health."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

MUTATIONS = int(os.environ.get("ICEHOUSE_MUTATIONS", "150"))
OCTETS = {"Content-Type": "application/octet-stream"}
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM")


def seeds() -> list[bytes]:
    """A small picture in each format, and one progressive JPEG."""
    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 256, (24, 32, 3)).astype(np.uint8))
    found = []
    for name in FORMATS:
        out = io.BytesIO()
        image.save(out, name)
        found.append(out.getvalue())
    out = io.BytesIO()
    image.save(out, "JPEG", progressive=True, exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00")
    return [*found, out.getvalue()]


def mutated(random: np.random.Generator, seeds: list[bytes]) -> bytes:
    """Return one of them with bytes changed, cut, doubled, swapped, joined, or numbers blown up."""
    data = bytearray(seeds[random.integers(len(seeds))])
    for _ in range(random.integers(1, 5)):
        if not data:
            break
        at, size = int(random.integers(len(data))), int(random.integers(1, 17))
        match random.integers(8):
            case 0:
                data[at] ^= 1 << random.integers(8)
            case 1:
                data[at : at + size] = random.bytes(size)
            case 2:
                del data[at:]
            case 3:
                del data[at : at + size]
            case 4:
                data[at:at] = data[at : at + 8 * size]
            case 5:
                data[at:at] = seeds[random.integers(len(seeds))][: 64 * size]
            case 6:
                data[at : at + 4] = struct.pack(">I", int(random.choice([0, 1, 2**31, 2**32 - 1])))
            case _:  # most damage is where the header is
                head = int(random.integers(min(len(data), 40)))
                data[head] = int(random.integers(256))
    return bytes(data)


def test_no_change_of_bytes_brings_the_server_down(anybody: TestClient) -> None:
    random, before = np.random.default_rng(1), seeds()
    statuses: Counter[int] = Counter()
    for number in range(MUTATIONS):
        data = mutated(random, before)
        said = anybody.post("/v1/predict", content=data, headers=OCTETS)
        assert said.status_code in (200, 413, 422), (number, said.text)
        statuses[said.status_code] += 1
    assert statuses[200] > MUTATIONS / 20
    assert statuses[422] > MUTATIONS / 20
    assert anybody.get("/readyz").status_code == 200
    for data in before:
        assert anybody.post("/v1/predict", content=data, headers=OCTETS).status_code == 200


def png(width: int, height: int) -> bytes:
    """A PNG that says to be so large; its pixels are one row of nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 + 3 * min(width, 1000)))
    magic = b"\x89PNG\r\n\x1a\n"
    return magic + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def scans(count: int) -> bytes:
    """A JPEG of so many scans."""
    jpeg = seeds()[-1]
    at = jpeg.index(b"\xff\xda")
    end = jpeg.index(b"\xff\xda", at + 2)
    return jpeg[:at] + jpeg[at:end] * count + jpeg[end:]


def bad() -> Iterator[tuple[str, bytes, str, int, str]]:
    """Yield a name, what is sent, as what, the status that it gets, and words of the answer."""
    kind = "image/png"
    yield "empty", b"", kind, 422, "there are no bytes"
    yield "text", b"this is no picture", kind, 422, "not-an-image"
    yield "page", b"<html><script>alert(1)</script>", kind, 422, "not-an-image"
    yield "bomb", png(50_000, 50_000), kind, 413, "50000x50000 is more than"
    yield "wide bomb", png(2**31 - 1, 1), kind, 413, "is more than"
    yield "no pixels", png(0, 0), kind, 422, "corrupt"
    yield "cut off", png(500, 500)[:-20], kind, 422, ""
    yield "scans", scans(500), "image/jpeg", 422, "more than 100 scans"
    yield "thin", thin(20_000, 1), kind, 200, ""
    yield "tall", thin(1, 20_000), kind, 200, ""
    yield "one pixel", thin(1, 1), kind, 200, ""
    yield "type", b"x", "text/html", 415, "got 'text/html'"
    yield "no type", b"x", "", 415, "got ''"
    yield "no JSON", b"{", "application/json", 400, "Invalid JSON"
    yield "other JSON", b'{"images": []}', "application/json", 400, "image_ids"
    yield "no ids", b'{"image_ids": []}', "application/json", 400, "at least 1"
    yield "short id", b'{"image_ids": ["ab"]}', "application/json", 400, "64 hexadecimal digits"
    yield "unknown", b'{"image_ids": ["%s"]}' % (b"ab" * 32), "application/json", 404, "forgotten"
    yield "no form", b"--x", "multipart/form-data", 400, "boundary"
    yield "empty form", b"--x--\r\n", "multipart/form-data; boundary=x", 400, "no image was sent"
    yield "torn form", b"--x\r\nContent-", "multipart/form-data; boundary=x", 400, ""


def thin(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 40)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("route", ["predict", "embed", "search", "flag"])
def test_what_is_no_image_is_told_so(anybody: TestClient, route: str) -> None:
    for name, data, kind, status, words in bad():
        if route == "flag" and status == 200:
            continue  # it would be kept
        said = anybody.post(f"/v1/{route}", content=data, headers={"Content-Type": kind})
        by_name = kind == "application/json" and route in ("search", "flag")
        if by_name:  # they take another JSON
            assert said.status_code == 400, (name, said.text)
            continue
        assert said.status_code == status, (name, said.text)
        if status != 200:
            assert set(said.json()) == {"error", "detail"}
            assert not words or words in said.json()["detail"] or "no image" in words, name
    assert anybody.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("predict?head=shapes/none", 404, "no head 'shapes/none' is served; these are: shapes/log"),
        ("predict?head=../../etc", 404, "is served"),
        ("predict?top=0", 422, "query.top"),
        ("predict?top=x", 422, "query.top"),
        ("predict?neighbours=1000", 422, "query.neighbours"),
        ("predict?what=1", 422, "query.what"),
        ("embed?encoder=none", 404, "no encoder 'none' is served"),
        ("search?task=none", 404, "no task 'none'"),
        ("search?k=100000", 422, "query.k"),
    ],
)
def test_what_is_not_there_is_told_so(
    anybody: TestClient, disc: bytes, path: str, status: int, words: str
) -> None:
    said = anybody.post(f"/v1/{path}", content=disc, headers=OCTETS)
    assert said.status_code == status
    assert words in said.json()["detail"]


def test_a_method_that_is_none_is_told_so(anybody: TestClient) -> None:
    assert anybody.get("/v1/predict").status_code == 405
    assert anybody.request("TRACE", "/v1/tasks").status_code == 405
    assert anybody.post("/v1/nothing").status_code == 404
