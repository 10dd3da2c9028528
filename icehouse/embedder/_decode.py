"""A file's bytes in, upright RGB pixels out. A file is judged by its bytes, not its name."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from icehouse.embedder._scans import MAX_SCANS, endless
from icehouse.errors import ImageError, ImageErrorKind

MAX_PIXELS = 128 * 2**20
"""Default limit of width x height; 384 MiB as RGB."""
BAND_PIXELS = 2**20
NO_MEMORY = "there is not enough memory to decode it"

# EPS is left out because Pillow hands it to Ghostscript, formats of video and icons of
# programs because nobody means them.
FORMATS = {  # and Pillow's module for each; to let Pillow find them it would load all forty-five
    "JPEG": "Jpeg",
    "MPO": "Mpo",
    "PNG": "Png",
    "GIF": "Gif",
    "WEBP": "WebP",
    "TIFF": "Tiff",
    "BMP": "Bmp",
    "PPM": "Ppm",
    "JPEG2000": "Jpeg2K",
    "AVIF": "Avif",
    "QOI": "Qoi",
}
# BMP and PPM are known by two letters, with which a text may begin too.
FORMATS_WITH_MAGIC = ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "JPEG2000", "AVIF", "QOI")
JPEG_MAGIC = b"\xff\xd8\xff"
TRANSPARENT_MODES = ("RGBA", "LA", "PA", "La", "RGBa")

for plugin in FORMATS.values():
    importlib.import_module(f"PIL.{plugin}ImagePlugin")
_FORMATS = tuple(name for name in FORMATS if name in Image.OPEN)
# Our own limit is checked right after the header is read, and may be higher than Pillow's.
Image.MAX_IMAGE_PIXELS = None
# Editors write notes of some megabytes; a picture is not worse for that.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY
# What Pillow has to say of notes beside the pixels names no file; where warnings are errors, it
# would cost a sound picture its vector. For good: the filters are shared by all threads, and
# whoever puts them back after a while takes away another's.
warnings.filterwarnings("ignore", module=r"PIL\.")

Pixels = npt.NDArray[np.uint8]
Enough = Callable[[int, int], tuple[int, int]]


@dataclass(frozen=True)
class ImageInfo:
    """What an image's header says; width and height in pixels, as stored."""

    format: str
    width: int
    height: int


class ImageFile:
    """An image whose header was read, and whose pixels were not yet.

    Parameters
    ----------
    data : bytes
        A whole file.
    max_pixels : int

    Attributes
    ----------
    info : ImageInfo

    Raises
    ------
    ImageError
        ``not-an-image``, ``corrupt``, ``too-large`` or ``unsupported``.
    """

    def __init__(self, data: bytes, max_pixels: int = MAX_PIXELS) -> None:
        self._data, self._max_pixels = data, max_pixels
        image = _open(data, max_pixels)
        self.info = ImageInfo(image.format or "", image.width, image.height)
        self._opened: Image.Image | None = image

    def decode(self, enough: Enough | None = None) -> Pixels:
        """Return the pixels; see :func:`decode`."""
        # What Pillow holds is as large as the answer: it is used once, and not kept.
        opened, self._opened = self._opened or _open(self._data, self._max_pixels), None
        with opened as image:
            try:
                is_jpeg = self._data.startswith(JPEG_MAGIC)
                fast = _fast_jpeg(self._data, image, enough) if is_jpeg else None
                if fast is not None:
                    return _upright(fast, image)
                image.load()
                return _upright(_rgb(image), image)
            except ImageError:
                raise
            except MemoryError as error:
                raise ImageError(ImageErrorKind.TOO_LARGE, NO_MEMORY) from error
            except OSError as error:
                ended = "truncated" in str(error) or "Truncated" in str(error)
                kind = ImageErrorKind.TRUNCATED if ended else ImageErrorKind.CORRUPT
                raise ImageError(kind, str(error)) from error
            except Exception as error:  # decoders of damaged bytes raise whatever comes
                raise ImageError(ImageErrorKind.CORRUPT, repr(error)) from error


def probe(data: bytes, max_pixels: int = MAX_PIXELS) -> ImageInfo:
    """Read an image's header; raise ImageError as :class:`ImageFile` does."""
    return ImageFile(data, max_pixels).info


def decode(data: bytes, max_pixels: int = MAX_PIXELS, enough: Enough | None = None) -> Pixels:
    """Decode an image to upright RGB.

    EXIF orientation is applied; grey, palette, CMYK and 16-bit samples become 8-bit RGB;
    transparency is laid over white; an animation gives its first frame.

    Parameters
    ----------
    data : bytes
        A whole file.
    max_pixels : int
    enough : callable, optional
        From an upright picture's height and width to the smallest that will do: a JPEG is then
        decoded at a half of its size or less, which is faster, if that is not below them.

    Returns
    -------
    array of uint8, shape (height, width, 3)

    Raises
    ------
    ImageError
        ``not-an-image``, ``truncated``, ``corrupt``, ``too-large`` or ``unsupported``.
    """
    return ImageFile(data, max_pixels).decode(enough)


def _open(data: bytes, max_pixels: int) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise _unidentified(data) from None
    except MemoryError as error:
        raise ImageError(ImageErrorKind.TOO_LARGE, NO_MEMORY) from error
    except Exception as error:
        raise ImageError(ImageErrorKind.CORRUPT, repr(error)) from error
    for width, height in (image.size, _tile(image)):
        if width * height > max_pixels:
            raise ImageError(
                ImageErrorKind.TOO_LARGE,
                f"{width}x{height} is more than {max_pixels} pixels (--max-pixels)",
            )
    if data.startswith(JPEG_MAGIC) and endless(data):
        raise ImageError(
            ImageErrorKind.UNSUPPORTED,
            f"a JPEG of more than {MAX_SCANS} scans, each of which goes over all of its pixels; "
            "save it again as a usual JPEG",
        )
    return image


def _unidentified(data: bytes) -> ImageError:
    """Tell a picture whose header is damaged from what never was a picture."""
    for name in FORMATS_WITH_MAGIC:
        accepts = Image.OPEN[name][1] if name in Image.OPEN else None
        if accepts is not None and accepts(data[:16]) is True:
            detail = f"begins as {name}, but its header is damaged or cut off ({len(data)} bytes)"
            return ImageError(ImageErrorKind.CORRUPT, detail)
    start = data[:8].hex(" ")
    return ImageError(ImageErrorKind.NOT_AN_IMAGE, f"{len(data)} bytes that begin with {start}")


def _tile(image: Image.Image) -> tuple[int, int]:
    """Return the size of a TIFF's tiles, one of which is decoded whole, however small the image."""
    tags = getattr(image, "tag_v2", {})
    width, height = tags.get(TiffImagePlugin.TILEWIDTH), tags.get(TiffImagePlugin.TILELENGTH)
    return (width, height) if isinstance(width, int) and isinstance(height, int) else (0, 0)


def _fast_jpeg(data: bytes, image: Image.Image, enough: Enough | None) -> Pixels | None:
    try:
        stored_height, stored_width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours in ("YCbCr", "Gray", "RGB"):
            height, width = 0, 0
            if enough is not None and _turned(image):
                width, height = enough(stored_width, stored_height)
            elif enough is not None:
                height, width = enough(stored_height, stored_width)
            # At the smallest size, in eighths, that is not below these; 0 means the full one, and
            # more than a half is slower than all.
            small = {"min_height": height, "min_width": width, "min_factor": 2}
            return np.asarray(simplejpeg.decode_jpeg(data, "RGB", **small))
    except ValueError:
        pass  # it takes each warning for an error; Pillow tells the harmless ones apart
    return None


def _rgb(image: Image.Image) -> Pixels:
    if image.mode == "F":
        raise ImageError(
            ImageErrorKind.UNSUPPORTED,
            "floating-point samples; convert the picture to 8 or 16 bits first",
        )
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    # Each conversion is a copy: of bands of a large picture, not of all of it.
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = _band(image.crop((0, top, image.width, bottom)))
    return pixels


def _band(image: Image.Image) -> Pixels:
    if image.mode == "I" or image.mode.startswith("I;16"):
        # 16-bit grey: 65535 is white, and 257 = 65535 / 255.
        wide = np.asarray(image).astype(np.int64)
        grey = np.clip((wide + 128) // 257, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _upright(pixels: Pixels, image: Image.Image) -> Pixels:
    """Undo the orientation that EXIF states, as its eight values define it."""
    turn = _TURNS.get(_orientation(image))
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a damaged note beside a sound picture
        return 1


def _turned(image: Image.Image) -> bool:
    """Whether an upright picture's height is what the file calls its width."""
    return _orientation(image) >= 5


_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p[::-1].transpose(1, 0, 2),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: p[:, ::-1].transpose(1, 0, 2),
}
