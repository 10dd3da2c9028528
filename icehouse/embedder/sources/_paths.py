"""Lists of paths and URLs, as manifests and standard input hold them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from icehouse.embedder.sources._folder import inspect
from icehouse.embedder.sources._listing import Entry, Listing, printable
from icehouse.embedder.sources._network import Network
from icehouse.errors import SourceError


def is_url(path: str) -> bool:
    """Tell a URL from a path."""
    return "://" in path


def inspect_paths(paths: Sequence[str], folder: str, network: Network | None = None) -> list[Entry]:
    """Look at files from outside.

    Parameters
    ----------
    paths : sequence of str
        Which are the keys: absolute, relative to the folder, or URLs.
    folder : str
    network : Network, optional
        With URLs.
    """
    urls = [path for path in paths if is_url(path)]
    seen: dict[str, Entry] = {}
    if urls:
        from icehouse.embedder.sources._urls import inspect_urls

        seen = dict(zip(urls, inspect_urls(urls, network or Network()), strict=True))
    return [
        seen[path] if path in seen else inspect(os.path.join(folder, path), printable(path))
        for path in paths
    ]


def list_lines(lines: Iterable[bytes], network: Network | None = None) -> Listing:
    """List the files that lines name, for instance those of ``find``.

    Parameters
    ----------
    lines : iterable of bytes
        A path or URL each; empty lines and repetitions are left out.
    network : Network, optional

    Returns
    -------
    Listing
        In the order of the lines. Its source is the folder that the paths are relative to.

    Raises
    ------
    SourceError
        No path among the lines.
    """
    paths = [os.fsdecode(line.rstrip(b"\r\n")) for line in lines]
    paths = list(dict.fromkeys(path for path in paths if path))
    if not paths:
        raise SourceError(
            "standard input names no files; give a path or URL a line, for instance: "
            "find photos -name '*.jpg' | icehouse embed - --dataset photos"
        )
    folder = Path.cwd()
    entries = inspect_paths(paths, str(folder), network)
    return Listing(str(folder), "", entries, handed_in=True)
