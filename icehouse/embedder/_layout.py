"""How large a picture becomes before it is cropped, and which part of it is left.

Sizes round as torchvision's and timm's do.
"""

from __future__ import annotations

from icehouse.embedder._decode import Enough
from icehouse.embedder._spec import PreprocessSpec

MAX_ASPECT = 32
Box = tuple[int, int, int, int]  # top, left, bottom, right


def enough(spec: PreprocessSpec) -> Enough | None:
    """Return what tells :func:`decode` how small a JPEG may be decoded; None: at full size.

    Twice the size that it is resized to: the filter of the resize then hides the difference.
    """
    if spec.decode == "exact":
        return None

    def twice(height: int, width: int) -> tuple[int, int]:
        to_height, to_width = resized((height, width), spec)
        return 2 * to_height, 2 * to_width

    return twice


def resized(shape: tuple[int, ...], spec: PreprocessSpec) -> tuple[int, int]:
    """Return the height and width that an image of a given shape is resized to."""
    height, width = shape[:2]
    to_height, to_width = spec.resize_to
    if spec.resize == "squash":
        return to_height, to_width
    if spec.resize == "shortest" and to_height == to_width:
        # torchvision.transforms.Resize(int): the longer edge is truncated, not rounded.
        if height <= width:
            return to_height, int(to_height * width / height)
        return int(to_width * height / width), to_width
    choose = max if spec.resize == "longest" else min
    ratio = choose(height / to_height, width / to_width)
    return max(1, round(height / ratio)), max(1, round(width / ratio))


def middle(shape: tuple[int, ...]) -> Box:
    """Return what is kept of a very thin image: the crop would drop its ends after blowing them up.

    All of any other.
    """
    height, width = shape[:2]
    short = min(height, width)
    if max(height, width) <= MAX_ASPECT * short:
        return 0, 0, height, width
    half = MAX_ASPECT // 2 * short
    top, left = max(0, height // 2 - half), max(0, width // 2 - half)
    return top, left, min(height, top + 2 * half), min(width, left + 2 * half)


def seen(shape: tuple[int, ...], spec: PreprocessSpec) -> tuple[float, float, float, float]:
    """Return which part of an image a network sees.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image.
    spec : PreprocessSpec

    Returns
    -------
    (top, left, bottom, right)
        As shares of height and width; below 0 or above 1 where the image is padded.

    Examples
    --------
    >>> seen((100, 200), PreprocessSpec(size=(64, 64), resize_to=(64, 64)))
    (0.0, 0.25, 1.0, 0.75)
    """
    kept = middle(shape) if spec.resize == "shortest" else (0, 0, *shape[:2])
    inner = kept[2] - kept[0], kept[3] - kept[1]
    low, high = [], []
    for axis, becomes in enumerate(resized(inner, spec)):
        wanted = spec.size[axis]
        start = round((becomes - wanted) / 2) if becomes > wanted else -((wanted - becomes) // 2)
        scale = inner[axis] / becomes / shape[axis]
        low.append(kept[axis] / shape[axis] + start * scale)
        high.append(kept[axis] / shape[axis] + (start + wanted) * scale)
    return low[0], low[1], high[0], high[1]
