"""What is served, and how encoders work. Nothing heavy is loaded to say it."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_PIXELS = 50 * 10**6


@dataclass(frozen=True)
class StationOptions:
    """How an encoder works.

    Attributes
    ----------
    engine : {"auto", "torch", "openvino"}
    max_pixels : int
        Images with more are refused.
    limit : int
        Images that may wait.
    window : float
        Seconds; see :class:`BatchOptions`.
    """

    engine: str = "auto"
    max_pixels: int = MAX_PIXELS
    limit: int = 256
    window: float = 0.004


@dataclass(frozen=True)
class ServiceOptions:
    """What is served, and how.

    Attributes
    ----------
    heads : tuple of str
        ``TASK/NAME`` each; none: all that the store has.
    encoders : tuple of str
        Names or encoder_ids that are served besides those of the heads.
    station : StationOptions
    watch : float
        Seconds between looks at what has changed in the store.
    index : str or None
        A Milvus to search by, as ``milvus:photos.db``. None: the index that the store may have.
    """

    heads: tuple[str, ...] = ()
    encoders: tuple[str, ...] = ()
    station: StationOptions = field(default_factory=StationOptions)
    watch: float = 1.0
    index: str | None = None
