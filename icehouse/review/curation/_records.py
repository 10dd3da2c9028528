"""What curation finds: pictures that are unlike all others, typical ones, and what is lacking."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """An image, and where it is to be found.

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
        Those in force in the task.
    """

    image_id: str
    dataset: str
    key: str
    source: str | None
    path: str | None
    labels: tuple[str, ...] | None


@dataclass(frozen=True)
class Outlier:
    """A picture that is unlike all others.

    Attributes
    ----------
    pictures : tuple of Picture
        The image, then those that are nearly the same.
    distance : float
        1 - cosine to the k-th nearest other picture.
    lof : float
        Local outlier factor: about 1 for a picture that lies as dense as its neighbours.
    nearest : Picture
        The nearest other picture.
    similarity : float
        Cosine to it.
    """

    pictures: tuple[Picture, ...]
    distance: float
    lof: float
    nearest: Picture
    similarity: float


@dataclass(frozen=True)
class OutlierReport:
    """What :func:`icehouse.review.find_outliers` found.

    Attributes
    ----------
    task : str or None
        Whose labels are shown.
    encoder_id : str
    k : int
    images, pictures : int
        Looked at; and how many they are if those that are nearly the same count once.
    usual : float
        The distance of the picture in the middle.
    outliers : list of Outlier
        The oddest first.
    notes : tuple of str
    """

    task: str | None
    encoder_id: str
    k: int
    images: int
    pictures: int
    usual: float
    outliers: list[Outlier]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Member:
    """A picture of a class, and how it lies to the class and to the others.

    Attributes
    ----------
    picture : Picture
    copies : int
        Images of the class that are nearly the same, itself included.
    own : float or None
        Mean cosine to the nearest pictures of its class; None where it is the only one.
    other : float
        Mean cosine to as many of the nearest images that are not of the class.
    near : tuple of str
        What the nearest of these shows.
    """

    picture: Picture
    copies: int
    own: float | None
    other: float
    near: tuple[str, ...]

    @property
    def astray(self) -> bool:
        """Whether it is nearer to other classes than to its own."""
        return self.own is not None and self.other > self.own


@dataclass(frozen=True)
class ClassPictures:
    """A class by its pictures.

    Attributes
    ----------
    name : str
    images, pictures : int
        How many it has; and how many they are if those that are nearly the same count once.
    usual : float or None
        The ``own`` of the picture in the middle.
    typical : tuple of Member
        The densest of each of so many clusters, that of the largest first.
    far : tuple of Member
        Of those that are not astray the ones farthest from their class, the farthest first.
    astray : tuple of Member
        Those that are nearer to others than to their class, by how much.
    n_astray : int
        How many pictures are.
    """

    name: str
    images: int
    pictures: int
    usual: float | None
    typical: tuple[Member, ...]
    far: tuple[Member, ...]
    astray: tuple[Member, ...]
    n_astray: int


@dataclass(frozen=True)
class TypicalReport:
    """What :func:`icehouse.review.find_typical` found.

    Attributes
    ----------
    task, encoder_id : str
    k : int
    images : int
        With a label and a vector.
    classes : list of ClassPictures
        By name.
    notes : tuple of str
    """

    task: str
    encoder_id: str
    k: int
    images: int
    classes: list[ClassPictures]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Gap:
    """Images of one kind that B has and A lacks.

    Attributes
    ----------
    pictures : tuple of Picture
        The one that stands for them all, then the others, the nearest to it first.
    distances : tuple of float
        Of each of them to A.
    ratios : tuple of float or None
        Of each of them that distance by the distance to the other pictures of B; None where A or B
        has too few.
    nearest : Picture
        What in A is nearest to the first one.
    """

    pictures: tuple[Picture, ...]
    distances: tuple[float, ...]
    ratios: tuple[float | None, ...]
    nearest: Picture


@dataclass(frozen=True)
class GapReport:
    """What :func:`icehouse.review.find_gaps` found.

    Attributes
    ----------
    a, b : str
        The datasets or splits.
    task : str or None
        Whose labels are shown.
    encoder_id : str
    images_a, images_b : int
    shared : int
        Images that are in both, by their bytes.
    quantile : float
        Share of the pictures of A that A would cover without them.
    limit : float
    ratio_limit : float or None
        Distance and ratio beyond which an image is not covered.
    uncovered : int
        Images of B that A does not cover.
    covers : bool
        Whether these are no more than chance can bring about.
    gaps : list of Gap
        The largest first.
    left : int
        Uncovered images that are in none of them.
    notes : tuple of str
    """

    a: str
    b: str
    task: str | None
    encoder_id: str
    images_a: int
    images_b: int
    shared: int
    quantile: float
    limit: float
    ratio_limit: float | None
    uncovered: int
    covers: bool
    gaps: list[Gap]
    left: int
    notes: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of B that is not covered."""
        return self.uncovered / self.images_b
