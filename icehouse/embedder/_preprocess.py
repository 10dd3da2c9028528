"""Resize and crop, on uint8, as the encoder's own library would.

The antialiased filters of torch on uint8 follow Pillow's to within one step of 255, at more
than twice its speed; sizes and offsets round as those of torchvision and timm do.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import interpolate

from icehouse.embedder._decode import MAX_PIXELS, Pixels
from icehouse.embedder._spec import PreprocessSpec
from icehouse.errors import ImageError, ImageErrorKind


def preprocess(image: Pixels, spec: PreprocessSpec) -> Pixels:
    """Bring an image to the size that a network sees.

    Parameters
    ----------
    image : array of uint8, shape (height, width, 3)
    spec : PreprocessSpec

    Returns
    -------
    array of uint8, shape (spec.size[0], spec.size[1], 3)
        C-contiguous. Mean and standard deviation are left to the encoder.

    Raises
    ------
    ImageError
        ``too-large``: so thin an image that resizing it would make it enormous.
    """
    height, width = resized(image.shape[:2], spec)
    if height * width > MAX_PIXELS:
        raise ImageError(
            ImageErrorKind.TOO_LARGE,
            f"{image.shape[1]}x{image.shape[0]} would become {width}x{height} before its crop",
        )
    if (height, width) != image.shape[:2]:
        # A view with channels first but the memory of channels last, which torch is fast on.
        planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).unsqueeze(0)
        planes = interpolate(
            planes, (height, width), mode=spec.interpolation, antialias=True, align_corners=False
        )
        image = planes.squeeze(0).permute(1, 2, 0).numpy()
    return _crop_or_pad(image, spec)


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


def _crop_or_pad(image: Pixels, spec: PreprocessSpec) -> Pixels:
    height, width = spec.size
    top = round((image.shape[0] - height) / 2) if image.shape[0] > height else 0
    left = round((image.shape[1] - width) / 2) if image.shape[1] > width else 0
    image = image[top : top + height, left : left + width]
    short, narrow = height - image.shape[0], width - image.shape[1]
    if short or narrow:
        canvas = np.empty((height, width, 3), np.uint8)
        canvas[:] = spec.fill
        top, left = short // 2, narrow // 2
        canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
        return canvas
    return np.ascontiguousarray(image)
