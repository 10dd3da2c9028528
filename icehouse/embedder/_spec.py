"""What an encoder does to an image, spelled out; its fingerprint is the encoder_id."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from icehouse.embedder._adjust import ADJUSTMENTS
from icehouse.embedder._steps import in_order
from icehouse.errors import UsageError

Triple = tuple[float, float, float]

RESIZE_MODES = ("shortest", "longest", "squash")
INTERPOLATIONS = ("bicubic", "bilinear")
DECODES = ("exact", "fast")
NORMALISATIONS = ("encoder", "dataset")


@dataclass(frozen=True)
class PreprocessSpec:
    """From a file's bytes to the numbers that a network sees.

    Attributes
    ----------
    size : (int, int)
        Height and width in pixels of what the network sees.
    resize_to : (int, int)
        Height and width that the image is resized to, before the crop.
    resize : {"shortest", "longest", "squash"}
        Whether the shorter edge, the longer edge or both edges reach ``resize_to``.
        After "longest" the rest is filled with ``fill``.
    interpolation : {"bicubic", "bilinear"}
        Always antialiased, on uint8.
    mean, std : (float, float, float)
        Of the channels red, green, blue, on a scale of 0 to 1.
    fill : (int, int, int)
        Colour of what is added around an image, 0 to 255.
    decode : {"exact", "fast"}
        How bytes become pixels: ``exact`` is full-size decoding, the orientation of EXIF
        applied, transparency laid over white, the first frame of an animation. ``fast`` decodes
        a JPEG at half of its size or less, while that is still twice the size that it is
        resized to.
    adjust : tuple of str
        What is done after the resize: :mod:`icehouse.embedder._adjust`.
    """

    size: tuple[int, int]
    resize_to: tuple[int, int]
    resize: str = "shortest"
    interpolation: str = "bicubic"
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    fill: tuple[int, int, int] = (0, 0, 0)
    decode: str = "exact"
    adjust: tuple[str, ...] = ()


@dataclass(frozen=True)
class PictureOptions:
    """What a person asks to be done to pictures otherwise than the encoder's makers did.

    Attributes
    ----------
    decode : {"exact", "fast"}
    resize : {"shortest", "longest", "squash"} or None
        None: as the encoder's makers did.
    adjust : tuple of str
    normalise : {"encoder", "dataset"}
        Mean and standard deviation of the channels: those that the encoder was trained with, or
        those of the first dataset that is embedded so.
    statistics : (mean, std) or None
        What "dataset" came to be.
    """

    decode: str = "exact"
    resize: str | None = None
    adjust: tuple[str, ...] = ()
    normalise: str = "encoder"
    statistics: tuple[Triple, Triple] | None = None

    def __post_init__(self) -> None:
        for name, value, known in (
            ("decode", self.decode, DECODES),
            ("resize", self.resize, (None, *RESIZE_MODES)),
            ("normalise", self.normalise, NORMALISATIONS),
        ):
            if value not in known:
                words = ", ".join(str(each) for each in known if each)
                raise UsageError(f"{name} is one of: {words}; got {value!r}")
        object.__setattr__(self, "adjust", in_order("adjustment", self.adjust, ADJUSTMENTS))

    def applied_to(self, spec: PreprocessSpec) -> PreprocessSpec:
        """Return an encoder's own preprocessing with these changes."""
        spec = replace(spec, decode=self.decode, adjust=self.adjust)
        if self.resize not in (None, spec.resize):
            spec = replace(spec, resize=str(self.resize), resize_to=spec.size)
        if self.statistics is not None:
            mean, std = self.statistics
            spec = replace(spec, mean=mean, std=std)
        return spec


@dataclass(frozen=True)
class EncoderSpec:
    """Everything that can change a vector.

    Attributes
    ----------
    family : {"clip", "timm", "tiny", "descriptor", "thumbnail"}
    architecture : str
        The network's name in its library.
    config : mapping
        Settings of the architecture that its name does not say.
    weights_sha256 : str
        Of all parameters and buffers, by name, in float32; empty where there are none.
    preprocess : PreprocessSpec
    precision : {"float32", "bfloat16"}
        That the network computes in.
    normalise : {"none", "l2"}
        What is done to its output.
    dim : int
        Length of a vector.
    stored_as : {"float16", "float32"}
        Type of a stored vector.
    revision : int
        Of our own code between bytes and vector; raised when it changes a vector.
    """

    family: str
    architecture: str
    weights_sha256: str
    preprocess: PreprocessSpec
    precision: str
    normalise: str
    dim: int
    stored_as: str = "float16"
    config: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 1

    def said(self) -> dict[str, Any]:
        """Return what is fingerprinted, as ``encoder.json`` says it."""
        said = asdict(self)
        if not said["preprocess"]["adjust"]:  # as it was before there were adjustments
            del said["preprocess"]["adjust"]
        return said

    @property
    def encoder_id(self) -> str:
        """The fingerprint, with enough words before it to be read by people."""
        text = json.dumps(self.said(), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        words = dict.fromkeys((self.family, self.architecture))
        slug = re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(words)).strip("-.")
        return f"{slug}-{digest}"
