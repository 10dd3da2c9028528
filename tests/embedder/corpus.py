"""Files as they come: sound pictures of every format, and more than a thousand ways to spoil them.

All of it follows from seeds: the same files each time, for the same versions of the libraries.
"""

from __future__ import annotations

import io
import itertools
import os
import socket
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageCms, features

EXTENSIONS = {
    "JPEG": "jpg", "MPO": "mpo", "PNG": "png", "GIF": "gif", "WEBP": "webp", "TIFF": "tif",
    "BMP": "bmp", "PPM": "ppm", "JPEG2000": "jp2", "AVIF": "avif", "QOI": "qoi",
}  # fmt: skip
TENTHS = range(1, 10)
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def picture(number: int, width: int = 44, height: int = 33) -> Image.Image:
    """Draw a picture with edges, ramps and some noise; each number gives another."""
    random = np.random.default_rng(number)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin((x * a + y * b) / 7) for a, b in random.uniform(-2, 2, size=(3, 2))]
    noise = random.integers(0, 30, size=(height, width, 3))
    return Image.fromarray((np.stack(waves, axis=2) * 100 + 110 + noise).astype(np.uint8))


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """Return the bytes of a file of a picture."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def sound() -> dict[str, bytes]:
    """Return sound files by name: every format that is accepted, in most of its kinds."""
    files = {}
    for number, (name, form, mode, options) in enumerate(_kinds()):
        if form == "AVIF" and not features.check("avif"):
            continue
        image = _in_mode(picture(number), mode)
        if "save_all" in options:
            options = {**options, "append_images": [picture(31), picture(32)]}
        files[f"{name}-{mode}.{EXTENSIONS[form]}"] = encoded(image, form, **options)
    turbo = np.ascontiguousarray(np.asarray(picture(49).convert("CMYK")))
    files["ycck.jpg"] = simplejpeg.encode_jpeg(turbo, 90, colorspace="CMYK")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        data = encoded(picture(50 + orientation), "JPEG", exif=exif)
        files[f"orientation-{orientation}.jpg"] = data
    for name, size in {"one": (1, 1), "wide": (30_000, 1), "tall": (1, 30_000)}.items():
        for form in ("PNG", "JPEG", "TIFF"):
            files[f"{name}-{form}.{EXTENSIONS[form]}"] = encoded(picture(70, *size), form)
    return files


def _kinds() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Yield name, format, mode and options of the files whose damage is looked at."""
    more = {"save_all": True}
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    icc = icc[:24] + bytes(12) + icc[36:]  # without the time at which it was made
    yield "baseline", "JPEG", "RGB", {"quality": 85}
    yield "progressive", "JPEG", "RGB", {"progressive": True}
    yield "restarts", "JPEG", "RGB", {"restart_marker_rows": 1, "subsampling": 0}
    yield "grey", "JPEG", "L", {}
    yield "cmyk", "JPEG", "CMYK", {}
    yield "with-icc", "JPEG", "RGB", {"icc_profile": icc}
    yield "mpo", "MPO", "RGB", more
    yield "rgb", "PNG", "RGB", {}
    yield "rgba", "PNG", "RGBA", {}
    yield "grey-alpha", "PNG", "LA", {}
    yield "sixteen", "PNG", "I;16", {}
    yield "palette", "PNG", "P", {}
    yield "palette-alpha", "PNG", "P", {"transparency": bytes(range(0, 256, 16))}
    yield "one-bit", "PNG", "1", {}
    yield "icc", "PNG", "RGB", {"icc_profile": icc}
    yield "apng", "PNG", "RGB", more
    yield "still", "GIF", "P", {}
    yield "animated", "GIF", "P", {**more, "duration": 40}
    yield "lossy", "WEBP", "RGB", {}
    yield "lossless", "WEBP", "RGBA", {"lossless": True}
    yield "animation", "WEBP", "RGB", {**more, "duration": 40}
    for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
        yield name, "TIFF", "RGB", {"compression": name}
    yield "fax", "TIFF", "1", {"compression": "group4"}
    yield "sixteen", "TIFF", "I;16", {"compression": "tiff_lzw"}
    yield "pages", "TIFF", "RGB", more
    yield "bmp", "BMP", "RGB", {}
    yield "palette", "BMP", "P", {}
    yield "ppm", "PPM", "RGB", {}
    yield "grey", "PPM", "L", {}
    yield "reversible", "JPEG2000", "RGB", {}
    yield "irreversible", "JPEG2000", "RGB", {"irreversible": True, "num_resolutions": 3}
    yield "avif", "AVIF", "RGB", {"speed": 10}
    yield "qoi", "QOI", "RGBA", {}


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "P":
        return image.quantize(16)
    if mode in ("RGBA", "LA"):
        image = image.convert(mode)
        image.putalpha(picture(99).convert("L"))
        return image
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 251)
    return image.convert(mode)


def spoilt() -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of damaged files, and of files that never were pictures."""
    whole = sound()
    for number, (name, data) in enumerate(whole.items()):
        if name.startswith(("one-", "wide-", "tall-", "orientation-")):
            continue
        stem, _, extension = name.rpartition(".")
        random = np.random.default_rng([5, number])
        for n, damaged in enumerate(_damaged(data, random)):
            yield f"{stem}-{extension}/{n:02d}.{extension}", damaged
        yield f"{stem}-{extension}/named.{'png' if extension == 'jpg' else 'jpg'}", data + b"\0"
    for name, data in (*strangers(), *bombs(), *notes()):
        yield f"strange/{name}", data
    random = np.random.default_rng(6)
    for size in (0, 1, 2, 3, 4, 7, 8, 16, 33, 100, 1000, 10_000, 100_000):
        for extension in ("jpg", "png"):
            yield f"garbage/{size}.{extension}", random.bytes(size)
        yield f"garbage/zeros-{size}.bmp", bytes(size)


def _damaged(data: bytes, random: np.random.Generator) -> Iterator[bytes]:
    for tenth in TENTHS:
        yield data[: len(data) * tenth // 10]
    for reach, flips in ((32, 1), (32, 3), (200, 1), (200, 2), (200, 8)):
        yield flipped(data, random, min(reach, len(data)), flips)
    for flips in (1, 1, 4, 16):
        yield flipped(data, random, len(data), flips)
    pieces = cut(data)
    for _ in range(3):
        place = int(random.integers(1, len(pieces)))
        yield b"".join(pieces[:place] + pieces[place + 1 :])
        yield b"".join(pieces[:place] + [pieces[place]] * 2 + pieces[place + 1 :])
    for _ in range(2):
        order = [0, *(1 + random.permutation(len(pieces) - 1))]
        yield b"".join(pieces[i] for i in order)
    hole = int(random.integers(len(data) // 2))
    yield data[:hole] + bytes(len(data) // 4) + data[hole + len(data) // 4 :]


def flipped(data: bytes, random: np.random.Generator, reach: int, flips: int) -> bytes:
    """Give other values to some of the first bytes of a file."""
    damaged = bytearray(data)
    for place in random.integers(0, reach, size=flips):
        damaged[place] ^= int(random.integers(1, 256))
    return bytes(damaged)


def cut(data: bytes) -> list[bytes]:
    """Cut a file where its format cuts it, or into ten pieces."""
    if data.startswith(PNG_MAGIC):
        pieces, at = [data[:8]], 8
        while at < len(data):
            end = at + 12 + int.from_bytes(data[at : at + 4], "big")
            pieces.append(data[at:end])
            at = end
    elif data.startswith(b"\xff\xd8"):
        pieces, at = [data[:2]], 2
        while data[at + 1] != 0xDA:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            pieces.append(data[at:end])
            at = end
        pieces.append(data[at:])
    elif data.startswith(b"RIFF"):
        pieces, at = [data[:12]], 12
        while at < len(data):
            end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little") + data[at + 4] % 2
            pieces.append(data[at:end])
            at = end
    else:
        edges = [len(data) * tenth // 10 for tenth in range(11)]
        pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    return pieces


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    check = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)


def png(width: int, height: int, pixels: bytes, *notes: bytes, depth: int = 8) -> bytes:
    """Return a grey PNG of any stated size, with chunks between its header and its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(pixels, 9))
    return PNG_MAGIC + header + b"".join(notes) + body + chunk(b"IEND", b"")


def bombs() -> Iterator[tuple[str, bytes]]:
    """Yield small files that state a huge size, or huge work."""
    yield "bomb.png", png(60_000, 60_000, bytes(1000))
    yield "bomb-2.png", png(2**31 - 1, 2**31 - 1, bytes(1000))
    yield "bomb.ppm", b"P6 60000 60000 255 " + bytes(100)
    yield "bomb.qoi", b"qoif" + struct.pack(">IIBB", 60_000, 60_000, 3, 0) + b"\xfd" * 1000
    small = Image.new("RGB", (8, 8))
    large = struct.pack("<ii", 60_000, 60_000)
    bitmap = encoded(small, "BMP")
    yield "bomb.bmp", bitmap[:18] + large + bitmap[26:]
    gif = encoded(small, "GIF")
    yield "bomb.gif", gif[:6] + b"\xff\xff\xff\xff" + gif[10:]
    jpeg = encoded(small, "JPEG")
    frame = jpeg.index(b"\xff\xc0") + 5
    yield "bomb.jpg", jpeg[:frame] + b"\xff\xdc\xff\xdc" + jpeg[frame + 4 :]
    scans = encoded(Image.new("L", (1000, 1000)), "JPEG", progressive=True)
    scan = scans.rindex(b"\xff\xda")
    yield "scans.jpg", scans[:scan] + scans[scan:-2] * 10_000 + scans[-2:]
    tiff = encoded(small, "TIFF")
    entry = struct.pack("<HHI", 256, 4, 1), struct.pack("<HHI", 257, 4, 1)
    assert all(each in tiff for each in entry)
    for each in entry:
        at = tiff.index(each) + 8
        tiff = tiff[:at] + struct.pack("<I", 60_000) + tiff[at + 4 :]
    yield "bomb.tif", tiff
    jpeg2000 = encoded(small, "JPEG2000", no_jp2=True)
    size = jpeg2000.index(b"\xff\x51") + 6
    yield "bomb.j2k", jpeg2000[:size] + struct.pack(">II", 60_000, 60_000) + jpeg2000[size + 8 :]


def notes() -> Iterator[tuple[str, bytes]]:
    """Yield pictures with broken, huge or compressed notes beside their pixels."""
    rows = b"".join(b"\0" + bytes(range(40)) for _ in range(30))
    zipped = zlib.compress(bytes(50 * 2**20), 9)
    yield "text.png", png(40, 30, rows, chunk(b"zTXt", b"Comment\0\0" + zipped))
    yield "profile.png", png(40, 30, rows, chunk(b"iCCP", b"icc\0\0" + zipped))
    yield "broken-profile.png", png(40, 30, rows, chunk(b"iCCP", b"icc\0\0garbage"))
    many = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**20), 9)) * 100
    yield "texts.png", png(40, 30, rows, many)
    yield "exif.png", png(40, 30, rows, chunk(b"eXIf", b"MM\0*" + b"\xff" * 5000))
    image = picture(80)
    yield "profile.jpg", encoded(image, "JPEG", icc_profile=b"garbage" * 30_000)
    yield "exif.jpg", encoded(image, "JPEG", exif=b"Exif\0\0II*\0" + b"\xff" * 60_000)
    loop = b"Exif\0\0II*\0\x08\0\0\0\1\0\x69\x87\4\0\1\0\0\0\x08\0\0\0\x08\0\0\0"
    yield "exif-loop.jpg", encoded(image, "JPEG", exif=loop)
    yield "comment.jpg", encoded(image, "JPEG", comment=b"x" * 65_000)


def strangers() -> Iterator[tuple[str, bytes]]:
    """Yield files that are no pictures, or of formats that are not accepted."""
    yield "text.jpg", b"I am a text.\n" * 100
    yield "page.jpg", b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n"
    yield "drawing.jpg", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'
    yield "paper.jpg", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\n%%EOF"
    yield "archive.jpg", b"PK\x03\x04\x14\0\0\0\0\0" + bytes(40) + b"PK\x05\x06" + bytes(18)
    yield "postscript.jpg", encoded(Image.new("RGB", (4, 4)), "EPS")
    yield "icon.jpg", encoded(Image.new("RGB", (16, 16)), "ICO")
    yield "float.jpg", encoded(Image.new("F", (8, 8)), "TIFF")
    yield "pointer.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    yield "desktop.jpg", b"\0\0\0\1Bud1\0\0\x10\0" + bytes(2000)
    yield "null.jpg", b"\xff\xd8\xff" + bytes(2000)


def write(folder: Path) -> None:
    """Write the whole corpus: ``sound/`` and, beside it, everything that is not."""
    for name, data in (*((f"sound/{n}", d) for n, d in sound().items()), *spoilt()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    oddities(folder / "odd")


def oddities(folder: Path) -> None:
    """Make what is not a file, or has a name that few have."""
    (folder / "folder.jpg").mkdir(parents=True)
    data = encoded(picture(90), "PNG")
    (folder / "folder.jpg" / "inside.png").write_bytes(data)
    (folder / "itself.jpg").symlink_to("itself.jpg")
    (folder / "one.jpg").symlink_to("other.jpg")
    (folder / "other.jpg").symlink_to("one.jpg")
    (folder / "nothing.jpg").symlink_to("nowhere")
    (folder / "up").symlink_to("..")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    os.mkfifo(folder / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)  # the address of a socket has a short limit
        try:
            listener.bind("socket.jpg")
        finally:
            os.chdir(here)
    (folder / "locked.png").write_bytes(encoded(picture(91), "PNG"))
    (folder / "locked.png").chmod(0)
    names = (b"latin-\xe9.png", b"\xff\xfe.png", b"new\nline.png",
             "\ufffdff\ufffdfe.png".encode(), "emoji-\U0001f9ca.png".encode(),
             "decomposed-e\u0301.png".encode(), b"  spaces  .png", b"x" * 250 + b".png", b"-rf",
             b"tab\t.png", "rtl-\u202egnp.png".encode())  # fmt: skip
    for number, name in enumerate(names):
        path = os.fsencode(folder) + b"/" + name
        with suppress(OSError), open(path, "wb") as file:  # some disks take UTF-8 alone
            file.write(encoded(picture(100 + number), "PNG"))
