"""Claim: EuroSAT read as a folder, a tar, Parquet with image bytes, a manifest, and from S3 gives
five stores with the same image_ids, vectors and labels.

S3 is a moto server on this machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _common import icehouse, real, show, workplace

from icehouse.store import Store

ENCODER = "tiny"
# One engine: two agree to four digits, not bit by bit.
OPTIONS = ("--engine", "torch", "--dataset", "eurosat")
PORT = 5791


def main() -> None:
    """Run it."""
    images = real() / "eurosat"
    files = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.jpg"))
    rows, seen = [], []
    with workplace() as folder, s3(images, files) as url:
        sources = {
            "folder": images,
            "tar": as_tar(images, files, folder / "eurosat.tar"),
            "Parquet": as_parquet(images, files, folder / "eurosat.parquet"),
            "manifest": as_manifest(images, files, folder / "eurosat.csv"),
            "s3": url,
        }
        for name, source in sources.items():
            store = folder / name
            words = (
                "embed",
                source,
                "--store",
                store,
                "--encoder",
                ENCODER,
                "--dataset",
                "eurosat",
            )
            first = icehouse(*words)
            again = icehouse(*words)
            seen.append(logical(store))
            report = first.results[0]
            rows.append(
                (
                    name,
                    report["encoded"],
                    report["speed"]["achieved"],
                    first.seconds,
                    again.seconds,
                    again.results[0]["encoded"],
                    seen[-1] == seen[0],
                )
            )
    show(
        f"EuroSAT with {ENCODER}",
        ("source", "encoded", "images/s", "seconds", "again: s", "encoded", "same store"),
        rows,
    )
    if not all(each == seen[0] for each in seen):
        sys.exit(1)


def logical(path: Path) -> tuple[bytes, bytes, dict[bytes, tuple[str, ...]]]:
    """Return image_ids, vectors in their order, and labels."""
    store = Store.open(path)
    features = store.features(store.encoder_ids()[0]).load()
    order = np.argsort(features.ids)
    labels = store.labels.present("eurosat")
    return features.ids[order].tobytes(), features.vectors[order].tobytes(), labels


def as_tar(images: Path, files: list[str], out: Path) -> Path:
    """Write the files into a tar."""
    with tarfile.open(out, "w") as tar:
        for name in files:
            tar.add(images / name, name)
    return out


def as_parquet(images: Path, files: list[str], out: Path) -> Path:
    """Write the files' bytes into Parquet, 500 rows a group."""
    columns = {
        "image": [(images / name).read_bytes() for name in files],
        "label": [name.partition("/")[0] for name in files],
    }
    pq.write_table(pa.table(columns), out, row_group_size=500)
    return out


def as_manifest(images: Path, files: list[str], out: Path) -> Path:
    """Write the files' names and labels into CSV."""
    lines = [f"{images / name},{name.partition('/')[0]}" for name in files]
    out.write_text("\n".join(["path,label", *lines]))
    return out


@contextmanager
def s3(images: Path, files: list[str]) -> Iterator[str]:
    """Start a moto server, put the files into a bucket, and yield its URL."""
    import s3fs

    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(PORT)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        time.sleep(5)
        remote = s3fs.S3FileSystem()
        remote.mkdir("bucket")
        remote.put([str(images / name) for name in files], [f"bucket/eurosat/{n}" for n in files])
        yield "s3://bucket/eurosat"
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
