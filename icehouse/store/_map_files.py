"""Maps as files: ``maps/<encoder_id>/<name>.parquet``, a place in the plane for each image.

A map is derived, and may be deleted at any time. It is one file, whose footer says how it was made
and carries a checksum of its rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from icehouse.errors import StoreCorrupt
from icehouse.store._files import Files
from icehouse.store._ids import ID_TYPE, IdArray, first_rows, ids_from_arrow, ids_to_arrow
from icehouse.store._shard import DAMAGE

SUFFIX = ".parquet"
SAID, DIGEST = b"icehouse.map", b"icehouse.sha256"
SCHEMA = pa.schema(
    [
        pa.field("image_id", ID_TYPE, nullable=False),
        pa.field("x", pa.float32(), nullable=False),
        pa.field("y", pa.float32(), nullable=False),
        pa.field("placed", pa.bool_(), nullable=False),
    ]
)


@dataclass(frozen=True)
class StoredMap:
    """A map as it is stored.

    Attributes
    ----------
    said : mapping
        How it was made.
    ids : array of V32, shape (n,)
        Without duplicates.
    xy : array of float32, shape (n, 2)
    placed : array of bool, shape (n,)
        Whether an image was placed among the others, and had no part in the making.
    """

    said: Mapping[str, Any]
    ids: IdArray
    xy: npt.NDArray[np.float32]
    placed: npt.NDArray[np.bool_]


class MapFiles:
    """The maps of one encoder, as files.

    Parameters
    ----------
    files : Files
    encoder_id : str
    """

    def __init__(self, files: Files, encoder_id: str) -> None:
        self._files = files
        self.folder = f"maps/{encoder_id}"

    def names(self) -> list[str]:
        """Return the names of the maps that there are."""
        found = self._files.names(self.folder, SUFFIX)
        return [name.rpartition("/")[2].removesuffix(SUFFIX) for name in found]

    def read(self, name: str) -> StoredMap | None:
        """Return a map, or None where there is none of that name.

        Raises
        ------
        StoreCorrupt
            It is damaged.
        """
        path = self._path(name)
        try:
            file = pq.ParquetFile(pa.BufferReader(self._files.read(path)))
            footer = file.schema_arrow.metadata
            said, digest = json.loads(footer[SAID]), footer[DIGEST].decode()
            table = file.read()
            ids = ids_from_arrow(table["image_id"])
            xy = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
            placed = table["placed"].to_numpy()
        except FileNotFoundError:
            return None
        except DAMAGE as error:
            raise _damaged(path, repr(error)) from error
        found = StoredMap(said, ids, xy, placed)
        if _digest(found) != digest:
            raise _damaged(path, "its checksum is another")
        if len(first_rows(ids)) != len(ids) or not np.isfinite(xy).all():
            raise _damaged(path, "an image has two places, or none")
        return found

    def write(self, name: str, stored: StoredMap) -> None:
        """Commit a map, in the place of the one before."""
        said = {SAID: json.dumps(dict(stored.said)), DIGEST: _digest(stored)}
        columns = [pa.array(np.ascontiguousarray(stored.xy[:, axis])) for axis in (0, 1)]
        table = pa.Table.from_arrays(
            [ids_to_arrow(stored.ids), *columns, pa.array(stored.placed)],
            schema=SCHEMA.with_metadata(said),
        )
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, use_dictionary=False, compression="none")
        self._files.commit(self._path(name), memoryview(sink.getvalue()))

    def leave_out(self, ids: IdArray) -> None:
        """Write maps without some images; one that is damaged is removed."""
        for name in self.names():
            try:
                stored = self.read(name)
            except StoreCorrupt:
                self._files.remove(self._path(name))
                continue
            gone = np.zeros(0, np.bool_) if stored is None else np.isin(stored.ids, ids)
            if stored is not None and gone.any():
                here = ~gone
                self.write(
                    name,
                    StoredMap(stored.said, stored.ids[here], stored.xy[here], stored.placed[here]),
                )

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}{SUFFIX}"


def _digest(stored: StoredMap) -> str:
    digest = hashlib.sha256(json.dumps(dict(stored.said), sort_keys=True).encode())
    for part in (stored.ids, stored.xy, stored.placed):
        digest.update(np.ascontiguousarray(part).view(np.uint8).data)
    return digest.hexdigest()


def _damaged(path: str, why: str) -> StoreCorrupt:
    return StoreCorrupt(f"{path} cannot be used: {why}. Make it anew: icehouse map --anew")
