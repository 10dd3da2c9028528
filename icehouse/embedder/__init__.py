"""The embedder: images in, vectors out."""

from icehouse.embedder._choose import choose_encoder, find_request, reopen_encoder, spoken
from icehouse.embedder._decode import MAX_PIXELS, ImageInfo, decode, probe
from icehouse.embedder._embed import EmbedOptions, embed
from icehouse.embedder._encoder import Encoder, EncoderRequest, open_encoder
from icehouse.embedder._engine import ENGINES, Opened, open_on
from icehouse.embedder._layout import enough
from icehouse.embedder._onnx import OnnxEncoder, encoder_to_onnx
from icehouse.embedder._pictures import MIN_COSINE, similarity
from icehouse.embedder._rehearse import Rehearsal, rehearse
from icehouse.embedder._report import EmbedReport, Failure, Speed
from icehouse.embedder._spec import EncoderSpec, PictureOptions, PreprocessSpec
from icehouse.embedder._text import TextEncoder, choose_text_encoder, reopen_text_encoder
from icehouse.embedder._threads import one_torch_thread
from icehouse.embedder._views import ViewOptions
from icehouse.embedder.sources import (
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
    "choose_encoder",
    "choose_text_encoder",
    "decode",
    "embed",
    "encoder_to_onnx",
    "enough",
    "find_request",
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
