"""Parts of pictures as images of their own."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from icehouse.embedder import decode, embed, list_source, open_encoder, read_again
from icehouse.errors import SourceError
from icehouse.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One photograph of 60x40 without symmetries."""
    y, x = np.mgrid[0:40, 0:60]
    pixels = np.stack([x * 4, y * 6, (x + y) * 2], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path


def manifest(folder: Path, *lines: str) -> Path:
    path = folder / "boxes.csv"
    path.write_text("\n".join(["path,label,box", *lines]))
    return path


def test_each_box_is_an_image_of_its_own(folder: Path, store: Store) -> None:
    path = manifest(
        folder,
        'photo.png,cat,"0,0,20,10"',
        'photo.png,dog,"30,5,16,24"',
        "photo.png,both,",
    )
    report = embed(store, list_source(path), "descriptor", dataset="d")
    assert (report.inputs, report.encoded) == (3, 3)
    rows = {row["key"]: row for row in store.catalog.rows("d").to_pylist()}
    assert rows.keys() == {"photo.png", "photo.png#0,0,20,10", "photo.png#30,5,16,24"}
    assert (rows["photo.png#30,5,16,24"]["width"], rows["photo.png"]["width"]) == (16, 60)
    assert rows["photo.png#0,0,20,10"]["labels"] == ["cat"]


def test_a_vector_is_that_of_the_part(folder: Path, store: Store) -> None:
    path = manifest(folder, 'photo.png,dog,"30,5,16,24"')
    report = embed(store, list_source(path), "descriptor", dataset="d")
    encoder = open_encoder("descriptor")
    whole = decode((folder / "photo.png").read_bytes())
    expected = encoder.encode(encoder.preprocess(whole[5:29, 30:46])[None])[0]
    stored = store.features(report.encoder_id).load().vectors[0]
    np.testing.assert_array_equal(stored, expected.astype(np.float16))


def test_a_box_is_of_the_upright_picture(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(folder / "photo.png") as image:
        image.rotate(90, expand=True).save(folder / "turned.png", exif=exif)
    straight, turned = (
        list_source(manifest(folder, f'{name},x,"30,5,16,24"')).entries[0].origin.read().data
        for name in ("photo.png", "turned.png")
    )
    assert straight == turned


def test_it_is_known_again_and_can_be_looked_at(folder: Path, store: Store) -> None:
    path = manifest(folder, 'photo.png,dog,"30,5,16,24"')
    embed(store, list_source(path), "descriptor", dataset="d")
    again = embed(store, list_source(path), "descriptor", dataset="d")
    assert (again.encoded, again.reused) == (0, 1)
    [place] = store.places().values()
    assert place.path is None
    assert place.source is not None
    with Image.open(io.BytesIO(read_again(place.source, place.key))) as image:
        assert image.size == (16, 24)


@pytest.mark.parametrize("box", ["50,0,20,10", "0,31,5,10", "-1,0,5,5", "0,-1,5,5", "60,40,1,1"])
def test_a_box_beyond_the_picture_is_an_error_of_its_row(
    folder: Path, store: Store, box: str
) -> None:
    path = manifest(folder, f'photo.png,x,"{box}"', 'photo.png,y,"0,0,60,40"')
    report = embed(store, list_source(path), "descriptor", dataset="d")
    assert (report.encoded, report.errors) == (1, {"not-an-image": 1})
    [failure] = report.failures
    assert failure.key == f"photo.png#{box}"
    said = f"the box {box} (x,y,width,height) reaches beyond the picture, which is 60x40"
    assert failure.detail == said


NO_BOXES = ["1,2,3", "a,b,c,d", "0,0,0,5", "0,0,5,-5", "1.5,2,3,4", "[0, 0, 5, 5]", "9" * 5000]


@pytest.mark.parametrize("box", NO_BOXES)
def test_what_is_no_box_is_an_error_of_its_row(folder: Path, store: Store, box: str) -> None:
    path = manifest(folder, f'photo.png,x,"{box}"', 'photo.png,y,"0,0,60,40"')
    for encoded in (1, 0):
        report = embed(store, list_source(path), "descriptor", dataset="d")
        assert (report.encoded, report.errors) == (encoded, {"not-an-image": 1})
        [failure] = report.failures
        assert failure.key == f"photo.png#{box}"
        assert failure.detail.startswith(f"{box!r} is no box; give x,y,width,height in pixels")


@pytest.mark.parametrize(
    "box", [[1.0, 2.0], [0.0, 0.0, math.nan, 5.0], [0.0, 0.0, math.inf, 5.0], [0.0, None, 5.0, 5.0]]
)
def test_a_list_that_is_no_box_is_an_error_of_its_row(folder: Path, box: list[float]) -> None:
    pq.write_table(pa.table({"path": ["photo.png"], "box": [box]}), folder / "boxes.parquet")
    [entry] = list_source(folder / "boxes.parquet").entries
    assert entry.error == "not-an-image"
    assert "is no box; give x,y,width,height" in (entry.detail or "")


def test_where_no_box_can_be_used_one_is_named(folder: Path, store: Store) -> None:
    path = manifest(folder, 'photo.png,x,"1,2,3"', 'photo.png,x,"4,5,6"')
    with pytest.raises(SourceError, match=r"2 not-an-image\. The first is photo\.png#1,2,3: "):
        embed(store, list_source(path), "descriptor", dataset="d")


def test_a_box_that_is_not_quoted_is_told_so(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"Expected 3 columns.* has to stand in quotes: \"x,y"):
        list_source(manifest(folder, "photo.png,x,0,0,5,5"))


def test_the_same_box_twice_is_refused(folder: Path) -> None:
    path = manifest(folder, 'photo.png,x,"0,0,5,5"', 'photo.png,y,"0, 0, 5, 5"')
    with pytest.raises(SourceError, match="rows 1 and 2 are both"):
        list_source(path)


@pytest.mark.parametrize("column", ["bbox", "bounding_box", "Bounding Box", "boxes", "Box"])
def test_a_column_that_may_have_been_meant_as_box_is_kept_and_told(
    folder: Path, store: Store, column: str
) -> None:
    (folder / "boxes.csv").write_text(f'path,{column}\nphoto.png,"0,0,5,5"\n')
    report = embed(store, list_source(folder / "boxes.csv"), "descriptor", dataset="d")
    [row] = store.catalog.rows("d").to_pylist()
    assert (row["key"], json.loads(row["extra"])) == ("photo.png", {column: "0,0,5,5"})
    [note] = report.notes
    assert note.startswith(f"the column {column!r} is kept as data and cuts nothing; where parts")


@pytest.mark.parametrize("header", ["path,box,bbox", "path,box,inbox", "path,x,inbox"])
def test_other_columns_cause_no_note(folder: Path, header: str) -> None:
    (folder / "boxes.csv").write_text(f"{header}\nphoto.png,,1\n")
    assert list_source(folder / "boxes.csv").notes == ()


def test_several_rows_of_a_picture_say_what_parts_need(folder: Path) -> None:
    (folder / "boxes.csv").write_text('path,bbox\nphoto.png,"0,0,5,5"\nphoto.png,"1,1,5,5"\n')
    with pytest.raises(SourceError, match=r"rows 1 and 2 are both .* the column 'bbox' is kept"):
        list_source(folder / "boxes.csv")


def test_parquet_may_hold_lists(folder: Path) -> None:
    columns = {"path": ["photo.png"] * 2, "box": [[0.0, 0.0, 8.2, 9.0], None]}
    pq.write_table(pa.table(columns), folder / "boxes.parquet")
    entries = list_source(folder / "boxes.parquet").entries
    assert [entry.key for entry in entries] == ["photo.png", "photo.png#0,0,8,9"]
    assert json.loads(entries[0].extra or "{}") == {}
