"""``thumbnail``: a picture as 16x16 grey pixels, by which duplicates are found.

An encoder like any other, so that what is known of pictures for this is computed once, goes with
images that are forgotten, and is checked as all vectors are. Its vectors hold whole numbers from 0
to 255, which float16 holds exactly; nothing is meant to be learnt from them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icehouse.embedder._decode import Pixels
from icehouse.embedder._encoder import THUMBNAIL, EncoderRequest
from icehouse.embedder._preprocess import preprocess
from icehouse.embedder._spec import EncoderSpec, PictureOptions, PreprocessSpec
from icehouse.errors import UnknownEncoder, UsageError

SIDE = 16
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class ThumbnailEncoder:
    """The grey levels of a picture that is squashed to 16x16 pixels, row by row."""

    def __init__(self, request: EncoderRequest) -> None:
        self.spec = EncoderSpec(
            family=THUMBNAIL,
            architecture=THUMBNAIL,
            weights_sha256="",
            # A JPEG of many pixels is decoded at a fraction of its size: nobody can tell at 16.
            preprocess=PreprocessSpec(
                size=(SIDE, SIDE),
                resize_to=(SIDE, SIDE),
                resize="squash",
                interpolation="bilinear",
                decode="fast",
            ),
            precision="float32",
            normalise="none",
            dim=SIDE * SIDE,
            stored_as=request.stored_as,
        )

    def preprocess(self, image: Pixels) -> Pixels:
        """See :meth:`Encoder.preprocess`."""
        return preprocess(image, self.spec.preprocess)

    def encode(self, batch: Pixels) -> npt.NDArray[np.float32]:
        """See :meth:`Encoder.encode`."""
        grey = np.rint(batch.astype(np.float32) @ LUMA)
        return grey.reshape(len(batch), -1).astype(np.float32)


def load(request: EncoderRequest) -> ThumbnailEncoder:
    """Make the encoder ``thumbnail``."""
    if request.name != THUMBNAIL:
        raise UnknownEncoder(f"no encoder {request.name!r}; thumbnail takes nothing after it")
    if request.precision not in (None, "float32"):
        raise UsageError(f"thumbnail computes in float32, not {request.precision}")
    if request.pictures != PictureOptions():
        raise UsageError(
            "thumbnails are made in one way, so that they can be compared: leave out what is to be "
            "done to pictures"
        )
    return ThumbnailEncoder(request)
