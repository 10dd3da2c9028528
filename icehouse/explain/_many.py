"""Explanations of files, and of images of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from icehouse.embedder import read_again, read_file
from icehouse.errors import ImageError, LookupFailed, UsageError
from icehouse.explain._explainer import Explainer
from icehouse.explain._explanation import Explained, Explanation
from icehouse.explain._options import ExplainOptions
from icehouse.store import Store

Read = Callable[[], bytes]


def explain_files(
    explainer: Explainer, paths: Sequence[Path], options: ExplainOptions | None = None
) -> Iterator[Explained | Explanation]:
    """Explain files, one after the other.

    Yields
    ------
    Explained, or Explanation with an error
        For each path, in their order.

    Raises
    ------
    UsageError
        As :meth:`Explainer.check`.
    """
    named = ((str(path), partial(_bytes_of, path)) for path in paths)
    return _explain(explainer, named, options or ExplainOptions())


def explain_dataset(
    store: Store,
    explainer: Explainer,
    dataset: str,
    options: ExplainOptions | None = None,
    limit: int | None = None,
) -> Iterator[Explained | Explanation]:
    """Explain images of a dataset, in the order of their keys.

    Parameters
    ----------
    limit : int, optional
        So many at most, evenly from all keys.

    Yields
    ------
    Explained, or Explanation with an error
        An image that is not where it was, for one.

    Raises
    ------
    LookupFailed
        It has no images.
    UsageError
        As :meth:`Explainer.check`.
    """
    rows = store.catalog.rows(dataset, ["key", "source", "image_id"])
    found = rows.filter(rows["image_id"].is_valid()).sort_by("key").to_pylist()
    if not found:
        raise LookupFailed(f"dataset {dataset!r} has no images to explain")
    if limit is not None and limit < len(found):
        found = [found[at] for at in np.linspace(0, len(found) - 1, limit).round().astype(int)]
    named = ((row["key"], partial(read_again, row["source"], row["key"])) for row in found)
    return _explain(explainer, named, options or ExplainOptions())


def _explain(
    explainer: Explainer, named: Iterable[tuple[str, Read]], options: ExplainOptions
) -> Iterator[Explained | Explanation]:
    explainer.check(options)
    card = explainer.stored.card
    for name, read in named:
        try:
            yield explainer.explain(read(), name, options)
        except (ImageError, UsageError) as error:
            known = card.task, card.name, card.encoder_id, options.method
            yield Explanation(name, "", *known, error=str(error))


def _bytes_of(path: Path) -> bytes:
    return read_file(path).data
