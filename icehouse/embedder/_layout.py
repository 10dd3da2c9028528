"""How large a picture becomes before it is cropped; sizes round as torchvision's and timm's do."""

from __future__ import annotations

from icehouse.embedder._decode import Enough
from icehouse.embedder._spec import PreprocessSpec


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
