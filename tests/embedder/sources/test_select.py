"""A part of a source is embedded, and the rest is not taken for gone."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import (
    EmbedReport,
    Listing,
    Selection,
    embed,
    list_lines,
    list_source,
    select,
)
from icehouse.errors import SourceError, UsageError
from icehouse.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures in two class folders."""
    for number in range(12):
        path = tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        path.write_bytes(buffer.getvalue())
    return tmp_path / "photos"


def chosen(folder: Path, **selection: Any) -> Listing:
    return select(list_source(folder), Selection(**selection))


def keys(listing: Listing) -> list[str]:
    return [entry.key for entry in listing.entries]


def freeze(store: Store, listing: Listing, **options: Any) -> EmbedReport:
    return embed(store, listing, "descriptor", dataset="d", **options)


def test_without_conditions_all_is_taken(folder: Path) -> None:
    assert chosen(folder) == list_source(folder)


def test_patterns_include_and_exclude_keys(folder: Path) -> None:
    assert keys(chosen(folder, include=["cat/*"], exclude=["*/0[0-7].png"])) == [
        "cat/08.png",
        "cat/10.png",
    ]
    assert keys(chosen(folder, include=["*/01.png", "*/02.png"])) == ["cat/02.png", "dog/01.png"]
    assert len(keys(chosen(folder, exclude=["CAT/*"]))) == 12


def test_patterns_that_leave_nothing_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"none of the 12 keys .* for instance, 'cat/00\.png'"):
        chosen(folder, include=["bird/*"])


@pytest.mark.parametrize("name", ["sample", "limit"])
def test_a_number_is_one_or_more(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is 1 or more, got 0"):
        Selection(**{name: 0})


def test_a_limit_takes_the_first_by_key(folder: Path) -> None:
    listing = list_source(folder)
    backwards = Listing(listing.source, listing.name, listing.entries[::-1])
    assert keys(select(backwards, Selection(limit=2))) == ["cat/02.png", "cat/00.png"]
    assert keys(select(backwards, Selection(limit=99))) == keys(backwards)


def test_a_larger_sample_only_adds(folder: Path) -> None:
    samples = [set(keys(chosen(folder, sample=number))) for number in range(1, 13)]
    assert [len(sample) for sample in samples] == list(range(1, 13))
    assert all(small < large for small, large in pairwise(samples))
    assert set(keys(chosen(folder, sample=3))) == samples[2]
    assert keys(chosen(folder, sample=12)) == keys(list_source(folder))


def test_conditions_work_together(folder: Path) -> None:
    sample = keys(chosen(folder, include=["dog/*"], sample=4))
    assert len(sample) == 4
    assert keys(chosen(folder, include=["dog/*"], sample=4, limit=2)) == sample[:2]


def test_what_is_left_out_is_not_gone(store: Store, folder: Path) -> None:
    freeze(store, list_source(folder))
    (folder / "cat" / "00.png").unlink()
    (folder / "dog" / "01.png").unlink()
    report = freeze(store, chosen(folder, include=["cat/*"]))
    assert (report.inputs, report.encoded, report.reused, report.gone) == (5, 0, 5, 2)
    assert len(store.catalog.rows("d")) == 10
    assert freeze(store, list_source(folder)).reused == 10


def test_what_is_closed_is_not_gone_from_a_part(store: Store, folder: Path) -> None:
    freeze(store, list_source(folder))
    (folder / "dog").rename(folder.with_name("away"))
    (folder / "dog").symlink_to("nowhere")
    report = freeze(store, chosen(folder, include=["cat/*"]))
    assert (report.inputs, report.reused, report.gone, report.errors) == (6, 6, 0, {})


def test_a_part_grows_to_the_whole_and_nothing_is_encoded_twice(store: Store, folder: Path) -> None:
    counts = [freeze(store, chosen(folder, sample=number)).encoded for number in (3, 3, 8)]
    assert counts == [3, 0, 5]
    report = freeze(store, list_source(folder))
    assert (report.encoded, report.reused, report.gone) == (4, 8, 0)


def test_a_part_that_shares_no_key_with_the_part_before_is_the_same_source(
    store: Store, folder: Path
) -> None:
    freeze(store, chosen(folder, include=["cat/*"]))
    moved = folder.rename(folder.with_name("moved"))
    assert freeze(store, chosen(moved, include=["dog/*"])).encoded == 6


def test_a_part_may_go_to_another_task(store: Store, folder: Path) -> None:
    freeze(store, list_source(folder))
    freeze(store, chosen(folder, include=["cat/*"]), task="other")
    assert len(store.labels.present("other")) == 12


def test_a_second_list_does_not_retire_the_first_one(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    first = list_lines([b"cat/00.png\n", b"cat/02.png\n"])
    freeze(store, first)
    with pytest.raises(UsageError, match="has no file in common with it"):
        freeze(store, list_lines([b"dog/01.png"]))
    report = freeze(store, list_lines([b"dog/01.png", b"cat/02.png"]))
    assert (report.encoded, report.reused, report.gone) == (1, 1, 1)


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(SourceError, match=r"standard input names no files; give a path or URL"):
        list_lines_of(b"\n\r\n")


def list_lines_of(text: bytes) -> Listing:
    return list_lines(io.BytesIO(text))


def test_names_in_a_list_keep_their_spaces_and_bytes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / " a b .png").write_bytes(b"x")
    listing = list_lines_of(b" a b .png\r\ncaf\xe9.png\n")
    assert keys(listing) == [" a b .png", "caf\ufffde9.png"]
    assert [entry.error for entry in listing.entries] == [None, "unreadable"]
