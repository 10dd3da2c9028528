"""To be claimed, and measured on no GPU so far: embedding from JPEGs that lie in memory goes at
nine tenths of its slower stage, five times as fast as what a user would write (a DataLoader of two
workers, float32, np.save); and the network of ViT-L/14 gets half of the products of bfloat16
matrices that the GPU is able to do.

    python benchmarks/embed_gpu.py [images]
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from _common import workplace
from embed_cpu import compare, draw

IMAGES = 40_000
BY_HAND = 2_000
DRAWN = 200
LARGEST = 200_000  # bytes of one of them
MEMORY = Path("/dev/shm")
TARGETS = {"ViT-B-32": 5.0, "ViT-L-14": 5.0, "resnet50": 5.0}


def main() -> None:
    """Run it."""
    if not torch.cuda.is_available():
        print("skipped: torch finds no GPU")
        return
    count = int(sys.argv[1]) if sys.argv[1:] else IMAGES
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2 * count * LARGEST:
        tempfile.tempdir = str(MEMORY)  # else they lie in the page cache
    with workplace() as folder:
        images, first = folder / "images", folder / "first"
        draw(folder / "drawn", min(count, DRAWN))
        repeat(folder / "drawn", images, count)
        first.mkdir()
        for path in sorted(images.iterdir())[:BY_HAND]:
            os.link(path, first / path.name)
        compare(folder, images, first, TARGETS)


def repeat(drawn: Path, folder: Path, count: int) -> None:
    """Write each photograph again and again, with a note in it, by which it is another image."""
    folder.mkdir()
    some = [path.read_bytes() for path in sorted(drawn.iterdir())]
    for number in range(count):
        photograph = some[number % len(some)]
        note = number.to_bytes(4, "big")
        segment = b"\xff\xfe" + (2 + len(note)).to_bytes(2, "big") + note
        (folder / f"{number:06d}.jpg").write_bytes(photograph[:2] + segment + photograph[2:])


if __name__ == "__main__":
    main()
