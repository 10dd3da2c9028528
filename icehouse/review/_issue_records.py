"""What is said of a label that is probably wrong."""

from __future__ import annotations

from dataclasses import dataclass

from icehouse.review._neighbours import Neighbour


@dataclass(frozen=True)
class LabelIssue:
    """A label that is probably wrong.

    Attributes
    ----------
    image_id : str
        Hexadecimal.
    dataset, key : str
    source : str or None
        That the key belongs to.
    path : str or None
        Its file, where the source is a folder or manifest of this machine.
    label : str
        The label in question; in a multi-label task it may be one that the image lacks.
    labels : tuple of str
        All of the image that are in force.
    suggested : tuple of str
        What they should be.
    score : float
        How probable it is that the label is wrong, 0 to 1.
    head, around : str
        What the head and the nearest images say, in words.
    copies : tuple of Neighbour
        Of the same or nearly the same content, and labelled otherwise.
    probabilities : dict
        By class, on which head and neighbours agree.
    neighbours : tuple of Neighbour
        The nearest labelled images, by the cosine of vectors with their mean subtracted.
    """

    image_id: str
    dataset: str
    key: str
    source: str | None
    path: str | None
    label: str
    labels: tuple[str, ...]
    suggested: tuple[str, ...]
    score: float
    head: str
    around: str
    copies: tuple[Neighbour, ...]
    probabilities: dict[str, float]
    neighbours: tuple[Neighbour, ...]

    @property
    def said_of_copies(self) -> str:
        """What the copies say, in words; empty where there are none."""
        return "; ".join(
            f"{copy.key} is {', '.join(copy.labels or ()) or 'without label'} "
            f"({copy.similarity:.2f})"
            for copy in self.copies
        )

    @property
    def doubted(self) -> tuple[str, ...]:
        """The labels that a contact sheet marks as given."""
        return self.labels

    @property
    def summary(self) -> str:
        """The evidence in one line."""
        said = [f"wrong {self.score:.2f}", f"suggested: {', '.join(self.suggested) or '-'}"]
        said += [f"head: {self.head}", f"around: {self.around}"]
        return "   ".join([*said, *([f"copy: {self.said_of_copies}"] if self.copies else [])])


@dataclass(frozen=True)
class LabelIssueReport:
    """What :func:`icehouse.review.label_issues` found.

    Attributes
    ----------
    task, head, encoder_id : str
    images : int
        Judged.
    issues : list of LabelIssue
        The most probable first.
    notes : tuple of str
    """

    task: str
    head: str
    encoder_id: str
    images: int
    issues: list[LabelIssue]
    notes: tuple[str, ...]
