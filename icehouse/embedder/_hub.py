"""Weights that a hub keeps: fail in seconds, and say what else can be done.

The hub's client retries for most of a minute when there is no network. Whether there is one is
asked first, by one connection; without one, only what the local cache holds is used.
"""

from __future__ import annotations

import logging
import os
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from icehouse.errors import EncoderError, WeightsError

TIMEOUT_SECONDS = 5.0
_PORTS = {"http": 80, "https": 443}


def reachable(url: str, timeout: float = TIMEOUT_SECONDS) -> bool:
    """Return whether a host takes connections, deciding within ``timeout`` seconds."""
    import socket

    address = urllib.parse.urlsplit(url)
    answers: list[bool] = []

    def connect() -> None:
        port = address.port or _PORTS.get(address.scheme, 443)
        try:
            socket.create_connection((address.hostname, port), timeout=timeout).close()
            answers.append(True)
        except OSError:
            return

    # In a thread, because looking up a name has a time limit of its own, and a long one.
    attempt = threading.Thread(target=connect, daemon=True)
    attempt.start()
    attempt.join(timeout)
    return bool(answers)


def use_hub_or_cache() -> None:
    """Let the hub's client use its cache alone where the hub cannot be reached."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    proxies = urllib.request.getproxies()
    target = proxies.get(urllib.parse.urlsplit(endpoint).scheme, endpoint)
    if not reachable(target):
        import huggingface_hub.constants

        huggingface_hub.constants.HF_HUB_OFFLINE = True


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what a library raises while it loads weights into a :class:`WeightsError`."""
    quiet = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # what goes wrong is said below, once
    try:
        yield
    except EncoderError:
        raise
    except Exception as error:
        text = str(error)
        if "key(s) in state_dict" in text or "size mismatch" in text:
            lines = "\n".join(line[:400] for line in text.splitlines()[:12])
            raise WeightsError(f"the weights of {name} do not fit its network. {lines}") from error
        if isinstance(error, (ImportError, MemoryError)):
            raise
        what = (text.strip() or repr(error)).splitlines()[0]
        raise WeightsError(f"cannot load {name}: {what}{_ways_out(name)}") from error
    finally:
        logging.disable(quiet)


def _ways_out(name: str) -> str:
    family, _, rest = name.partition(":")
    if rest.startswith("local-dir:") or "@" in rest:
        return ""
    return (
        "\nIf the weights are not on this machine and it has no network, either\n"
        "  - run the same command once where there is a network, and copy its cache "
        "(the folder HF_HOME, by default ~/.cache/huggingface) to this machine, or\n"
        f"  - give a folder that holds them: {family}:local-dir:PATH, or\n"
        "  - use the encoder whose weights are in this package: tiny"
    )
