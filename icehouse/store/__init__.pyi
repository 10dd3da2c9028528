"""The store: what is kept on disk or object storage, and exact search in it."""

from ._bring_in import Signed, bring_in
from ._cache import cache_folder
from ._catalog import Catalog, CatalogRow
from ._claims import record_claims
from ._features import FeatureMatrix, FeatureShards
from ._files import Files, check_name
from ._files_at import files_at
from ._ids import (
    ID_DTYPE,
    IdArray,
    ids_from_arrow,
    ids_from_bytes,
    ids_to_arrow,
    image_id,
    positions,
)
from ._index_files import IndexCard, IndexedRows, IndexFiles, fingerprints
from ._joint_features import parts_of
from ._kept import Sent, keep, read_kept
from ._label_events import LabelEvent, Task, in_force_of
from ._label_state import LabelState
from ._labels import LabelLog
from ._map_files import MapFiles, StoredMap
from ._merge import Conflict, Merged, merge_labels
from ._places import Place
from ._queue_records import Answer, Given, Queue, QueueItem, Recorded
from ._queues import LEASE_SECONDS, Queues
from ._range_file import RangeFile
from ._reviews import Review, read_reviews
from ._rows import VectorRows
from ._sealed import seal_of, sealed, unsealed
from ._search import nearest, unit
from ._store import FORMAT_VERSION, STORE_MANIFEST, Store
from .care import Finding, FsckReport, Oblivion, forget, fsck, plan_forget

__all__ = [
    "FORMAT_VERSION",
    "ID_DTYPE",
    "LEASE_SECONDS",
    "STORE_MANIFEST",
    "Answer",
    "Catalog",
    "CatalogRow",
    "Conflict",
    "FeatureMatrix",
    "FeatureShards",
    "Files",
    "Finding",
    "FsckReport",
    "Given",
    "IdArray",
    "IndexCard",
    "IndexFiles",
    "IndexedRows",
    "LabelEvent",
    "LabelLog",
    "LabelState",
    "MapFiles",
    "Merged",
    "Oblivion",
    "Place",
    "Queue",
    "QueueItem",
    "Queues",
    "RangeFile",
    "Recorded",
    "Review",
    "Sent",
    "Signed",
    "Store",
    "StoredMap",
    "Task",
    "VectorRows",
    "bring_in",
    "cache_folder",
    "check_name",
    "files_at",
    "fingerprints",
    "forget",
    "fsck",
    "ids_from_arrow",
    "ids_from_bytes",
    "ids_to_arrow",
    "image_id",
    "in_force_of",
    "keep",
    "merge_labels",
    "nearest",
    "parts_of",
    "plan_forget",
    "positions",
    "read_kept",
    "read_reviews",
    "record_claims",
    "seal_of",
    "sealed",
    "unit",
    "unsealed",
]
