"""What is known of duplicates: files, clusters of them, and all clusters of a store."""

from __future__ import annotations

from dataclasses import dataclass

EXACT, NEAR = "exact", "near"


@dataclass(frozen=True)
class Copy:
    """One file of a cluster: a row of the catalog.

    Attributes
    ----------
    image_id : str
        Hexadecimal; files of the same bytes have the same.
    dataset, key : str
    source : str or None
        That the key belongs to.
    path : str or None
        Its file, where the source is a folder or manifest of this machine.
    labels : tuple of str or None
        Those in force for the image.
    said : tuple of str or None
        What the source says of this file.
    task : str or None
        That the labels belong to.
    split : str or None
        What the source says; else the side on which ``fit-head`` would put the image.
    """

    image_id: str
    dataset: str
    key: str
    source: str | None
    path: str | None
    labels: tuple[str, ...] | None
    said: tuple[str, ...] | None
    task: str | None
    split: str | None


@dataclass(frozen=True)
class Cluster:
    """Files that show one picture.

    Attributes
    ----------
    copies : tuple of Copy
        By image_id, dataset and key.
    kind : {"exact", "near"}
        Whether all files have the same bytes.
    conflict : bool
        Labels differ, or one file is said to be two things.
    same_file : bool
        Files of the same bytes are said to be different things, and nobody has settled it.
    leak : bool
        They are on different sides of a split.
    across : bool
        They are in several datasets.
    distance, correlation : int, float or None
        Of the closest pair that is not the same file: bits in which the hashes differ, and
        correlation of the thumbnails. None where all are the same, or without thumbnails.
    mirrored : bool
        Whether one of that pair had to be mirrored.
    cosine : float or None
        Of that pair, about the mean, where an encoder was named.
    """

    copies: tuple[Copy, ...]
    kind: str
    conflict: bool
    same_file: bool
    leak: bool
    across: bool
    distance: int | None = None
    correlation: float | None = None
    mirrored: bool = False
    cosine: float | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """What is wrong with it, in words."""
        named = {
            "one file, two labels": self.same_file,
            "labels differ": self.conflict and not self.same_file,
            "across splits": self.leak,
            "across datasets": self.across,
        }
        return tuple(name for name, so in named.items() if so)

    @property
    def evidence(self) -> str:
        """Why they are taken for one picture, in a few words."""
        if self.distance is None or self.correlation is None:
            return "same bytes"
        said = f"{self.distance} bits, {self.correlation:.2f}"
        said += ", mirrored" if self.mirrored else ""
        return said if self.cosine is None else f"{said}, cosine {self.cosine:.3f}"


@dataclass(frozen=True)
class DuplicateReport:
    """What :func:`icehouse.review.find_duplicates` found.

    Attributes
    ----------
    task : str or None
        Whose labels and splits are meant; None: each dataset's own.
    images : int
        Looked at, those of the same bytes once.
    clusters : list of Cluster
        One file under two labels first, then other labels that differ, then what is across splits,
        then the rest; of each the largest first, of equal size those that are most alike.
    notes : tuple of str
    """

    task: str | None
    images: int
    clusters: list[Cluster]
    notes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Clusters by what is wrong with them, and files by how they are duplicates."""
        found = {
            "clusters": len(self.clusters),
            "files in them": sum(len(each.copies) for each in self.clusters),
            "of the same bytes": sum(each.kind == EXACT for each in self.clusters),
        }
        for name in ("one file, two labels", "labels differ", "across splits", "across datasets"):
            found[name] = sum(name in each.flags for each in self.clusters)
        return found
