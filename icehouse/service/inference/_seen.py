"""An image that is asked about, and what encoders have made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.embedder import ImageInfo
from icehouse.errors import IcehouseError, ImageError, VectorError
from icehouse.service.inference._station import Encoded
from icehouse.store import parts_of

Vectors = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Upload:
    """An image that is asked about: its bytes, or its identity where the store has it."""

    name: str | None = None
    data: bytes | None = None
    image_id: bytes | None = None


@dataclass(frozen=True)
class Seen:
    """An image with its vectors.

    Attributes
    ----------
    image_id : bytes
    info : ImageInfo or None
        None for one of the store.
    vectors : dict
        By encoder_id, each (D,), as the store keeps them.
    """

    image_id: bytes
    info: ImageInfo | None
    vectors: dict[str, Vectors]

    def vector(self, encoder_id: str) -> Vectors:
        """Return the vector of an encoder, or of several side by side."""
        return np.concatenate([self.vectors[part] for part in parts_of(encoder_id)])


def joined(by_encoder: Mapping[str, Encoded | BaseException]) -> Seen | IcehouseError:
    """Join what several encoders made of an image; what is not its own fault is raised."""
    vectors: dict[str, Vectors] = {}
    for part, encoded in by_encoder.items():
        if isinstance(encoded, ImageError | VectorError):
            return encoded
        if isinstance(encoded, BaseException):
            raise encoded
        vectors[part] = encoded.vector
        one = encoded
    return Seen(one.image_id, one.info, vectors)
