"""What the benchmarks share: where real images are, running the command line, printing a table."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

WEIGHTS = "mobilenetv2_100.tf2_in1k"


def real() -> Path:
    """Return the folder of real images and weights, or end the benchmark with a word why."""
    folder = os.environ.get("ICEHOUSE_REAL")
    if not folder:
        print("skipped: ICEHOUSE_REAL names no folder of real images and weights")
        sys.exit(0)
    return Path(folder).absolute()


def encoder(folder: Path) -> str:
    """Return the name of the encoder that the benchmarks use."""
    return f"timm:local-dir:{folder / WEIGHTS}"


@dataclass(frozen=True)
class Run:
    """One run of the command line."""

    seconds: float
    peak_mb: float
    results: list[dict[str, Any]]


def command(*words: object) -> list[str]:
    """Return the words that start icehouse in a process of its own."""
    return [sys.executable, "-m", "icehouse", *map(str, words)]


def icehouse(*words: object) -> Run:
    """Run a verb with ``--json`` in a process of its own."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command(*words, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"icehouse {' '.join(map(str, words))} failed:\n{err}")
    # The largest of all children so far: meaningful where runs come in growing order.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return Run(seconds, peak, [json.loads(line) for line in out.splitlines()])


@contextmanager
def workplace() -> Iterator[Path]:
    """Yield a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="icehouse-bench-") as folder:
        yield Path(folder)


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in row))
    Console(width=120).print(table)


@contextmanager
def served(store: Path) -> Iterator[str]:
    """Yield the address of ``icehouse review``, in a process of its own."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    words = command("review", "--store", store, "--port", port)
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(f"{url}healthz", timeout=60).close()
                break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()
