"""A tar is read where its members lie; what is broken in it is said, and the rest is read."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import Entry, Listing, embed, list_source
from icehouse.embedder.sources._tar import expand
from icehouse.errors import ImageError, ImageErrorKind, SourceError
from icehouse.store import Store


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


A, B, C = png(1), png(2), png(3)


def write(path: Path, *members: tuple[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    """Write a tar of files."""
    with tarfile.open(path, "w", format=form) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def add(path: Path, name: str, kind: bytes, target: str = "") -> None:
    """Append a member that is no file."""
    with tarfile.open(path, "a") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        tar.addfile(info)


def by_key(listing: Listing) -> dict[str, Entry]:
    return {entry.key: entry for entry in listing.entries}


def said(listing: Listing) -> dict[str, tuple[tuple[str, ...] | None, str | None]]:
    return {entry.key: (entry.labels, entry.split) for entry in listing.entries}


def errors(listing: Listing) -> dict[str, str]:
    return {entry.key: str(entry.error) for entry in listing.entries if entry.error}


def sound(listing: Listing) -> dict[str, bytes]:
    return {entry.key: entry.origin.read().data for entry in listing.entries if not entry.error}


def test_class_folders_and_splits_are_read_as_in_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "x.tar", ("./train/cat/1.png", A), ("val/dog/2.jpg", B), ("test/3.webp", C))
    listing = list_source(tmp_path / "x.tar")
    assert said(listing) == {
        "train/cat/1.png": (("cat",), "train"),
        "val/dog/2.jpg": (("dog",), "val"),
        "test/3.webp": (None, "test"),
    }
    assert (listing.source, listing.name) == (str(tmp_path / "x.tar"), "x")
    assert said(list_source(tmp_path / "x.tar", labels=False))["val/dog/2.jpg"] == (None, "val")


def test_what_stands_beside_an_image_speaks_of_it(tmp_path: Path) -> None:
    told = json.dumps({"labels": ["x", "y"], "split": "valid", "camera": 7}).encode()
    write(
        tmp_path / "x.tar",
        ("a/0001.cls", b" 5\n"), ("a/0001.png", A), ("a/0001.txt", b"a caption"),
        ("a/0002.seg.png", B), ("a/0002.json", told),
        ("a/0003.jpg", C), ("a/0004.npy", b"1234"),
    )  # fmt: skip
    listing = list_source(tmp_path / "x.tar")
    assert said(listing) == {
        "a/0001.png": (("5",), None),
        "a/0002.seg.png": (("x", "y"), "val"),
        "a/0003.jpg": (("a",), None),
    }
    assert listing.multi_label
    assert by_key(listing)["a/0002.seg.png"].extra == '{"camera": 7}'
    assert by_key(listing)["a/0001.png"].extra is None


def test_a_number_as_a_label_in_json_is_its_text(tmp_path: Path) -> None:
    write(tmp_path / "x.tar", ("1.png", A), ("1.json", b'{"label": 0}'))
    assert said(list_source(tmp_path / "x.tar")) == {"1.png": (("0",), None)}


@pytest.mark.parametrize("text", [b"[1]", b"{", b"\xff", b"[" * 100_000])
def test_json_that_is_no_object_is_a_typed_entry(tmp_path: Path, text: bytes) -> None:
    write(tmp_path / "x.tar", ("1.png", A), ("1.json", text))
    listing = list_source(tmp_path / "x.tar")
    assert errors(listing) == {"1.json": "corrupt"}
    assert sound(listing) == {"1.png": A}


def test_json_about_no_image_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "x.tar", ("1.png", A), ("index.json", b"[1]"), ("2.cls", b"\xff"))
    assert errors(list_source(tmp_path / "x.tar")) == {}


@pytest.mark.parametrize("name", ["2.npy", "2.json", ".hidden.png"])
def test_a_tar_that_ends_in_what_is_no_image_says_so(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A), (name, b"x" * 5000), ("3.png", C))
    path.write_bytes(path.read_bytes()[:3000])
    assert errors(list_source(path)) == {name: "truncated"}
    assert sound(list_source(path)) == {"1.png": A}


def test_entries_carry_the_size_of_the_member_and_the_time_of_the_tar(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A))
    os.utime(path, ns=(1, 1_600_000_000_000_000_007))
    [entry] = list_source(path).entries
    assert (entry.bytes, entry.mtime_ns) == (len(A), 1_600_000_000_000_000_007)
    read = entry.origin.read()
    assert (read.data, read.mtime_ns) == (A, 1_600_000_000_000_000_007)


def test_hidden_members_folders_and_other_files_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("._1.png", A), (".git/2.png", A), ("readme.md", b"x"),
                 ("1.png", A))  # fmt: skip
    add(path, "empty.png", tarfile.DIRTYPE)
    assert list(by_key(list_source(path))) == ["1.png"]


def test_names_outside_are_only_names(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("/etc/1.png", A), ("../../2.png", B))
    assert sound(list_source(path)) == {"etc/1.png": A, "../../2.png": B}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_names_of_every_script_are_keys(tmp_path: Path, form: int) -> None:
    long, odd = "d" * 90 + "/" + "n" * 180 + ".png", "кот/ü 漢字 🐈.png"
    path = write(tmp_path / "x.tar", (long, A), (odd, B), form=form)
    assert sound(list_source(path)) == {long: A, odd: B}


def test_names_of_the_oldest_formats_are_keys(tmp_path: Path) -> None:
    name = "a" * 80 + "/" + "b" * 90 + ".png"  # in two fields of the header
    path = write(tmp_path / "x.tar", (name, A), form=tarfile.USTAR_FORMAT)
    assert sound(list_source(path)) == {name: A}


def test_names_that_are_not_utf_8_are_escaped(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("caf\udce9.png", A), form=tarfile.GNU_FORMAT)
    assert sound(list_source(path)) == {"caf\ufffde9.png": A}


def test_of_two_members_of_one_name_the_later_one_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A), ("2.png", B), ("1.png", C))
    assert sound(list_source(path)) == {"2.png": B, "1.png": C}


def test_a_hard_link_is_the_member_that_it_leads_to(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("cat/1.png", A))
    add(path, "dog/2.png", tarfile.LNKTYPE, "./cat/1.png")
    listing = list_source(path)
    assert sound(listing) == {"cat/1.png": A, "dog/2.png": A}
    assert said(listing)["dog/2.png"] == (("dog",), None)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_what_is_no_file_is_a_typed_entry(tmp_path: Path, kind: bytes) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A))
    add(path, "2.png", kind, "/etc/passwd")
    listing = list_source(path)
    assert errors(listing) == {"2.png": "not-a-file"}
    with pytest.raises(ImageError, match=r"a link to '/etc/passwd'|not a regular file"):
        by_key(listing)["2.png"].origin.read()


def test_a_sparse_member_is_a_typed_entry_and_the_next_one_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A), ("2.png", B), form=tarfile.GNU_FORMAT)
    data = bytearray(path.read_bytes())
    data[156:157] = tarfile.GNUTYPE_SPARSE
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    path.write_bytes(data)
    listing = list_source(path)
    assert errors(listing) == {"1.png": "not-a-file"}
    assert sound(listing) == {"2.png": B}


def test_a_damaged_header_is_a_typed_entry_and_the_next_member_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A), ("2.png", B), ("3.png", C))
    at = list_source(path).entries[1].origin.start - 512  # type: ignore[attr-defined]
    data = bytearray(path.read_bytes())
    data[at : at + 100] = b"\xaa" * 100
    path.write_bytes(data)
    listing = list_source(path)
    assert errors(listing) == {f"byte {at}": "corrupt"}
    assert sound(listing) == {"1.png": A, "3.png": C}


def test_bytes_that_are_missing_in_the_middle_cost_no_later_member(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A), ("2.png", B), ("3.png", C))
    data = path.read_bytes()
    at = data.index(B) + 40
    path.write_bytes(data[: at - 77] + data[at:])
    listing = list_source(path)
    assert "corrupt" in errors(listing).values()
    assert sound(listing)["3.png"] == C


def test_a_tar_may_end_anywhere(tmp_path: Path, store: Store) -> None:
    whole = write(tmp_path / "x.tar", ("cat/1.png", A), ("dog/2.png", B)).read_bytes()
    first_ends = whole.index(A) + len(A)
    second = whole.index(B)
    path = tmp_path / "y.tar"
    for end in sorted({*range(first_ends, second + len(B), 97), first_ends, second - 512, second}):
        path.write_bytes(whole[:end])
        listing = list_source(path)
        assert sound(listing) == {"cat/1.png": A}
        assert list(errors(listing).values()) == ["truncated"], end
    report = embed(store, listing, "descriptor", dataset="d")
    assert (report.inputs, report.encoded, report.errors) == (2, 1, {"truncated": 1})


def test_a_tar_that_ends_in_its_first_image_holds_none(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A))
    path.write_bytes(path.read_bytes()[: 512 + 40])
    [entry] = list_source(path).entries
    assert (entry.key, entry.error) == ("1.png", ImageErrorKind.TRUNCATED)
    assert entry.detail == f"the archive ends after 40 of its {len(A)} bytes"


def test_a_missing_end_mark_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A))
    end = 512 + -(-len(A) // 512) * 512
    path.write_bytes(path.read_bytes()[:end])
    assert errors(list_source(path)) == {f"byte {end}": "truncated"}
    assert sound(list_source(path)) == {"1.png": A}


def test_archives_that_were_strung_together_are_all_read(tmp_path: Path) -> None:
    one, two = write(tmp_path / "1.tar", ("1.png", A)), write(tmp_path / "2.tar", ("2.png", B))
    (tmp_path / "x.tar").write_bytes(one.read_bytes() + two.read_bytes())
    assert sound(list_source(tmp_path / "x.tar")) == {"1.png": A, "2.png": B}


def test_no_damaged_byte_is_a_crash_or_costs_a_member_in_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A), ("n" * 120 + ".png", B), ("3.png", C))
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    for at in [*range(512), *random.integers(0, len(whole), 300).tolist()]:
        data = bytearray(whole)
        data[at] ^= int(random.integers(1, 256))
        path.write_bytes(data)
        listing = list_source(path)
        assert "3.png" in sound(listing) or errors(listing), at


@pytest.mark.parametrize("record", [b"0 path=x", b"-3 path=x\n", b"99 path", b"x\n", b"5 a\n"])
def test_a_damaged_extended_header_is_a_typed_entry(tmp_path: Path, record: bytes) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A))
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(record)
    head = info.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0")
    (tmp_path / "y.tar").write_bytes(head + path.read_bytes())
    assert errors(list_source(tmp_path / "y.tar")) == {"1.png": "corrupt"}


def test_a_damaged_size_costs_no_later_member(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A), ("2.png", B))
    record = b"22 size=999999999999\n"
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(record)
    head = info.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0")
    (tmp_path / "y.tar").write_bytes(head + path.read_bytes())
    listing = list_source(tmp_path / "y.tar")
    assert errors(listing) == {"1.png": "truncated"}
    assert sound(listing) == {"2.png": B}


def test_a_tar_that_changed_meanwhile_is_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A))
    [entry] = list_source(path).entries
    write(path, ("0.png", B), ("1.png", A))
    with pytest.raises(ImageError, match="changed since it was listed; run again"):
        entry.origin.read()


def test_an_empty_member_is_a_typed_error(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "x.tar", ("1.png", A), ("2.png", b""))
    report = embed(store, list_source(path), "descriptor", dataset="d")
    assert report.errors == {"empty": 1}


# Several tars.


def test_a_range_is_written_out() -> None:
    assert expand("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert expand("{0..1}/{3..4}.tar") == ["0/3.tar", "0/4.tar", "1/3.tar", "1/4.tar"]
    assert expand("a.tar") == ["a.tar"]


def test_a_folder_of_tars_is_read_as_one_source(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    (folder / "b").mkdir(parents=True)
    write(folder / "a.tar", ("cat/1.png", A))
    write(folder / "b" / "a.tar", ("cat/1.png", B), ("2.png", C))
    (folder / "readme.md").write_text("three pictures")
    listing = list_source(folder)
    assert sound(listing) == {"a/cat/1.png": A, "b/a/cat/1.png": B, "b/a/2.png": C}
    assert said(listing)["b/a/2.png"] == (None, None)
    assert (listing.source, listing.name) == (f"{folder}/*.tar", "shards")
    assert list_source(listing.source).entries == listing.entries


def test_a_pattern_of_tars_is_read_as_one_source(tmp_path: Path) -> None:
    for number, data in enumerate((A, B)):
        write(tmp_path / f"part-{number:03d}.tar", ("1.png", data))
    listing = list_source(tmp_path / "part-{000..001}.tar")
    assert sound(listing) == {"part-000/1.png": A, "part-001/1.png": B}
    assert listing.name == "part"
    with pytest.raises(SourceError, match=r"part-002\.tar cannot be read: No such file"):
        list_source(tmp_path / "part-{000..002}.tar")


def test_a_folder_with_a_tar_among_images_is_a_folder_of_images(tmp_path: Path) -> None:
    write(tmp_path / "x.tar", ("1.png", A))
    (tmp_path / "2.png").write_bytes(B)
    assert list(by_key(list_source(tmp_path))) == ["2.png", "x.tar"]


def test_a_tar_that_is_none_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path / "a.tar", ("1.png", A))
    (tmp_path / "b.tar").write_bytes(b"nothing" * 200)
    (tmp_path / "c.tar").write_bytes(b"")
    write(tmp_path / "d.tar", ("1.png", B))
    listing = list_source(tmp_path)
    assert errors(listing) == {"b/byte 0": "corrupt", "c/byte 0": "truncated"}
    assert sound(listing) == {"a/1.png": A, "d/1.png": B}


@pytest.mark.parametrize("name", ["x.tar.gz", "x.tgz", "x.tar.zst", "x.tar"])
def test_a_compressed_tar_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / name, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("1.png"))
    with pytest.raises(SourceError, match=r"is compressed.*for instance: gunzip FILE\.tar\.gz"):
        list_source(tmp_path / name)


def test_a_tar_without_images_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "x.tar", ("readme.md", b"hello"))
    with pytest.raises(SourceError, match=r"x\.tar holds no images"):
        list_source(tmp_path / "x.tar")
    (tmp_path / "y.tar").write_bytes(b"nothing" * 200)
    with pytest.raises(SourceError, match=r"y\.tar holds no images: a damaged header at byte 0"):
        list_source(tmp_path / "y.tar")


def test_a_tar_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"x\.tar cannot be read: No such file"):
        list_source(tmp_path / "x.tar")


@pytest.mark.parametrize("top", ["photos/", "photos/train/"])
def test_a_folder_around_everything_is_no_class(tmp_path: Path, top: str) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
            data = io.BytesIO()
            Image.new("RGB", (8, 8), "red").save(data, "PNG")
            info = tarfile.TarInfo(top + name)
            info.size = len(data.getvalue())
            tar.addfile(info, io.BytesIO(data.getvalue()))
    said = {e.key: (e.labels, e.split) for e in list_source(path).entries}
    split = "train" if "train" in top else None
    assert said == {
        f"{top}cat/1.png": (("cat",), split),
        f"{top}cat/2.png": (("cat",), split),
        f"{top}dog/1.png": (("dog",), split),
    }
