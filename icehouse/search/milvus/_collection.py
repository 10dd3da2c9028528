"""The collection of an encoder: its rows, how they are asked for, added and removed.

A row is the image_id in hexadecimal, which is the key, a fingerprint of the vector as the store
holds it, and the unit vector; what other rows there are says ``_stamps.py``. The encoder_id stands
in the description, and in the properties, since Milvus Lite keeps no description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.errors import MilvusError, UsageError
from icehouse.search.milvus._client import Client, pymilvus
from icehouse.store import ID_DTYPE, IdArray, ids_from_bytes

Floats = npt.NDArray[np.float32]
Prints = npt.NDArray[np.uint64]

PROPERTY = "icehouse.encoder_id"
MOST = 16_384  # rows that Milvus gives for one question
DIGITS = "0123456789abcdef"
LINKS, BREADTH, SEARCH_BREADTH = 32, 200, 400  # of the graph (HNSW)
BROADEST = 32_768  # that Milvus allows
SEEN = {"consistency_level": "Strong"}  # whatever was written before is there


@dataclass(frozen=True)
class Held:
    """What a collection holds.

    Attributes
    ----------
    ids : array of V32, shape (n,)
    prints : array of uint64, shape (n,)
        Fingerprints of the vectors.
    """

    ids: IdArray
    prints: Prints


class Collection:
    """The collection of an encoder.

    Parameters
    ----------
    client : Client
    encoder_id : str
    dim : int

    Attributes
    ----------
    answer : float
        Seconds that a question may take while somebody waits for what is found.
    """

    def __init__(self, client: Client, encoder_id: str, dim: int) -> None:
        self._client, self.answer = client, client.answer
        self.encoder_id, self.dim = encoder_id, dim
        self.name = f"icehouse_{re.sub(r'[^0-9A-Za-z_]', '_', encoder_id)}"

    def exists(self) -> bool:
        """Return whether there is one, and that it is of this encoder.

        Raises
        ------
        UsageError
            It was made for another encoder or dimension, or by another program.
        MilvusError
            Milvus does not answer.
        """
        with self._client.answered():
            if not self._client.call.has_collection(self.name, timeout=self.answer):
                return False
            said = self._client.call.describe_collection(self.name, timeout=self.answer)
        encoder_id = said.get("properties", {}).get(PROPERTY) or said.get("description", "")
        fields = {field["name"]: field.get("params", {}) for field in said["fields"]}
        dim = fields.get("vector", {}).get("dim")
        if encoder_id != self.encoder_id or dim is None or int(dim) != self.dim:
            raise UsageError(
                f"the collection {self.name} at {self._client.address} was made for encoder "
                f"{encoder_id or '(unknown)'} of dimension {dim}, not for {self.encoder_id} of "
                f"dimension {self.dim}. Take another file or database of Milvus, or drop it"
            )
        return True

    def create(self, limit: float) -> None:
        """Make it, with an index of its vectors."""
        kinds, call = pymilvus().DataType, self._client.call
        schema = call.create_schema(
            auto_id=False, enable_dynamic_field=False, description=self.encoder_id
        )
        schema.add_field("id", kinds.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("fingerprint", kinds.INT64)
        schema.add_field("vector", kinds.FLOAT_VECTOR, dim=self.dim)
        index = call.prepare_index_params()
        # Within "params" once more: Milvus Lite does not see what stands beside the kind of index.
        graph = {"params": {"M": LINKS, "efConstruction": BREADTH}}
        index.add_index("vector", index_type="HNSW", metric_type="IP", params=graph)
        with self._client.answered():
            call.create_collection(
                self.name,
                schema=schema,
                index_params=index,
                properties={PROPERTY: self.encoder_id},
                timeout=limit,
                **SEEN,
            )

    def load(self, limit: float) -> None:
        """Have it in memory, without which Milvus does not search it."""
        with self._client.answered():
            self._client.call.load_collection(self.name, timeout=limit)

    def drop(self) -> None:
        """Remove it with all its rows."""
        with self._client.answered():
            self._client.call.drop_collection(self.name, timeout=self.answer)

    def count(self, limit: float) -> int:
        """Return how many rows it has."""
        with self._client.answered():
            [row] = self._client.call.query(
                self.name, filter="", output_fields=["count(*)"], timeout=limit, **SEEN
            )
        return int(row["count(*)"])

    def held(self, limit: float, start: str = "") -> Held:
        """Return its rows whose keys begin so.

        Raises
        ------
        MilvusError
            Milvus does not answer, or there are rows that icehouse has not put there.
        """
        ids, prints = [""][:0], [0][:0]
        for row in self._listed(start, limit):
            ids.append(row["id"])
            prints.append(row["fingerprint"])
        return Held(self._ids(ids), np.array(prints, np.int64).view(np.uint64))

    def _listed(self, start: str, limit: float) -> Iterator[Any]:
        """Yield all rows whose key begins so, asking for a sixteenth each where they are too many.

        Keys are SHA-256, so sixteenths are equal. An iterator of pymilvus asks some of its
        questions without a limit of time, and would hang where Milvus does.
        """
        with self._client.answered():
            rows = self._client.call.query(
                self.name,
                filter=f'id like "{start}%"' if start else 'id != ""',
                limit=MOST,
                output_fields=["id", "fingerprint"],
                timeout=limit,
                **SEEN,
            )
        if len(rows) < MOST:
            yield from rows
        else:
            for digit in DIGITS:
                yield from self._listed(start + digit, limit)

    def nearest(self, queries: Floats, count: int) -> list[IdArray]:
        """Return, for each query, the images of at most so many vectors that may be the nearest.

        Raises
        ------
        MilvusError
            Milvus does not answer.
        """
        breadth = {"ef": min(max(SEARCH_BREADTH, 4 * count), BROADEST)}
        with self._client.answered():
            found = self._client.call.search(
                self.name,
                data=list(queries),
                limit=count,
                anns_field="vector",
                output_fields=["id"],
                search_params={"metric_type": "IP", "params": breadth},
                timeout=self.answer,
                **SEEN,
            )
        return [self._ids([hit["id"] for hit in hits]) for hits in found]

    def upsert(self, ids: IdArray, prints: Prints, vectors: Floats, limit: float) -> None:
        """Add rows, or put them in the place of those with the same keys."""
        keys, marks = _keys(ids), prints.view(np.int64).tolist()
        rows = [
            {"id": key, "fingerprint": mark, "vector": vector}
            for key, mark, vector in zip(keys, marks, vectors, strict=True)
        ]
        with self._client.answered():
            self._client.call.upsert(self.name, rows, timeout=limit)

    def remove(self, ids: IdArray, limit: float) -> None:
        """Remove rows."""
        with self._client.answered():
            self._client.call.delete(self.name, ids=_keys(ids), timeout=limit)

    def flush(self, limit: float) -> None:
        """Have all on disk."""
        with self._client.answered():
            self._client.call.flush(self.name, timeout=limit)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _ids(self, keys: list[str]) -> IdArray:
        try:
            return ids_from_bytes(map(bytes.fromhex, keys)).astype(ID_DTYPE)
        except ValueError:
            raise MilvusError(
                f"the collection {self.name} at {self._client.address} holds rows that are no "
                "images of icehouse. Drop it, and push again"
            ) from None


def _keys(ids: IdArray) -> list[str]:
    return [each.tobytes().hex() for each in ids]
