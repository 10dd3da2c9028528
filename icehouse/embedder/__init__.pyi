"""The embedder: images in, vectors out."""

from ._canary import check_canary
from ._choose import choose_encoder, find_request, reopen_encoder, spoken, usual_encoders
from ._decode import MAX_PIXELS, ImageFile, ImageInfo, Pixels, decode, probe
from ._device import best_device, best_precision
from ._embed import EmbedOptions, embed
from ._embed_stored import Completed, embed_stored
from ._encoder import THUMBNAIL, Encoder, EncoderRequest, NetworkEncoder, open_encoder
from ._engine import ENGINES, Opened, open_on
from ._kept_rate import kept_rate
from ._layout import enough, seen
from ._memory import keep_freed_memory
from ._onnx import OnnxEncoder, encoder_to_onnx
from ._pictures import MIN_COSINE, similarity
from ._rehearse import Rehearsal, rehearse
from ._report import EmbedReport, Failure, Speed
from ._spec import EncoderSpec, PictureOptions, PreprocessSpec
from ._steady import SteadyEncoder
from ._text import TextEncoder, choose_text_encoder, reopen_text_encoder
from ._threads import cores, one_torch_thread
from ._views import ViewOptions
from .alike import (
    MAX_DISTANCE,
    MIN_CORRELATION,
    Looks,
    Pairs,
    clusters_of,
    find_alike,
    find_similar,
    needed,
    units_of,
)
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
    "MAX_DISTANCE",
    "MAX_PIXELS",
    "MIN_CORRELATION",
    "MIN_COSINE",
    "THUMBNAIL",
    "Completed",
    "EmbedOptions",
    "EmbedReport",
    "Encoder",
    "EncoderRequest",
    "EncoderSpec",
    "Entry",
    "Failure",
    "ImageFile",
    "ImageInfo",
    "Listing",
    "LocalFile",
    "Looks",
    "Network",
    "NetworkEncoder",
    "OnnxEncoder",
    "Opened",
    "Origin",
    "Pairs",
    "PictureOptions",
    "Pixels",
    "PreprocessSpec",
    "Rehearsal",
    "Selection",
    "Speed",
    "SteadyEncoder",
    "TextEncoder",
    "ViewOptions",
    "best_device",
    "best_precision",
    "check_canary",
    "choose_encoder",
    "choose_text_encoder",
    "clusters_of",
    "cores",
    "decode",
    "embed",
    "embed_stored",
    "encoder_to_onnx",
    "enough",
    "find_alike",
    "find_request",
    "find_similar",
    "keep_freed_memory",
    "kept_rate",
    "list_folder",
    "list_lines",
    "list_manifest",
    "list_source",
    "needed",
    "one_torch_thread",
    "open_encoder",
    "open_on",
    "probe",
    "read_again",
    "read_file",
    "rehearse",
    "reopen_encoder",
    "reopen_text_encoder",
    "seen",
    "select",
    "similarity",
    "spoken",
    "units_of",
    "usual_encoders",
]
