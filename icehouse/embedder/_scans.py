"""How often a decoder goes over the pixels of a JPEG: no file is too small to ask for more."""

from __future__ import annotations

import re

MAX_SCANS = 100
"""Encoders write about ten."""

# What a marker, which is followed by a length, begins; data between them never looks like one.
SEGMENT = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])(..)", re.DOTALL)
SEQUENTIAL, SCAN, END = (b"\xc0", b"\xc1"), b"\xda", b"\xd9"


def endless(jpeg: bytes) -> bool:
    """Whether a JPEG has more than 100 scans; what a note or the end hides is none."""
    scans, place, colours = 0, 0, b""
    while scans <= MAX_SCANS and (found := SEGMENT.search(jpeg, place)) and found[1] != END:
        body = found.end()
        if found[1] in SEQUENTIAL:
            colours = jpeg[body + 5 : body + 6]
        elif found[1] == SCAN:
            if not scans and jpeg[body : body + 1] == colours:  # all of them: no other is read
                return False
            scans += 1
        place = body - 2 + int.from_bytes(found[2], "big")
    return scans > MAX_SCANS
