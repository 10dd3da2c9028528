"""What lies where in a tar: headers are read, bodies are passed over.

Python's tarfile ends silently at a header that is damaged. This reader says what is wrong, looks
for the next sound header, and goes on there.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from icehouse.embedder.sources._origins import Blob
from icehouse.errors import ImageErrorKind, SourceError

BLOCK = 512
MAX_HEADER = 2**20
"""Bytes of an extended header; a name takes some hundred."""
WINDOW = 2**20
MAGIC, MAGIC_AT = b"ustar", 257
GZIP = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
NO_BODY = (
    tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)  # fmt: skip
LONG_NAME, LONG_LINK = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK
EXTENDED = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
HEADERS = (LONG_NAME, LONG_LINK, tarfile.XGLTYPE, *EXTENDED)


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a tar, or a place in it that cannot be read.

    Attributes
    ----------
    name : str
        Empty where a damaged header hides it.
    at : int
        Of its header, in bytes.
    start, size : int
        Of its body.
    type : bytes
        As the tar format has it.
    target : str
        That a link leads to.
    error, detail : str or None
        What is wrong with it.
    """

    name: str
    at: int
    start: int = 0
    size: int = 0
    type: bytes = tarfile.REGTYPE
    target: str = ""
    error: ImageErrorKind | None = None
    detail: str | None = None


@dataclass
class _Ahead:
    """What extended headers say of the member that follows them."""

    name: str | None = None
    real_name: str | None = None
    target: str | None = None
    size: int | None = None
    sparse: bool = False
    damage: str | None = None


def members(blob: Blob) -> Iterator[Member]:
    """Yield the members of a tar in their order, folders left out.

    Raises
    ------
    SourceError
        It is compressed.
    ImageError
        A part of it could not be read by the system.
    """
    at: int | None = 0
    ahead = _Ahead()
    while at is not None:
        head = blob.read(at, BLOCK)
        if at == 0:
            _refuse_compressed(blob, head)
        if len(head) < BLOCK:
            where = "in the middle of a header" if head else "without its end mark"
            detail = f"the archive ends {where}; images may be missing"
            yield Member("", at, error=ImageErrorKind.TRUNCATED, detail=detail)
            return
        if not any(head):  # the end, unless archives were strung together
            at = _next_header(blob, at + BLOCK)
            continue
        info, body = _parse(head), at + BLOCK
        if info is None or (info.type in HEADERS and info.size > min(MAX_HEADER, blob.size - body)):
            yield _damaged(at, "a damaged header")
            at, ahead = _next_header(blob, at + 1), _Ahead()
            continue
        if info.type in HEADERS:
            _extend(ahead, info.type, blob.read(body, info.size))
            at = body + _padded(info.size)
            continue
        if info.type == tarfile.GNUTYPE_SPARSE:
            ahead.sparse = True
            body = _after_sparse_map(blob, at, head)
        member = _member(info, ahead, at, body, blob.size)
        if info.type != tarfile.DIRTYPE:
            yield member
        ahead = _Ahead()
        if member.error is ImageErrorKind.TRUNCATED:  # or a damaged size: more may follow
            at = _next_header(blob, body)
        else:
            at = body + _padded(member.size)


@dataclass(frozen=True, slots=True)
class _Header:
    """What one block of 512 bytes says of a member."""

    name: str
    size: int
    type: bytes
    target: str


def _parse(head: bytes) -> _Header | None:
    """Read a header; None where its checksum or a number is wrong."""
    try:
        size, told = _number(head[124:136]), _number(head[148:156])
    except ValueError:
        return None
    total = sum(head) - sum(head[148:156]) + 8 * ord(" ")
    if told != total:  # some old programs took the bytes for signed ones
        high = sum(byte > 127 for byte in head[:148] + head[156:])
        if told != total - 256 * high:
            return None
    name, kind = _text(head[:100]), head[156:157]
    if head[257:263] == b"ustar\0" and head[345]:
        name = f"{_text(head[345:500])}/{name}"
    if kind == tarfile.AREGTYPE and name.endswith("/"):
        kind = tarfile.DIRTYPE
    return _Header(name, size, kind, _text(head[157:257]))


def _number(digits: bytes) -> int:
    """Read a number: octal digits, or after a byte 128 in base 256."""
    if digits[0] == 0x80:
        return int.from_bytes(digits[1:])
    number = int(digits.split(b"\0", 1)[0].strip() or b"0", 8)
    if number < 0:
        raise ValueError("negative")
    return number


def _member(info: _Header, ahead: _Ahead, at: int, body: int, end: int) -> Member:
    size = info.size if ahead.size is None else ahead.size
    size = 0 if info.type in NO_BODY else size
    error = detail = None
    if ahead.damage:
        error, detail = ImageErrorKind.CORRUPT, ahead.damage
    elif ahead.sparse:
        error = ImageErrorKind.NOT_A_FILE
        detail = "a sparse member; write the archive without --sparse"
    if body + size > end:
        error, left = ImageErrorKind.TRUNCATED, max(0, end - body)
        detail = f"the archive ends after {left} of its {size} bytes"
    name, target = ahead.real_name or ahead.name or info.name, ahead.target or info.target
    return Member(name, at, body, size, info.type, target, error, detail)


def _damaged(at: int, detail: str) -> Member:
    return Member("", at, error=ImageErrorKind.CORRUPT, detail=f"{detail} at byte {at}")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _extend(ahead: _Ahead, kind: bytes, body: bytes) -> None:
    if kind == LONG_NAME:
        ahead.name = _text(body)
    elif kind == LONG_LINK:
        ahead.target = _text(body)
    elif kind in EXTENDED:
        try:
            for key, value in _records(body):
                if key == b"GNU.sparse.name":
                    ahead.real_name = _text(value)
                elif key == b"path":
                    ahead.name = _text(value)
                elif key == b"linkpath":
                    ahead.target = _text(value)
                elif key == b"size":
                    ahead.size = max(0, int(value))
                ahead.sparse |= key.startswith(b"GNU.sparse")
        except ValueError as error:
            ahead.damage = f"a damaged extended header ({error})"


def _records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the pairs of a PAX header: lines of ``LENGTH KEY=VALUE``."""
    at = 0
    while at < len(body) and body[at]:
        digits = body[at:].split(b" ", 1)[0]
        length = int(digits)
        if length <= len(digits):
            raise ValueError(f"a record of {length} bytes")
        key, equals, value = body[at + len(digits) + 1 : at + length - 1].partition(b"=")
        if not equals:
            raise ValueError(f"no '=' in a record of {length} bytes")
        yield key, value
        at += length


def _text(name: bytes) -> str:
    return name.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _after_sparse_map(blob: Blob, at: int, head: bytes) -> int:
    at, more = at + BLOCK, head[482]
    while more and at < blob.size:
        block = blob.read(at, BLOCK)
        at, more = at + BLOCK, block[504] if len(block) == BLOCK else 0
    return at


def _next_header(blob: Blob, at: int) -> int | None:
    """Return where the next sound header begins, at whatever distance, if there is one."""
    while True:
        window = blob.read(at, WINDOW)
        found = window.find(MAGIC, MAGIC_AT)
        while found >= 0 and found - MAGIC_AT + BLOCK <= len(window):
            if _parse(window[found - MAGIC_AT : found - MAGIC_AT + BLOCK]) is not None:
                return at + found - MAGIC_AT
            found = window.find(MAGIC, found + 1)
        if at + len(window) >= blob.size:
            return None
        at += len(window) - BLOCK


def _refuse_compressed(blob: Blob, head: bytes) -> None:
    if head.startswith(GZIP):
        raise SourceError(
            f"{blob.name} is compressed, so that its members cannot be read one by one. Unpack "
            "the compression and keep the tar, for instance: gunzip FILE.tar.gz"
        )
