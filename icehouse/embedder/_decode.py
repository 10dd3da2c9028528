"""A file's bytes in, upright RGB pixels out. A file is judged by its bytes, not its name."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import ExifTags, Image, UnidentifiedImageError

from icehouse.errors import ImageError, ImageErrorKind

MAX_PIXELS = 128 * 2**20
"""Default limit of width x height; 384 MiB as RGB."""

# EPS is left out because Pillow hands it to Ghostscript, formats of video and icons of
# programs because nobody means them.
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "QOI")
JPEG_MAGIC = b"\xff\xd8\xff"
TRANSPARENT_MODES = ("RGBA", "LA", "PA", "La", "RGBa")

Image.init()
_FORMATS = tuple(name for name in FORMATS if name in Image.OPEN)
# Our own limit is checked right after the header is read, and may be higher than Pillow's.
Image.MAX_IMAGE_PIXELS = None

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FileBytes:
    """What was read of an input, and its stamp (see ``Entry.mtime_ns``) at that moment."""

    data: bytes
    mtime_ns: int | None


@dataclass(frozen=True)
class ImageInfo:
    """What an image's header says; width and height in pixels, as stored."""

    format: str
    width: int
    height: int


def read_file(path: str | os.PathLike[str]) -> FileBytes:
    """Read a regular file without ever waiting for one that is not.

    Raises
    ------
    ImageError
        ``unreadable``, ``not-a-file`` or ``empty``.
    """
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to would otherwise wait forever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise ImageError(ImageErrorKind.UNREADABLE, _words(error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(ImageErrorKind.NOT_A_FILE, "not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read()
    except OSError as error:
        raise ImageError(ImageErrorKind.UNREADABLE, _words(error)) from error
    finally:
        os.close(descriptor)
    if not data:
        raise ImageError(ImageErrorKind.EMPTY, "0 bytes")
    return FileBytes(data, status.st_mtime_ns)


def probe(data: bytes, max_pixels: int = MAX_PIXELS) -> ImageInfo:
    """Read an image's header.

    Raises
    ------
    ImageError
        ``not-an-image``, ``corrupt`` or ``too-large``.
    """
    with _open(data, max_pixels) as image:
        return ImageInfo(image.format or "", image.width, image.height)


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode an image to upright RGB.

    EXIF orientation is applied; grey, palette, CMYK and 16-bit samples become 8-bit RGB;
    transparency is laid over white; an animation gives its first frame.

    Parameters
    ----------
    data : bytes
        A whole file.
    max_pixels : int

    Returns
    -------
    array of uint8, shape (height, width, 3)

    Raises
    ------
    ImageError
        ``not-an-image``, ``truncated``, ``corrupt``, ``too-large`` or ``unsupported``.
    """
    with _open(data, max_pixels) as image:
        try:
            if data.startswith(JPEG_MAGIC) and (pixels := _fast_jpeg(data)) is not None:
                return _upright(pixels, image)
            image.load()
            return _upright(_rgb(image), image)
        except (ImageError, MemoryError):
            raise
        except OSError as error:
            ended = "truncated" in str(error) or "Truncated" in str(error)
            kind = ImageErrorKind.TRUNCATED if ended else ImageErrorKind.CORRUPT
            raise ImageError(kind, str(error)) from error
        except Exception as error:  # decoders of damaged bytes raise whatever comes
            raise ImageError(ImageErrorKind.CORRUPT, repr(error)) from error


def _open(data: bytes, max_pixels: int) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        start = data[:8].hex(" ")
        raise ImageError(
            ImageErrorKind.NOT_AN_IMAGE, f"{len(data)} bytes that begin with {start}"
        ) from None
    except MemoryError:
        raise
    except Exception as error:
        raise ImageError(ImageErrorKind.CORRUPT, repr(error)) from error
    if image.width * image.height > max_pixels:
        raise ImageError(
            ImageErrorKind.TOO_LARGE,
            f"{image.width}x{image.height} is more than {max_pixels} pixels (--max-pixels)",
        )
    return image


def _words(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _fast_jpeg(data: bytes) -> Pixels | None:
    try:
        if simplejpeg.decode_jpeg_header(data)[2] in ("YCbCr", "Gray", "RGB"):
            return np.asarray(simplejpeg.decode_jpeg(data, "RGB"))
    except ValueError:
        pass  # it takes each warning for an error; Pillow tells the harmless ones apart
    return None


def _rgb(image: Image.Image) -> Pixels:
    if image.mode == "F":
        raise ImageError(
            ImageErrorKind.UNSUPPORTED,
            "floating-point samples; convert the picture to 8 or 16 bits first",
        )
    if image.mode == "I" or image.mode.startswith("I;16"):
        # 16-bit grey: 65535 is white, and 257 = 65535 / 255.
        wide = np.asarray(image).astype(np.int64)
        grey = np.clip((wide + 128) // 257, 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.array(image.convert("RGB"))


def _upright(pixels: Pixels, image: Image.Image) -> Pixels:
    """Undo the orientation that EXIF states, as its eight values define it."""
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a damaged note beside a sound picture
        turn = None
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: p[::-1].transpose(1, 0, 2),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: p[:, ::-1].transpose(1, 0, 2),
}
