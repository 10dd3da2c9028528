"""What a flag says, and what a run of ``flag`` found."""

from __future__ import annotations

from dataclasses import dataclass

from icehouse.review._neighbours import Neighbour


@dataclass(frozen=True)
class Flag:
    """One image to look at again.

    Attributes
    ----------
    image_id : str
        Hexadecimal.
    dataset, key : str
    source : str or None
        That the key belongs to.
    path : str or None
        Its file, where the source is a folder or manifest of this machine.
    labels : tuple of str or None
        Those in force; None for an unlabelled image.
    predicted : tuple of str
    probability : float
        Of the prediction; for multi-label of the least certain label, as answered.
    probabilities : dict
        By class.
    doubt : float
        0 to 1; see :func:`icehouse.review.flag`.
    reasons : dict
        Strength, 0 to 1, by name.
    neighbours : tuple of Neighbour
        The nearest labelled images.
    origin : {"out-of-fold", "predicted"}
        Whether the image took part in the cross-validation, or was only predicted.
    """

    image_id: str
    dataset: str
    key: str
    source: str | None
    path: str | None
    labels: tuple[str, ...] | None
    predicted: tuple[str, ...]
    probability: float
    probabilities: dict[str, float]
    doubt: float
    reasons: dict[str, float]
    neighbours: tuple[Neighbour, ...]
    origin: str

    @property
    def doubted(self) -> tuple[str, ...]:
        """The labels in force, or else the answer."""
        return self.predicted if self.labels is None else self.labels

    @property
    def summary(self) -> str:
        """Why it is flagged, in one line."""
        return f"doubt {self.doubt:.2f}   {', '.join(self.reasons)}"


@dataclass(frozen=True)
class FlagReport:
    """What :func:`icehouse.review.flag` found.

    Attributes
    ----------
    task, head, encoder_id : str
    images : int
        Looked at.
    flags : list of Flag
        In the order asked for.
    counts : dict
        Images by reason.
    committee : tuple of str
        The heads that were compared.
    """

    task: str
    head: str
    encoder_id: str
    images: int
    flags: list[Flag]
    counts: dict[str, int]
    committee: tuple[str, ...]
