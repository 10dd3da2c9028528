"""The embedder: images in, vectors out."""

from ._choose import choose_encoder, find_request, reopen_encoder, spoken
from ._decode import MAX_PIXELS, ImageInfo, decode, probe
from ._device import best_device, best_precision
from ._embed import EmbedOptions, embed
from ._encoder import Encoder, EncoderRequest, open_encoder
from ._engine import ENGINES, Opened, open_on
from ._kept_rate import kept_rate
from ._layout import enough
from ._onnx import OnnxEncoder, encoder_to_onnx
from ._pictures import MIN_COSINE, similarity
from ._rehearse import Rehearsal, rehearse
from ._report import EmbedReport, Failure, Speed
from ._spec import EncoderSpec, PictureOptions, PreprocessSpec
from ._text import TextEncoder, choose_text_encoder, reopen_text_encoder
from ._threads import cores, one_torch_thread
from ._views import ViewOptions
from .sources import (
    Entry,
    Listing,
    LocalFile,
    Network,
    Origin,
    Selection,
    list_folder,
    list_lines,
    list_manifest,
    list_source,
    read_again,
    read_file,
    select,
)

__all__ = [
    "ENGINES",
    "MAX_PIXELS",
    "MIN_COSINE",
    "EmbedOptions",
    "EmbedReport",
    "Encoder",
    "EncoderRequest",
    "EncoderSpec",
    "Entry",
    "Failure",
    "ImageInfo",
    "Listing",
    "LocalFile",
    "Network",
    "OnnxEncoder",
    "Opened",
    "Origin",
    "PictureOptions",
    "PreprocessSpec",
    "Rehearsal",
    "Selection",
    "Speed",
    "TextEncoder",
    "ViewOptions",
    "best_device",
    "best_precision",
    "choose_encoder",
    "choose_text_encoder",
    "cores",
    "decode",
    "embed",
    "encoder_to_onnx",
    "enough",
    "find_request",
    "kept_rate",
    "list_folder",
    "list_lines",
    "list_manifest",
    "list_source",
    "one_torch_thread",
    "open_encoder",
    "open_on",
    "probe",
    "read_again",
    "read_file",
    "rehearse",
    "reopen_encoder",
    "reopen_text_encoder",
    "select",
    "similarity",
    "spoken",
]
