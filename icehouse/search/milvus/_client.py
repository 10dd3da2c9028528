"""The client of Milvus at its edge: how it is opened, how long it may take, and what it raises."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from icehouse.errors import MilvusError, MissingExtra
from icehouse.search.milvus._address import Address

ANSWER = 5.0  # seconds that a server may take for a question while somebody waits for what is found
AT_WORK = 60.0  # that Milvus Lite may: it does not hang, and reads its file in this process
_lock = Lock()
_users: Counter[str] = Counter()  # of each file of Milvus Lite that is open in this process


def pymilvus() -> Any:
    """Return the library.

    It gives itself a handler that prints each call that fails, with its traceback; what went wrong
    is said by our errors, so that handler goes, unless somebody else has imported it before. So do
    words of Milvus Lite about calls that it does not have, and pymilvus does without.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    first = "pymilvus" not in sys.modules
    try:
        import pymilvus
    except ImportError as error:
        raise MissingExtra("pymilvus", "milvus") from error
    if first:
        for name in ("pymilvus", "pymilvus.milvus_client"):
            logging.getLogger(name).handlers.clear()
            logging.getLogger(name).propagate = True
        for name in ("pymilvus", "milvus_lite", "grpc._server"):
            logging.getLogger(name).addHandler(logging.NullHandler())
    return pymilvus


class Client:
    """A connection to Milvus.

    Parameters
    ----------
    address : Address
    limit : float, optional
        Seconds that opening it may take; :attr:`answer` if nothing is said.

    Attributes
    ----------
    answer : float
        Seconds that a question may take while somebody waits for what is found.

    Raises
    ------
    MilvusError
        There is none, or it does not answer.
    MissingExtra
        pymilvus or, for a file, milvus-lite is not installed.
    """

    def __init__(self, address: Address, limit: float | None = None) -> None:
        library = pymilvus()
        self.address = address
        self.answer = ANSWER if address.file is None else AT_WORK
        uri = address.uri if address.file is None else _served(address)
        try:
            with self.answered():
                # Its own connection: one that is shared is never closed.
                self.call = library.MilvusClient(
                    uri, token=address.token, timeout=limit or self.answer, dedicated=True
                )
        except BaseException:
            _left(address)
            raise

    @contextmanager
    def answered(self) -> Iterator[None]:
        """Turn what pymilvus and gRPC raise into a MilvusError that says which Milvus it was."""
        import grpc

        try:
            yield
        except (pymilvus().MilvusException, grpc.RpcError, grpc.FutureTimeoutError) as error:
            said = getattr(error, "message", None) or error
            raise MilvusError(f"Milvus at {self.address}: {said}") from error

    def close(self) -> None:
        """Let go of it; a file of Milvus Lite is closed when its last user does so."""
        self.call.close()
        _left(self.address)


def _served(address: Address) -> str:
    """Let Milvus Lite serve a file to this process, in threads, and return where."""
    try:
        from milvus_lite.server_manager import server_manager_instance as servers
    except ImportError as error:
        raise MissingExtra("milvus-lite", "milvus") from error
    with _lock, _heard() as said:
        uri: str | None = servers.start_and_get_uri(address.uri)
        if uri is None:
            why = "; ".join(said) or "no reason is known"
            raise MilvusError(f"Milvus Lite cannot open {address}: {why}")
        _users[address.uri] += 1
    return uri


def _left(address: Address) -> None:
    if address.file is None:
        return
    from milvus_lite.server_manager import server_manager_instance as servers

    with _lock:
        _users[address.uri] -= 1
        if not _users[address.uri]:
            servers.release_server(address.uri)


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect why Milvus Lite could not start, which it says to its logger alone."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info and record.exc_info[1]:
                said.append(str(record.exc_info[1]))

    logger, ear = logging.getLogger("milvus_lite.server_manager"), Ear()
    logger.addHandler(ear)
    try:
        yield said
    finally:
        logger.removeHandler(ear)
