"""Real conditions for the store's tests: other processes, small disks and read-only ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import icehouse

Python = Callable[..., subprocess.CompletedProcess[str]]


def environment() -> dict[str, str]:
    """Return what another Python needs to import the icehouse under test."""
    return os.environ | {"PYTHONPATH": str(Path(icehouse.__file__).parents[1])}


@pytest.fixture
def python() -> Python:
    """Run a script in a Python of its own: ``python(script, *arguments, prefix=())``."""

    def run(
        script: str, *arguments: object, prefix: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, "-c", script, *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=environment()
        )

    return run


@pytest.fixture
def start_python() -> Callable[..., subprocess.Popen[str]]:
    """Start a script in a Python of its own, with its output in a pipe."""

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())

    return start


def _mounting(folder: Path, mount: str) -> tuple[str, ...]:
    """Return the prefix of a command that is to see a mount at a folder, root or not."""
    shell = ("unshare", "-rm", "sh", "-c", f'{mount} && shift && exec "$@"', "sh", str(folder))
    if shutil.which("unshare") is None or subprocess.run([*shell, "true"], check=False).returncode:
        pytest.skip("this system does not let its users mount a file system of their own")
    return shell


@pytest.fixture
def small_disk(tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    """A folder, and the prefix of a command that sees a disk of 256 KiB there."""
    folder = tmp_path / "small"
    folder.mkdir()
    return folder, _mounting(folder, 'mount -t tmpfs -o size=256k tmpfs "$1"')


@pytest.fixture
def read_only() -> Callable[[Path], tuple[str, ...]]:
    """Return the prefix of a command that sees a folder as read-only, even as root."""

    def protect(folder: Path) -> tuple[str, ...]:
        mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"'
        return _mounting(folder, mount)

    return protect
