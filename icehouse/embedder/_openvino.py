"""A frozen torch network, run by OpenVINO: the same vectors sooner on x86 processors.

OpenVINO fuses what torch runs layer by layer. The conversion takes seconds, so it is kept
(:mod:`icehouse.embedder._engine`); what is kept opens in a fraction of a second, without timm
or open_clip.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino
import torch
from openvino.properties import hint, inference_num_threads, num_streams

from icehouse.embedder._decode import Pixels
from icehouse.embedder._pictures import draw
from icehouse.embedder._preprocess import preprocess
from icehouse.embedder._spec import EncoderSpec
from icehouse.embedder._threads import cores
from icehouse.embedder._torch_encoder import TorchEncoder
from icehouse.embedder._whole import Whole, exporting

TYPES = {"float32": openvino.Type.f32, "bfloat16": openvino.Type.bf16}
EXAMPLES = 4


class OpenVinoEncoder:
    """An :class:`Encoder` whose arithmetic OpenVINO does, one stream for each core.

    Parameters
    ----------
    spec : EncoderSpec
        Of the encoder that was converted: the engine is no part of it, as hardware is none.
    model : openvino.Model or Path
    """

    engine = "openvino"

    def __init__(self, spec: EncoderSpec, model: openvino.Model | Path) -> None:
        self.spec = spec
        self._model = model
        self._compiled = self._compile(spec.precision)
        self._requests = threading.local()

    def _compile(self, precision: str) -> openvino.CompiledModel:
        settings = {
            hint.inference_precision: TYPES[precision],
            hint.enable_cpu_pinning: False,  # decoding shares the cores
            num_streams: cores(),
            inference_num_threads: cores(),
        }
        return openvino.Core().compile_model(self._model, "CPU", settings)

    @property
    def sung_in_float32(self) -> npt.NDArray[np.float32]:
        """Vectors of the canary's pictures, (8, D), whatever precision the encoder runs in."""
        pictures = np.stack([self.preprocess(picture) for picture in draw()])
        return np.array(self._compile("float32")([pictures])[0])

    def preprocess(self, image: Pixels) -> Pixels:
        """See :meth:`Encoder.preprocess`."""
        return preprocess(image, self.spec.preprocess)

    def encode(self, batch: Pixels) -> npt.NDArray[np.float32]:
        """See :meth:`Encoder.encode`."""
        if not hasattr(self._requests, "own"):
            self._requests.own = self._compiled.create_infer_request()
        return np.array(self._requests.own.infer([np.ascontiguousarray(batch)])[0])


def convert(encoder: TorchEncoder) -> openvino.Model:
    """Convert a torch encoder in float32, bytes in and vectors out, for any number of images."""
    size = encoder.spec.preprocess.size
    example = torch.zeros((EXAMPLES, *size, 3), dtype=torch.uint8)
    images = torch.export.Dim("images", min=1, max=2**16)
    with exporting():
        program = torch.export.export(Whole(encoder), (example,), dynamic_shapes=[{0: images}])
        return openvino.convert_model(program)
