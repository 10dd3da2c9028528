"""The kinds of indexes that are chosen from, what each takes, and how each is searched.

All of them only name candidates: which of these are the nearest is decided by the stored vectors.
So an index may hold them in few bits, and still find what exact search finds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

FLAT = "flat"
CANDIDATES = "candidates"  # for the ten nearest
PROBES = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024)
BREADTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
LINKS = 32  # of a row of HNSW, twice as many in its lowest layer


@dataclass(frozen=True)
class Kind:
    """A kind of index.

    Attributes
    ----------
    name, what : str
    code : str
        How FAISS calls what it keeps of a vector; ``{parts}`` stands for a number of parts.
    bits : float
        For each number of a vector.
    parameter : str
        What makes a search longer and its answer better: "nprobe" or "efSearch".
    """

    name: str
    what: str
    code: str
    bits: float
    parameter: str

    @property
    def values(self) -> tuple[int, ...]:
        """What the parameter may be, rising."""
        return PROBES if self.parameter == "nprobe" else BREADTHS

    def factory(self, rows: int, dim: int) -> str:
        """Return what FAISS calls an index of so many vectors."""
        first = f"IVF{lists(rows)}" if self.parameter == "nprobe" else f"HNSW{LINKS}"
        return f"{first},{self.code.format(parts=_parts(dim))}"

    def bytes(self, rows: int, dim: int) -> int:
        """Return about how much memory it takes."""
        beside = 8 + 4 * dim * lists(rows) / rows if self.parameter == "nprobe" else 9 * LINKS
        return int(rows * (dim * self.bits / 8 + beside))

    def widened(self, parameters: Mapping[str, float], by: float) -> dict[str, float]:
        """Return the parameters of a search among so many times the neighbours.

        All of them grow by the square root. Neighbours that are farther off lie closer together, so
        that codes tell them apart less well: with no more candidates for each, recall fell from
        0.994 to 0.988 in a graph and from 0.996 to 0.962 in 4-bit codes among a fifth of 50,000
        vectors around 5,000 centres; with more, it is 0.999 and 0.993.
        """
        return {
            name: math.ceil(value * math.sqrt(by))
            for name, value in parameters.items()
            if name in (self.parameter, CANDIDATES)
        }

    def most(self, rows: int) -> Mapping[str, int]:
        """Return the parameters by which no row is passed over."""
        return {self.parameter: max(rows, 1)}


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("ivf-pq", "lists, 4 bits for four numbers", "PQ{parts}x4fs", 1, "nprobe"),
        Kind("ivf-sq", "lists, 16 bits a number", "SQfp16", 16, "nprobe"),
        Kind("hnsw", "graph, 8 bits a number", "SQ8", 8, "efSearch"),
    )
}


def lists(rows: int) -> int:
    """Return how many lists an inverted file has: eight times the square root, a power of two.

    That is in the middle of what FAISS's guidelines name, and every list has rows enough to be
    learnt. With half as many, a million vectors around 5,000 centres had to be searched in 128
    lists instead of 2 to find 95 % of the nearest; finding the lists is most of the work of many.
    """
    usual, most = round(math.log2(max(rows, 1)) / 2) + 3, int(math.log2(rows / 39 + 1))
    return int(2 ** min(usual, most))


def _parts(dim: int) -> int:
    """Return into how many parts of four numbers, or a few more, a vector is cut evenly."""
    return next((parts for parts in range(max(dim // 4, 1), 0, -1) if dim % parts == 0), 1)
