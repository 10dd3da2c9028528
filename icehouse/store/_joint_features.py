"""Features of several encoders side by side: under ``a+b`` the vectors of a, then those of b."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.store._features import FeatureMatrix, FeatureShards
from icehouse.store._files import Files
from icehouse.store._ids import IdArray, positions
from icehouse.store._rows import VectorRows

AND = "+"  # in no encoder_id of one encoder


def parts_of(encoder_id: str) -> tuple[str, ...]:
    """Return the encoders that an encoder_id joins, which is most often one.

    Examples
    --------
    >>> parts_of("tiny-1f+descriptor-a0")
    ('tiny-1f', 'descriptor-a0')
    """
    return tuple(encoder_id.split(AND))


class JointFeatures(FeatureShards):
    """What several encoders have of the same images; it can be read and not written.

    Parameters
    ----------
    files : Files
    encoder_id : str
        Those of its parts, joined by ``+``.
    """

    def __init__(self, files: Files, encoder_id: str) -> None:
        super().__init__(files, encoder_id)
        self.parts = [FeatureShards(files, part) for part in parts_of(encoder_id)]

    @property
    def card(self) -> dict[str, Any]:
        """What is known of the parts: what they share, or what each has, joined by ``+``."""
        cards = [part.card for part in self.parts]
        spec = _joined_card([card["spec"] for card in cards])
        dim = sum(int(card["spec"]["dim"]) for card in cards)
        return {
            "spec": {**spec, "dim": dim},
            "request": {"name": f" {AND} ".join(str(card["request"]["name"]) for card in cards)},
        }

    @property
    def exists(self) -> bool:
        """Whether the store has met all of the encoders."""
        return all(part.exists for part in self.parts)

    def ids(self) -> IdArray:
        """Return the identities of the images that all encoders have, sorted."""
        return reduce(np.intersect1d, (part.ids() for part in self.parts))

    def held(self) -> tuple[IdArray, npt.NDArray[np.int64]]:
        """See :meth:`FeatureShards.held`; views of different encoders are not joined."""
        ids = self.ids()
        return ids, np.ones(len(ids), np.int64)

    def load(self) -> FeatureMatrix:
        """Read the vectors of images that all encoders have, side by side, as long as they are."""
        matrices = [part.load() for part in self.parts]
        ids = reduce(np.intersect1d, (matrix.ids for matrix in matrices))
        vectors = [matrix.vectors[positions(ids, matrix.ids)] for matrix in matrices]
        return FeatureMatrix(self.encoder_id, ids, np.concatenate(vectors, axis=1))

    def rows(self) -> VectorRows:
        """See :meth:`FeatureShards.rows`; these are in memory, as they lie nowhere side by side."""
        matrix = self.load()
        return VectorRows.of(self.encoder_id, matrix.ids, matrix.vectors)


def features_of(files: Files, encoder_id: str) -> FeatureShards:
    """Return the vectors of an encoder, or of several that are joined."""
    return (JointFeatures if AND in encoder_id else FeatureShards)(files, encoder_id)


def _joined_card(specs: list[dict[str, Any]]) -> dict[str, Any]:
    said = {}
    for name in dict.fromkeys(name for spec in specs for name in spec):
        values = [spec.get(name) for spec in specs]
        same = all(value == values[0] for value in values)
        said[name] = values[0] if same else f" {AND} ".join(map(str, values))
    return said
