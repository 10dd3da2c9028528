"""Images in, answers out: encoders and heads in batches, and what the store knows. No HTTP."""

from ._flagging import Complaint, Flags
from ._heads import Served
from ._images import Images
from ._library import Match
from ._metrics import CONTENT_TYPE, Metrics
from ._options import ServiceOptions, StationOptions
from ._seen import Seen, Upload
from ._service import Service

__all__ = [
    "CONTENT_TYPE",
    "Complaint",
    "Flags",
    "Images",
    "Match",
    "Metrics",
    "Seen",
    "Served",
    "Service",
    "ServiceOptions",
    "StationOptions",
    "Upload",
]
