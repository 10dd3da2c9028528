"""A frozen torch network as ONNX: pictures of its size in, vectors out."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from icehouse.embedder._choose import reopen_encoder, request_of
from icehouse.embedder._decode import Pixels
from icehouse.embedder._encoder import like, open_encoder
from icehouse.embedder._pictures import draw
from icehouse.embedder._spec import EncoderSpec
from icehouse.errors import ExportError, MissingExtra
from icehouse.store import Store

if TYPE_CHECKING:
    from icehouse.embedder._torch_encoder import TorchEncoder

OPSET = 17
EXAMPLES = 2


@dataclass(frozen=True)
class OnnxEncoder:
    """An encoder as ONNX, and what it has to answer.

    Attributes
    ----------
    spec : EncoderSpec
        Of the encoder in the store; the network in the file computes in float32.
    model : bytes
        From ``image``, uint8 (n, H, W, 3) as :meth:`Encoder.preprocess` gives it, to
        ``features``, float32 (n, D).
    pictures : array of uint8, shape (8, H, W, 3)
    vectors : array of float32, shape (8, D)
        What torch in float32 makes of the pictures.
    """

    spec: EncoderSpec
    model: bytes
    pictures: Pixels
    vectors: npt.NDArray[np.float32]


def encoder_to_onnx(store: Store, encoder_id: str) -> OnnxEncoder:
    """Convert an encoder of a store.

    Raises
    ------
    ExportError
        It is no torch network, or one that cannot be written as ONNX.
    MissingExtra
        The package onnx is not installed.
    WeightsError, CanaryError
        As :func:`reopen_encoder`.
    """
    if importlib.util.find_spec("onnx") is None:
        raise MissingExtra("onnx", "onnx")
    # Imported only now: torch takes seconds, and most verbs need none of it.
    from icehouse.embedder._torch_encoder import TorchEncoder

    asked = reopen_encoder(store, encoder_id, "torch")
    if not isinstance(asked, TorchEncoder):
        raise ExportError(
            f"encoder {encoder_id} is no network that could be exported, but code. Export the "
            "head alone, without --with-encoder, and compute its features with icehouse"
        )
    exact = asked
    if asked.spec.precision != "float32":
        request = request_of(store.features(encoder_id).card)
        exact = open_encoder(like(request, "float32"))  # type: ignore[assignment]
    pictures = np.stack([exact.preprocess(picture) for picture in draw()])
    return OnnxEncoder(asked.spec, _converted(exact), pictures, exact.encode(pictures))


def _converted(encoder: TorchEncoder) -> bytes:
    import torch

    from icehouse.embedder._whole import Whole, exporting

    example = torch.zeros((EXAMPLES, *encoder.spec.preprocess.size, 3), dtype=torch.uint8)
    try:
        with exporting(), tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "encoder.onnx")
            torch.onnx.export(
                Whole(encoder),
                (example.to(encoder.device),),
                file,
                dynamo=False,  # the other exporter needs two more packages
                opset_version=OPSET,
                input_names=["image"],
                output_names=["features"],
                dynamic_axes={"image": {0: "n"}, "features": {0: "n"}},
            )
            if len(list(Path(folder).iterdir())) > 1:
                raise ValueError("its weights are more than the 2 GiB of one file")
            return file.read_bytes()
    except Exception as error:  # of another library's compiler: whatever it raises
        said = " ".join(str(error).split())[:300]
        raise ExportError(
            f"{encoder.spec.architecture} cannot be written as ONNX: {said}. Export the head "
            "alone, without --with-encoder"
        ) from error
