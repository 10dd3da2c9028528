"""``icehouse serve`` as a process: it ends in good order, speaks TLS, and trusts no header."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import ipaddress
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from icehouse.errors import ServiceError, ServiceRefused
from icehouse.service import Client
from icehouse.store import Store

ROOT = Path(__file__).parents[2]
TOKEN = "visitor-0123456789abcdef"
Start = Callable[..., "Process"]


class Process:
    """A server in a process of its own."""

    def __init__(self, words: list[str], port: int, scheme: str = "http", **more: str) -> None:
        self.port, self.url = port, f"{scheme}://127.0.0.1:{port}"
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | more
        self.process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
        )
        for _ in range(1200):
            assert self.process.poll() is None, self.process.communicate()[0]
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def end(self, how: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(how)
        said = self.process.communicate(timeout=60)[0]
        return self.process.returncode, said


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    made: list[Process] = []

    def one(words: list[str], *more: Any, **others: Any) -> Process:
        made.append(Process(words, *more, **others))
        return made[-1]

    yield one
    for each in made:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)


def free() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate of this machine, signed by itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([here]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(signed.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *plain))
    return folder / "cert.pem", folder / "key.pem"


def test_over_tls_what_was_accepted_is_answered_before_it_ends(
    reviewed: Store, start: Start, disc: bytes, tmp_path: Path
) -> None:
    port, (cert, key) = free(), certificate(tmp_path)
    words = ["icehouse", "serve", "--port", str(port)]
    words += ["--tls-cert", str(cert), "--tls-key", str(key)]
    here = {"ICEHOUSE_SERVE_STORE": str(reviewed.path), "ICEHOUSE_SERVE_TOKEN": TOKEN}
    server = start(words, port, "https", **here)
    context = ssl.create_default_context(cafile=str(cert))
    refused = pytest.raises(ServiceRefused, match="Unauthorized")
    with Client(server.url, context=context) as stranger, refused:
        stranger.predict(disc)
    answered: list[bool] = []

    def work() -> None:
        client = Client(server.url, TOKEN, context=context)
        with client, contextlib.suppress(ServiceError):  # in the end nothing new is taken
            while len(answered) < 1000:
                answered.append(bool(client.predict(disc)[0].answers))

    threads = [threading.Thread(target=work) for _ in range(3)]
    half = len(disc) // 2
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as slow,
    ):
        slow.settimeout(60)
        words = ["POST /v1/predict HTTP/1.1", "Host: here", f"Content-Length: {len(disc)}"]
        words += ["Content-Type: image/png", f"Authorization: Bearer {TOKEN}", "", ""]
        slow.sendall("\r\n".join(words).encode() + disc[:half])
        for thread in threads:
            thread.start()
        while len(answered) < 6:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        slow.sendall(disc[half:])  # it was accepted before
        said = b""
        while b"}]}" not in said and (part := slow.recv(65536)):
            said += part
    assert said.startswith(b"HTTP/1.1 200")
    assert json.loads(said.partition(b"\r\n\r\n")[2])["images"][0]["answers"]
    assert all(answered)
    out = server.process.communicate(timeout=60)[0]
    assert f"https://127.0.0.1:{port}/" in out
    assert "Traceback" not in out
    assert TOKEN not in out


def test_a_plain_line_of_uvicorn_serves_what_the_environment_says(
    reviewed: Store, start: Start, disc: bytes
) -> None:
    port = free()
    words = ["uvicorn", "--factory", "icehouse.service:open_service", "--port", str(port)]
    server = start(words, port, ICEHOUSE_SERVE_STORE=str(reviewed.path))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as other:
        other.request("GET", "/v1/tasks", headers={"X-Forwarded-For": "8.8.8.8"})
        # Its own default is to believe this; then who asks is not of this machine.
        assert other.getresponse().status == 401
    with Client(server.url) as client:
        assert client.predict(disc)[0].answers
    server.end()
