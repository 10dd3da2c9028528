"""The verb review: which queue it opens, and what it refuses before anything is begun."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from icehouse.cli import main
from icehouse.store import Queues, Store


def refused(monkeypatch, capsys, *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["icehouse", "review", *words])
    with pytest.raises(SystemExit, match=r"^[12]$"):
        main()
    return str(capsys.readouterr().err)


def test_a_queue_is_made_and_opened_and_ctrl_c_ends_it(embedded: Store) -> None:
    words = [sys.executable, "-m", "icehouse", "review", "--port", "0", "--batch", "7"]
    process = subprocess.Popen(
        [*words, "--store", str(embedded.path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("queue 1 of task shapes: http://127.0.0.1:")
    try:
        with urllib.request.urlopen(f"{line.split()[-1]}healthz", timeout=30) as said:
            assert said.status == 200
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (0, 130)
    assert [queue.settings["images"] for queue in Queues(embedded.labels).queues()] == [7]


def test_what_cannot_be_is_refused(embedded: Store, tmp_path: Path, monkeypatch, capsys) -> None:
    store = ("--store", str(embedded.path))
    said = refused(monkeypatch, capsys, *store, "--host", "0.0.0.0")
    assert "on 0.0.0.0 other machines reach the page" in said
    assert "no queue 9" in refused(monkeypatch, capsys, "9", *store, "--port", "0")
    assert "NAME:ROLE:TOKEN" in refused(monkeypatch, capsys, *store, "--person", "ann")
    none = str(tmp_path / "none")
    assert "cannot be read" in refused(monkeypatch, capsys, *store, "--people", none)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused(monkeypatch, capsys, *store, "--port", port)
        assert "cannot be listened on" in said
        assert "--port, or 0 for any" in said
