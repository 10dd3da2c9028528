"""The encoder contract, and how a name becomes an encoder.

=============================  ==================================================
``clip:ViT-B-32/laion2b_…``    an open_clip model and the tag of its weights
``clip:local-dir:PATH``        a folder with open_clip_config.json and weights
``timm:resnet50.a1_in1k``      a timm model and the tag of its weights
``timm:local-dir:PATH``        a folder with config.json and weights
``timm:MODEL@FILE``            a timm model and a file of weights
``tiny``                       a small residual network whose weights are in the package
``descriptor``                 colour, gradient and texture statistics; no weights
``thumbnail``                  16x16 grey pixels, to find duplicates by
=============================  ==================================================
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from icehouse.embedder._decode import Pixels
from icehouse.embedder._spec import EncoderSpec, PictureOptions
from icehouse.errors import UnknownEncoder, UsageError

if TYPE_CHECKING:
    import torch

LOCAL = "local-dir:"
STORED_AS = ("float16", "float32")
THUMBNAIL = "thumbnail"
TINY = Path(__file__).parent / "tiny"
_FAMILIES = {
    "clip": "icehouse.embedder._clip",
    "timm": "icehouse.embedder._timm",
    "tiny": "icehouse.embedder._timm",
    "descriptor": "icehouse.embedder._descriptor",
    THUMBNAIL: "icehouse.embedder.alike._thumbnail",
}


@runtime_checkable
class Encoder(Protocol):
    """A frozen function from images to vectors.

    One contract test runs over every implementation. ``encode`` may be called from several
    threads at once.
    """

    @property
    def spec(self) -> EncoderSpec:
        """What it does, spelled out."""
        ...

    def preprocess(self, image: Pixels) -> Pixels:
        """Bring one RGB image, uint8 (height, width, 3), to uint8 (*spec.preprocess.size, 3)."""
        ...

    def encode(self, batch: Pixels) -> npt.NDArray[np.float32]:
        """Turn preprocessed images, uint8 (n, H, W, 3), into vectors, float32 (n, spec.dim).

        Raises MemoryError where there is no memory for so many at once.
        """
        ...


@runtime_checkable
class NetworkEncoder(Encoder, Protocol):
    """An :class:`Encoder` that is a torch network, which can be looked into and differentiated."""

    @property
    def module(self) -> torch.nn.Module:
        """The network; frozen."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it is."""
        ...

    def compute(self, pixels: torch.Tensor) -> torch.Tensor:
        """Turn pixels of 0 to 255, (n, H, W, 3), into float32 (n, D): all that is arithmetic."""
        ...


@dataclass(frozen=True)
class EncoderRequest:
    """What a person asks for; what comes of it is an :class:`EncoderSpec`.

    Attributes
    ----------
    name : str
    precision : {"float32", "bfloat16"} or None
        None: bfloat16 where the hardware multiplies it, else float32.
    stored_as : {"float16", "float32"}
    pictures : PictureOptions
        What is done to pictures otherwise than the encoder's makers did.
    """

    name: str
    precision: str | None = None
    stored_as: str = "float16"
    pictures: PictureOptions = field(default_factory=PictureOptions)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _absolute(self.name))
        if self.stored_as not in STORED_AS:
            raise UsageError(
                f"vectors are stored as {' or '.join(STORED_AS)}, not {self.stored_as}"
            )

    @property
    def family(self) -> str:
        """The part of the name that says who loads it."""
        return self.name.partition(":")[0]

    @property
    def local_path(self) -> Path | None:
        """The folder or file of weights, where the name holds one."""
        if self.name == "tiny":
            return TINY
        _, _, rest = self.name.partition(":")
        if rest.startswith(LOCAL):
            return Path(rest.removeprefix(LOCAL))
        _, at, file = rest.partition("@")
        return Path(file) if at else None

    def stamps(self) -> list[list[Any]]:
        """Return name, size and time of change of the local files that the encoder is made of."""
        path = self.local_path
        if path is None:
            return []
        files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
        return [
            [file.name, file.stat().st_size, file.stat().st_mtime_ns]
            for file in files
            if file.is_file()
        ]


def open_encoder(request: EncoderRequest | str) -> Encoder:
    """Load an encoder by name.

    Parameters
    ----------
    request : EncoderRequest or str

    Returns
    -------
    Encoder
        Frozen: in evaluation mode, without gradients.

    Raises
    ------
    UnknownEncoder
        The name is not understood.
    WeightsError
        The weights are absent, or do not fit the network.
    MissingExtra
        The library that loads it is not installed.
    """
    if isinstance(request, str):
        request = EncoderRequest(request)
    module = _FAMILIES.get(request.family)
    if module is None:
        raise UnknownEncoder(
            f"no encoder {request.name!r}. Give clip:MODEL/TAG, clip:local-dir:PATH, "
            "timm:MODEL.TAG, timm:local-dir:PATH, timm:MODEL@FILE, tiny, descriptor or thumbnail"
        )
    # Imported only now: torch and its libraries take seconds, and most verbs need none of them.
    encoder: Encoder = importlib.import_module(module).load(request)
    return encoder


def like(request: EncoderRequest, precision: str | None) -> EncoderRequest:
    """Return the same request for a given precision."""
    return replace(request, precision=precision)


def _absolute(name: str) -> str:
    family, colon, rest = name.partition(":")
    if rest.startswith(LOCAL):
        path = Path(rest.removeprefix(LOCAL)).expanduser().absolute()
        return f"{family}:{LOCAL}{path}"
    model, at, file = rest.partition("@")
    if at:
        return f"{family}:{model}@{Path(file).expanduser().absolute()}"
    return family + colon + rest
