"""Bytes in, upright RGB out; whatever is not a picture gets a typed error."""

from __future__ import annotations

import io
import os
import socket
import struct
import threading
import weakref
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, features

from icehouse.embedder import MAX_PIXELS, ImageFile, decode, probe, read_file
from icehouse.errors import ImageError, ImageErrorKind

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def smooth(height: int = 35, width: int = 46) -> np.ndarray:
    """Return a picture without symmetries, uint8 (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [x * 255 // (width - 1), y * 255 // (height - 1), (x * 3 + y * 2) % 256]
    return np.stack(planes, axis=2).astype(np.uint8)


def encoded(image: Image.Image | np.ndarray, form: str, **options: Any) -> bytes:
    """Return the bytes of a file of the picture."""
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, form, **options)
    return buffer.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    """Return what Pillow alone makes of a file."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


# How a camera that states each orientation has stored an upright picture.
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_exif_orientation_comes_out_upright(orientation: int) -> None:
    upright = smooth()
    stored = np.ascontiguousarray(STORED[orientation](upright))
    data = encoded(stored, "PNG", exif=turned(orientation))
    np.testing.assert_array_equal(decode(data), upright)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "MPO", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_that_of_pillow_in_every_format(form: str, orientation: int) -> None:
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    data = encoded(smooth(), form, exif=turned(orientation))
    np.testing.assert_array_equal(decode(data), by_pillow(data))


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    data = encoded(smooth(), "PNG", exif=turned(orientation))
    np.testing.assert_array_equal(decode(data), smooth())


def test_jpeg_with_garbage_for_exif_is_still_a_picture() -> None:
    data = encoded(smooth(), "JPEG", exif=b"Exif\0\0garbage!")
    np.testing.assert_array_equal(decode(data), by_pillow(data))


def test_png_with_garbage_for_exif_is_still_a_picture() -> None:
    np.testing.assert_array_equal(decode(encoded(smooth(), "PNG", exif=b"garbage!")), smooth())


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [30, 75, 95])
def test_jpeg_is_within_one_level_of_pillow(
    quality: int, subsampling: int, progressive: bool
) -> None:
    data = encoded(
        smooth(), "JPEG", quality=quality, subsampling=subsampling, progressive=progressive
    )
    difference = decode(data).astype(int) - by_pillow(data).astype(int)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_jpeg_are_as_pillow_converts_them(mode: str) -> None:
    data = encoded(Image.fromarray(smooth()).convert(mode), "JPEG", quality=95)
    np.testing.assert_array_equal(decode(data), by_pillow(data))


def test_cmyk_jpeg_is_not_inverted() -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = decode(encoded(cyan, "JPEG"))[8, 8].astype(int)
    assert red < 30
    assert green > 225
    assert blue > 225


def test_jpeg_with_bytes_after_its_end_decodes() -> None:
    data = encoded(smooth(), "JPEG")
    np.testing.assert_array_equal(decode(data + b"\0" * 512 + b"junk"), decode(data))


def test_jpeg_with_stray_bytes_between_its_segments_decodes() -> None:
    data = encoded(smooth(), "JPEG")
    scan = data.index(b"\xff\xda")
    np.testing.assert_array_equal(decode(data[:scan] + b"\0\0\0" + data[scan:]), decode(data))


def test_palette_gives_its_colours() -> None:
    image = Image.fromarray(smooth()).quantize(16)
    np.testing.assert_array_equal(decode(encoded(image, "PNG")), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_transparent_palette_entry_becomes_white(form: str) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([200, 10, 20, 0, 90, 180])
    image.paste(1, (0, 0, 4, 8))
    pixels = decode(encoded(image, form, transparency=1))
    assert (pixels[:, :4] == 255).all()
    assert (pixels[:, 4:] == (200, 10, 20)).all()


def test_palette_with_an_alpha_for_each_entry_is_laid_over_white() -> None:
    image = Image.new("P", (4, 1), 0)
    image.putdata([0, 1, 2, 2])
    image.putpalette([0, 0, 0] * 3)
    pixels = decode(encoded(image, "PNG", transparency=bytes([0, 128, 255])))
    assert pixels[0, :, 0].tolist() == [255, 127, 0, 0]


@pytest.mark.parametrize(
    ("mode", "colour"), [("RGBA", (40, 80, 120)), ("LA", (40,))], ids=["RGBA", "LA"]
)
def test_alpha_is_laid_over_white(mode: str, colour: tuple[int, ...]) -> None:
    image = Image.new(mode, (256, 1))
    image.putdata([(*colour, alpha) for alpha in range(256)])
    alpha = np.arange(256)[:, None]
    expected = (np.array(colour) * alpha + 255 * (255 - alpha)) / 255
    assert np.abs(decode(encoded(image, "PNG"))[0] - expected).max() <= 1


def test_colour_that_png_declares_transparent_becomes_white() -> None:
    image = Image.new("RGB", (4, 4), (9, 8, 7))
    image.putpixel((1, 2), (1, 2, 3))
    pixels = decode(encoded(image, "PNG", transparency=(9, 8, 7)))
    assert pixels[2, 1].tolist() == [1, 2, 3]
    assert pixels[0, 0].tolist() == [255, 255, 255]


def test_sixteen_bit_grey_keeps_its_scale() -> None:
    wide = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    pixels = decode(encoded(Image.fromarray(wide), "PNG"))
    np.testing.assert_array_equal(pixels, np.arange(256).reshape(16, 16, 1).repeat(3, axis=2))


def test_sixteen_bit_grey_rounds_to_the_nearest_level() -> None:
    wide = np.array([[0, 128, 129, 32768, 65406, 65407, 65535]], dtype=np.uint16)
    assert decode(encoded(Image.fromarray(wide), "PNG"))[0, :, 0].tolist() == (
        [0, 0, 1, 128, 254, 255, 255]
    )


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiff_of_either_byte_order_is_read(order: str) -> None:
    wide = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    mode = "I;16" if order == "<" else "I;16B"
    image = Image.frombytes(mode, (16, 16), wide.astype(f"{order}u2").tobytes())
    np.testing.assert_array_equal(decode(encoded(image, "TIFF"))[:, :, 0], wide // 257)


def test_one_bit_is_black_and_white() -> None:
    image = Image.new("1", (9, 3))
    image.putpixel((4, 1), 1)
    pixels = decode(encoded(image, "PNG"))
    assert pixels[1, 4].tolist() == [255, 255, 255]
    assert pixels.sum() == 3 * 255


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_frame(form: str) -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if form == "WEBP" else {}
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=50, **options)
    assert (decode(data) == (255, 0, 0)).all()


def test_floating_point_samples_are_unsupported() -> None:
    image = Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    with pytest.raises(ImageError, match="floating-point samples; convert") as caught:
        decode(encoded(image, "TIFF"))
    assert caught.value.kind is ImageErrorKind.UNSUPPORTED


@pytest.mark.parametrize(
    ("form", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "P")]
)
def test_pixels_are_contiguous_bytes_that_may_be_written_to(form: str, mode: str) -> None:
    pixels = decode(encoded(Image.fromarray(smooth()).convert(mode), form, exif=turned(6)))
    assert pixels.dtype == np.uint8
    assert pixels.shape == (46, 35, 3)
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable


FORMS: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("GIF", {}),
    ("WEBP", {}),
    ("BMP", {}),
    ("PPM", {}),
]
BROKEN = {ImageErrorKind.TRUNCATED, ImageErrorKind.CORRUPT, ImageErrorKind.NOT_AN_IMAGE}


@pytest.mark.parametrize(("form", "options"), FORMS, ids=lambda value: str(value))
def test_a_file_cut_anywhere_is_a_typed_error_or_whole(form: str, options: dict[str, Any]) -> None:
    data = encoded(smooth(), form, **options)
    whole = decode(data)
    cuts = np.unique(np.linspace(1, len(data) - 1, 80).astype(int))
    kinds = set()
    for cut in cuts:
        try:
            pixels = decode(data[:cut])
        except ImageError as error:
            kinds.add(error.kind)
        else:  # only what follows the last pixel is missing
            np.testing.assert_array_equal(pixels, whole)
    assert kinds
    assert kinds <= BROKEN


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize(("form", "marker"), [("JPEG", b"\xff\xda"), ("PNG", b"IDAT")])
def test_a_picture_that_ends_in_its_pixels_is_truncated(
    form: str, marker: bytes, share: float
) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    data = encoded(noise, form)
    start = data.index(marker) + 20
    cut = start + int((len(data) - start) * share)
    with pytest.raises(ImageError, match=r"^truncated: ") as caught:
        decode(data[:cut])
    assert caught.value.kind is ImageErrorKind.TRUNCATED


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "PPM"])
def test_damaged_bytes_raise_nothing_but_typed_errors(form: str) -> None:
    random = np.random.default_rng(len(form))
    sound = encoded(smooth(), form)
    errors = 0
    for _ in range(80):
        damaged = bytearray(sound)
        for place in random.integers(0, min(len(sound), 400), size=random.integers(1, 8)):
            damaged[place] = random.integers(0, 256)
        for read in (probe, decode):
            try:
                read(bytes(damaged))
            except ImageError:
                errors += 1
    assert errors


@pytest.mark.parametrize(
    "data",
    [b"", b"hello, I am text\n" * 20, b"<svg xmlns='http://www.w3.org/2000/svg'/>", bytes(900)],
    ids=["nothing", "text", "svg", "zeros"],
)
@pytest.mark.parametrize("read", [probe, decode])
def test_what_is_no_picture_says_how_it_begins(read: Callable[..., Any], data: bytes) -> None:
    with pytest.raises(ImageError, match=f"{len(data)} bytes that begin with") as caught:
        read(data)
    assert caught.value.kind is ImageErrorKind.NOT_AN_IMAGE


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "JPEG2000", "AVIF"])
def test_a_picture_whose_header_is_cut_off_is_corrupt(form: str) -> None:
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    image = Image.fromarray(smooth()).quantize(8) if form == "GIF" else smooth()
    with pytest.raises(ImageError, match=r"^(corrupt|truncated): ") as caught:
        probe(encoded(image, form)[:24])
    assert not caught.value.kind.transient


def test_a_long_note_beside_the_pixels_is_no_fault() -> None:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("workflow", "x" * 3_000_000, zip=True)
    data = encoded(smooth(), "PNG", pnginfo=notes)
    np.testing.assert_array_equal(decode(data), smooth())


def test_encapsulated_postscript_is_not_opened() -> None:
    with pytest.raises(ImageError, match="not-an-image"):
        decode(encoded(Image.new("RGB", (4, 4)), "EPS"))


def test_a_file_is_judged_by_its_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(Image.new("RGB", (5, 3), "blue"), "GIF"))
    data = read_file(path).data
    assert probe(data).format == "GIF"
    assert (decode(data) == (0, 0, 255)).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_a_file_is_decoded_as_often_as_asked_and_nothing_of_it_kept(form: str) -> None:
    file = ImageFile(encoded(smooth(30, 50), form))
    assert file._opened is not None
    held = weakref.ref(file._opened)
    first = file.decode()
    assert held() is None
    np.testing.assert_array_equal(file.decode(), first)
    assert (file.info.format, file.info.width, file.info.height) == (form, 50, 30)


def test_probe_gives_format_and_size_as_stored() -> None:
    info = probe(encoded(smooth(30, 50), "JPEG", exif=turned(6)))
    assert (info.format, info.width, info.height) == ("JPEG", 50, 30)


def test_the_pixel_limit_is_inclusive() -> None:
    data = encoded(smooth(30, 50), "PNG")
    assert probe(data, max_pixels=1500).width == 50
    with pytest.raises(ImageError, match=r"50x30 is more than 1499 pixels \(--max-pixels\)") as no:
        probe(data, max_pixels=1499)
    assert no.value.kind is ImageErrorKind.TOO_LARGE


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that claims to be of any size."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("read", [probe, decode])
def test_a_decompression_bomb_is_too_large(read: Callable[..., Any]) -> None:
    with pytest.raises(ImageError, match="too-large") as caught:
        read(bomb(60_000, 60_000))
    assert caught.value.kind is ImageErrorKind.TOO_LARGE


def scanned(times: int) -> bytes:
    """Return a progressive JPEG whose last scan comes some times more."""
    data = encoded(smooth(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * (times + 1) + data[-2:]


@pytest.mark.parametrize("read", [probe, decode])
def test_a_jpeg_of_endless_scans_is_unsupported(read: Callable[..., Any]) -> None:
    usual = scanned(0).count(b"\xff\xda")
    assert 5 < usual < 15
    read(scanned(100 - usual))
    with pytest.raises(ImageError, match="unsupported: a JPEG of more than 100 scans") as caught:
        read(scanned(101 - usual))
    assert caught.value.kind is ImageErrorKind.UNSUPPORTED


def test_what_looks_like_scans_in_a_note_or_after_the_end_is_none() -> None:
    data = scanned(0)
    note = b"\xff\xe1" + struct.pack(">H", 4_002) + b"\xff\xda" * 2_000
    expected = decode(data)
    np.testing.assert_array_equal(decode(data[:2] + note + data[2:]), expected)
    np.testing.assert_array_equal(decode(data + b"\xff\xda" * 2_000), expected)
    # A marker without a length does not hide what follows it.
    last = data.rindex(b"\xff\xda")
    hidden = data[:last] + b"".join(b"\xff\x01" + data[last:-2] for _ in range(101)) + data[-2:]
    with pytest.raises(ImageError, match="more than 100 scans"):
        decode(hidden)


def test_scans_count_where_each_colour_has_its_own() -> None:
    # After one scan for all colours a decoder reads no other; of one for each colour it reads all.
    data = encoded(smooth(), "JPEG")
    scan = data.index(b"\xff\xda")
    together = data[:scan] + data[scan:-2] * 200 + data[-2:]
    with pytest.raises(ImageError, match="corrupt"):
        decode(together)
    apart = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + bytes(50)
    with pytest.raises(ImageError, match="more than 100 scans"):
        decode(data[:scan] + apart + data[scan:-2] + apart * 99 + data[-2:])


def tiled(tile: int, pixels: bytes) -> bytes:
    """Return a grey TIFF of 64x64 in one tile of any size."""
    deflate, place = 8, 8 + 2 + 10 * 12 + 4
    tags = {256: 64, 257: 64, 258: 8, 259: deflate, 262: 1, 277: 1, 322: tile, 323: tile}
    tags |= {324: place, 325: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


def test_tiles_count_where_they_are_larger_than_the_image() -> None:
    pixels = zlib.compress(bytes(512 * 512))
    assert decode(tiled(512, pixels), max_pixels=512 * 512).shape == (64, 64, 3)
    with pytest.raises(ImageError, match="512x512 is more than 262143 pixels") as caught:
        decode(tiled(512, pixels), max_pixels=512 * 512 - 1)
    assert caught.value.kind is ImageErrorKind.TOO_LARGE


LIMITED = """
import resource, sys
import numpy as np
from pathlib import Path
from icehouse.embedder import decode
from icehouse.errors import ImageError
from PIL import Image

def status(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(what)))

data = Path(sys.argv[1]).read_bytes()
decode(Path(sys.argv[2]).read_bytes())
if sys.argv[3] == "limit":
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize:") + 40 * 2**20, -1))
before = status("VmRSS:")
try:
    print(decode(data).shape, (status("VmHWM:") - before) // 2**20)
except ImageError as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to look at memory")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16", "P"])
def test_decoding_takes_little_more_memory_than_its_pixels(
    mode: str, tmp_path: Path, run_child: Callable[..., str]
) -> None:
    (tmp_path / "small.png").write_bytes(encoded(Image.new(mode, (8, 8)), "PNG"))
    (tmp_path / "large.png").write_bytes(encoded(Image.new(mode, (4096, 4096)), "PNG"))
    printed = run_child(LIMITED, tmp_path / "large.png", tmp_path / "small.png", "free")
    shape, _, peak = printed.rpartition(" ")
    assert shape == "(4096, 4096, 3)"
    assert int(peak) < 48 + 64 + 64  # the answer, Pillow's image, and what bands of it take


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to limit memory")
def test_a_picture_that_memory_does_not_hold_is_a_typed_error(
    tmp_path: Path, run_child: Callable[..., str]
) -> None:
    (tmp_path / "small.png").write_bytes(encoded(Image.new("RGB", (8, 8)), "PNG"))
    (tmp_path / "large.png").write_bytes(encoded(Image.new("RGB", (8192, 8192)), "PNG"))
    printed = run_child(LIMITED, tmp_path / "large.png", tmp_path / "small.png", "limit")
    assert printed == "too-large: there is not enough memory to decode it\n"
    assert ImageErrorKind.TOO_LARGE.transient


def test_the_pixel_limit_can_be_raised() -> None:
    assert probe(bomb(20_000, 10_000), max_pixels=2 * MAX_PIXELS).width == 20_000


def test_read_file_gives_bytes_and_time_of_change(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    os.utime(path, ns=(1, 1_600_000_000_123_456_789))
    assert (read_file(path).data, read_file(path).mtime_ns) == (b"abc", 1_600_000_000_123_456_789)


def test_a_file_of_zero_bytes_is_empty(tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    with pytest.raises(ImageError, match="0 bytes") as caught:
        read_file(tmp_path / "x.png")
    assert caught.value.kind is ImageErrorKind.EMPTY


def test_a_file_too_large_to_be_a_picture_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "film.jpg", "wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(ImageError, match="a file of 1,073,741,825 bytes, more than") as caught:
        read_file(tmp_path / "film.jpg")
    assert caught.value.kind is ImageErrorKind.TOO_LARGE


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file") as caught:
        read_file(tmp_path / "nowhere.png")
    assert caught.value.kind is ImageErrorKind.UNREADABLE
    assert caught.value.kind.transient


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_a_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(ImageError, match="Permission denied") as caught:
        read_file(path)
    assert caught.value.kind is ImageErrorKind.UNREADABLE


def test_a_fifo_that_nobody_writes_to_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    kinds: list[ImageErrorKind] = []

    def read() -> None:
        with pytest.raises(ImageError, match="not a regular file") as caught:
            read_file(tmp_path / "x.png")
        kinds.append(caught.value.kind)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(timeout=60)
    assert kinds == [ImageErrorKind.NOT_A_FILE]


def test_a_device_is_not_a_file() -> None:
    with pytest.raises(ImageError, match="not a regular file") as caught:
        read_file(Path(os.devnull))
    assert caught.value.kind is ImageErrorKind.NOT_A_FILE


def test_a_socket_is_a_typed_error(tmp_path: Path) -> None:
    short = os.open(tmp_path, os.O_RDONLY)  # the address of a socket has a short limit
    path = Path(f"/proc/self/fd/{short}/s") if Path("/proc/self/fd").is_dir() else tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with pytest.raises(ImageError, match=r"unreadable|not-a-file"):
            read_file(tmp_path / "s")
    os.close(short)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="not-a-file"):
        read_file(tmp_path)
