"""Where a Milvus is: a file of Milvus Lite, or a server."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from icehouse.errors import UsageError

SCHEME, ENDING = "milvus:", ".db"
VARIABLE = "ICEHOUSE_MILVUS_TOKEN"
EXAMPLES = "milvus:photos.db (a file of Milvus Lite) or milvus:http://HOST:19530 (a server)"


@dataclass(frozen=True)
class Address:
    """Where a Milvus is. As text it can be shown to anybody.

    Attributes
    ----------
    uri : str
        Of a server, or the absolute path of a file.
    file : Path or None
        Of Milvus Lite; None for a server.
    token : str
        Of a server, from the environment; never shown.
    """

    uri: str
    file: Path | None
    token: str = field(default="", repr=False)

    @classmethod
    def of(cls, text: str) -> Address:
        """Read what ``--index`` was given.

        Raises
        ------
        UsageError
            It names no Milvus, or holds a password. It is not repeated.
        """
        where = text.removeprefix(SCHEME)
        if where.startswith(("http://", "https://")) and text.startswith(SCHEME):
            return cls(_server(where), None, os.environ.get(VARIABLE, ""))
        if not text.startswith(SCHEME) or not where.endswith(ENDING) or "://" in where:
            raise UsageError(f"--index takes {EXAMPLES}")
        file = Path(where).absolute()
        return cls(str(file), file)

    def __str__(self) -> str:
        if self.file is None:
            return self.uri
        here = Path.cwd()
        return str(self.file.relative_to(here) if self.file.is_relative_to(here) else self.file)


def _server(url: str) -> str:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise UsageError(
            "an address of Milvus is no place for a password, which others on this machine can "
            f"read there; put it in the environment as {VARIABLE}"
        )
    try:
        sound = bool(parts.hostname) and parts.port != 0 and not parts.query + parts.fragment
    except ValueError:  # what stands in the place of the port
        sound = False
    if not sound:
        raise UsageError(f"--index takes {EXAMPLES}")
    return url
