"""The verbs serve and review: what cannot be is refused before anything heavy is loaded."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from icehouse.store import Store

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "sklearn", "scipy", "PIL", "timm"}


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that somebody else has."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield str(other.getsockname()[1])


def refused(*words: str, **settings: str) -> tuple[int, str, set[str]]:
    """Return how a verb ends, what it says, and what it has loaded of what takes long."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"} | settings
    command = [sys.executable, "-X", "importtime", "-m", "icehouse", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    loaded = set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))
    assert "icehouse.cli._serve" in loaded
    said = re.sub(r"^import time:.*\n", "", done.stderr, flags=re.MULTILINE)
    return done.returncode, said, HEAVY & loaded


@pytest.mark.parametrize("verb", ["serve", "review"])
@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--port", "70000"], "65535"),
        (["--port", "TAKEN"], "cannot be listened on"),
        (["--person", "ann:king:0123456789abcdef"], "a role of reader, reviewer, owner"),
        (["--host", "0.0.0.0", "--port", "0"], "other machines reach the page"),
        (["--port", "0", "--store", "nowhere"], "there is no store at nowhere"),
    ],
)
def test_what_cannot_be_is_refused_before_torch_is_loaded(
    embedded: Store, taken: str, verb: str, words: list[str], match: str
) -> None:
    asked = [taken if word == "TAKEN" else word for word in words]
    if "--store" not in asked:
        asked += ["--store", str(embedded.path)]
    status, said, heavy = refused(verb, *asked)
    assert status in (1, 2)
    assert match in said
    assert heavy == set()


def test_settings_of_the_environment_are_refused_as_soon(embedded: Store) -> None:
    here = {"ICEHOUSE_SERVE_STORE": str(embedded.path)}
    status, said, heavy = refused("serve", **here, ICEHOUSE_SERVE_PORT="70000")
    assert (status, heavy) == (2, set())
    assert "port: Input should be less than or equal to 65535" in said
