"""Claim: for 64 clients on loopback ``icehouse serve`` makes at least 85 % as many predictions a
second as ``embed`` encodes of the same images, and three times as many as for one client that asks
for one after the other; of 20,000 requests none fails, and memory stays as it is.

    python benchmarks/serve.py [requests]

MobileNetV2, JPEG of 640x480. ``embed`` is measured before and after, as other programs disturb one
moment and not all. The clients share the processor with the server.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from _common import command, encoder, icehouse, real, show, workplace
from embed_cpu import draw

REQUESTS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
ALONE = max(50, REQUESTS // 100)
IMAGES = 384
CLIENTS = 64
SHARE, TIMES, GROWTH = 0.85, 3.0, 1.1


@dataclass
class Load:
    """What clients have seen.

    Attributes
    ----------
    waits : list of float
        Seconds from request to answer.
    errors : int
    seconds : float
        Of all together.
    memory : list of float
        MiB of the server, now and then.
    """

    waits: list[float] = field(default_factory=list)
    errors: int = 0
    seconds: float = 0.0
    memory: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Predictions a second."""
        return len(self.waits) / self.seconds


def main() -> None:
    """Run it."""
    name = encoder(real())
    with workplace() as folder:
        draw(folder / "all", IMAGES)
        files = sorted((folder / "all").iterdir())
        for number, file in enumerate(files):
            kind = folder / "images" / "ab"[number % 2]
            kind.mkdir(parents=True, exist_ok=True)
            file.rename(kind / file.name)
        store = folder / "store"
        # Measures the engines and keeps the conversion, once for each machine.
        words = ("embed", folder / "images", "--encoder", name, "--store")
        icehouse(*words, store, "--engine", "openvino")
        icehouse("fit-head", "--store", store, "--head", "logistic")
        before = embed_rate(words, folder / "before")
        with served(store) as (port, process):
            bodies = [request(file) for file in sorted((folder / "images").rglob("*.jpg"))]
            asyncio.run(ask(port, bodies, 4 * CLIENTS, CLIENTS, process))  # warm
            many = asyncio.run(ask(port, bodies, REQUESTS, CLIENTS, process))
            alone = asyncio.run(ask(port, bodies, ALONE, 1, process))
            ready = urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60).status
        after = embed_rate(words, folder / "after")
    report(many, alone, (before + after) / 2, ready)


def report(many: Load, alone: Load, embedded: float, ready: int) -> None:
    """Print what was measured, and end with 1 where a claim does not hold."""
    rows = []
    for title, load in ((f"{CLIENTS} clients", many), ("one", alone)):
        milliseconds = 1000 * np.percentile(load.waits, [50, 95, 99])
        rows.append((title, len(load.waits), load.errors, load.rate, *milliseconds.tolist()))
    columns = ("who asks", "answers", "errors", "a second", "p50 ms", "p95", "p99")
    show("predictions by HTTP", columns, rows)
    quarter = max(1, len(many.memory) // 4)
    first, last = np.median(many.memory[:quarter]), np.median(many.memory[-quarter:])
    claims = {
        f"{many.rate / embedded:.0%} of embed's {embedded:.1f} images/s, claim >= {SHARE:.0%}": (
            many.rate >= SHARE * embedded
        ),
        f"{many.rate / alone.rate:.1f} times as many as for one client, claim >= {TIMES:g}": (
            many.rate >= TIMES * alone.rate
        ),
        f"{many.errors} errors in {REQUESTS:,} requests, claim 0": not many.errors,
        f"memory {first:.0f} MiB in the first quarter, {last:.0f} in the last, claim <= "
        f"{GROWTH:g} times": last <= GROWTH * first,
        "ready afterwards": ready == 200,
    }
    for words, holds in claims.items():
        print(f"{words}: {holds}")
    if not all(claims.values()):
        sys.exit(1)


def embed_rate(words: tuple[object, ...], store: Path) -> float:
    """Return the images/s of ``embed`` into a new store."""
    return float(icehouse(*words, store).results[0]["speed"]["achieved"])


def request(file: Path) -> bytes:
    """Return a whole request about an image."""
    data = file.read_bytes()
    head = (
        "POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def ask(
    port: int, bodies: list[bytes], count: int, clients: int, process: subprocess.Popen[bytes]
) -> Load:
    """Let clients ask one after the other, until all together have asked so often."""
    load, left = Load(), iter(range(count))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in left:
            started = time.perf_counter()
            writer.write(bodies[number % len(bodies)])
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            said = await reader.readexactly(size)
            load.waits.append(time.perf_counter() - started)
            good = head.startswith(b"HTTP/1.1 200") and json.loads(said)["images"][0]["answers"]
            load.errors += not good
        writer.close()

    async def watch() -> None:
        while True:
            load.memory.append(resident(process.pid))
            await asyncio.sleep(1)

    watcher = asyncio.create_task(watch())
    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    load.seconds = time.perf_counter() - started
    watcher.cancel()
    return load


def resident(pid: int) -> float:
    """Return the MiB that a process has in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


@contextmanager
def served(store: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Yield the port of ``icehouse serve``, in a process of its own."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    words = command("serve", "--store", store, "--port", port)
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60).close()
                break
            except OSError:
                time.sleep(0.2)
        yield port, process
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
