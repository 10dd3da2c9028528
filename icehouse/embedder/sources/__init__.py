"""Where images come from: folders, manifests, tars, tables, URLs, lists. A source reads none."""

from icehouse.embedder.sources._again import Stored, read_again
from icehouse.embedder.sources._ahead import read_ahead
from icehouse.embedder.sources._columns import classes_of, columns_of, keys_of, part
from icehouse.embedder.sources._folder import list_folder
from icehouse.embedder.sources._listing import Entry, Listing, Origin
from icehouse.embedder.sources._manifest import list_manifest
from icehouse.embedder.sources._network import Network
from icehouse.embedder.sources._open import list_source
from icehouse.embedder.sources._origins import FileBytes, LocalFile, read_file
from icehouse.embedder.sources._paths import list_lines
from icehouse.embedder.sources._select import Selection, select

__all__ = [
    "Entry",
    "FileBytes",
    "Listing",
    "LocalFile",
    "Network",
    "Origin",
    "Selection",
    "Stored",
    "classes_of",
    "columns_of",
    "keys_of",
    "list_folder",
    "list_lines",
    "list_manifest",
    "list_source",
    "part",
    "read_again",
    "read_ahead",
    "read_file",
    "select",
]
