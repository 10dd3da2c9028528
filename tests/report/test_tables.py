import io
import re
import shutil
from dataclasses import replace

import pytest
from rich.console import Console

from icehouse.embedder import EmbedOptions, ViewOptions, embed, list_source
from icehouse.heads import list_heads, load_head
from icehouse.report import (
    EmbedProgress,
    counts_table,
    embed_table,
    flags_table,
    heads_table,
    hits_table,
    index_table,
    indexes_table,
    overview,
    overview_tables,
    predictions_table,
)
from icehouse.review import flag, predict_files
from icehouse.search import BuildOptions, Query, build_index, list_indexes, search
from icehouse.store import IndexFiles, Store


def text(*tables, width=80):
    console = Console(width=width, file=io.StringIO())
    for table in tables:
        console.print(table)
    return console.file.getvalue()


def test_heads_fit_a_terminal_of_80_columns(fitted):
    shown = text(heads_table(list_heads(fitted, "shapes")))
    assert "…" not in shown
    for split in ("train", "val", "test"):
        assert split in shown
    assert re.search(r"\nlogistic out-of- .*\n +fold ", shown)


def test_a_number_that_no_head_has_is_no_column(fitted):
    cards = list_heads(fitted, "shapes")
    assert "top-5" not in text(heads_table(cards))
    more = {name: {**m, "top5": 0.75} for name, m in cards[0].metrics.items()}
    shown = text(heads_table([*cards, replace(cards[0], name="many", metrics=more)]))
    assert "top-5" in shown
    assert shown.count("0.750") == 4


def test_paths_keep_their_end_and_classes_are_whole(fitted, tmp_path, pictures):
    deep = tmp_path / "a-folder-with-a-long-name" / "and-another-one" / "03.png"
    deep.parent.mkdir(parents=True)
    shutil.copy(pictures / "disc/03.png", deep)
    torn = deep.with_name("torn.png")
    torn.write_bytes(b"no picture")
    found = predict_files(fitted, load_head(fitted, "shapes", "logistic"), [deep, torn])
    shown = text(predictions_table(found), width=70)
    assert "…" in shown
    assert "another-one/03.png  disc" in shown
    assert "torn.png" in shown
    assert "stripes 0." in shown


def test_names_with_square_brackets_are_shown_as_they_are(fitted, tmp_path, pictures):
    odd = tmp_path / "[red]odd[red].png"
    shutil.copy(pictures / "disc/00.png", odd)
    stored = load_head(fitted, "shapes", "logistic")
    shown = text(predictions_table(predict_files(fitted, stored, [odd])), width=200)
    assert "[red]odd[red].png" in shown
    held = overview(fitted)
    [task] = held.tasks
    odder = replace(held, tasks=[replace(task, name="[b]", classes={"[red]": 20})])
    shown = " ".join(text(*overview_tables(odder)).split())
    assert "[b] single 40 [red] 20" in shown


def test_the_embed_table_adds_up_and_names_the_limit(store, pictures, tmp_path):
    images = tmp_path / "some"
    shutil.copytree(pictures, images)
    (images / "disc" / "empty.png").touch()
    report = embed(store, list_source(images), "descriptor")
    shown = text(embed_table(report))
    assert "failed: empty" in shown
    assert report.speed.limit in shown
    assert report.inputs == report.encoded + report.reused + sum(report.errors.values())
    elsewhere = images.rename(tmp_path / "[else]")
    moved = embed(store, list_source(elsewhere), "descriptor", dataset="some")
    shown = text(embed_table(moved), width=400)
    assert f"41 inputs came from {images} until now, and come from {elsewhere}" in shown


def test_the_embed_table_is_titled_by_what_came_of_the_run(store, pictures, tmp_path):
    report = embed(store, list_source(pictures), "descriptor")
    assert text(embed_table(report)).startswith("embedded ")
    report = embed(store, list_source(pictures), "descriptor")
    assert text(embed_table(report)).startswith("nothing new to embed ")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("a")
    shown = text(embed_table(embed(store, list_source(tmp_path / "texts"), "descriptor")))
    assert shown.startswith("nothing embedded: no input could be read as a picture")
    assert "a.txt (not-an-image:" in shown


def test_flags_neighbours_and_counts_are_shown(fitted):
    report = flag(fitted, load_head(fitted, "shapes", "logistic"))
    assert f"{len(report.flags)} of 40 images flagged" in text(flags_table(report, 5))
    assert "label-unlikely" in text(counts_table(report))


def test_hits_and_indexes_are_shown(fitted):
    encoder = fitted.encoder_ids()[0]
    found = search(fitted, encoder, Query(like=("disc/00.png",)), task="shapes")
    assert found.hits[0].key in text(hits_table(found))
    assert "most similar of 39 images" in text(hits_table(found))
    card = build_index(fitted, encoder, BuildOptions(0.1, kinds=("ivf-sq",)))
    assert "chosen" in text(index_table(card))
    assert "the fastest with recall 0.1" in text(index_table(card))
    assert "ivf-sq" in text(indexes_table(list_indexes(fitted)))
    IndexFiles(fitted.files, encoder).drop()
    fitted.files.commit(f"indexes/{encoder}/index.json", b"{")
    assert "damaged" in text(indexes_table(list_indexes(fitted)))
    fitted.files.remove(f"indexes/{encoder}/index.json")


def test_an_overview_counts_what_the_store_holds(fitted):
    held = overview(fitted)
    assert [(d.name, d.inputs, d.images, d.errors) for d in held.datasets] == [
        ("shapes", 40, 40, {})
    ]
    assert [(e.name, e.vectors) for e in held.encoders] == [("descriptor", 40)]
    assert [(t.name, t.labelled, t.classes) for t in held.tasks] == [
        ("shapes", 40, {"disc": 20, "stripes": 20})
    ]
    assert [h.name for h in held.heads] == ["logistic"]
    assert "descriptor" in text(*overview_tables(held))
    card = replace(held.heads[0], found={"C": 0.0316}, thresholds=(0.25,))
    shown = text(*overview_tables(replace(held, heads=[card])))
    assert "chosen for logistic: C 0.0316, threshold of stripes 0.25" in shown


def test_a_damaged_head_is_named_beside_the_others(fitted, tmp_path):
    shutil.copytree(fitted.path, tmp_path / "copy")
    heads = tmp_path / "copy" / "heads" / "shapes"
    shutil.copytree(heads / "logistic", heads / "broken")
    (heads / "broken" / "head.json").write_text("{")
    held = overview(Store.open(tmp_path / "copy"))
    assert [card.name for card in held.heads] == ["logistic"]
    shown = " ".join(text(*overview_tables(held), width=500).split())
    assert "logistic test" in shown
    assert "damaged: " in shown
    assert "heads/shapes/broken/head.json is damaged" in shown


def test_augmented_views_are_shown_where_there_are_any(embedded, pictures):
    assert "views" not in text(*overview_tables(overview(embedded)))
    options = EmbedOptions(views=ViewOptions(2))
    embed(embedded, list_source(pictures), "descriptor", dataset="shapes", options=options)
    held = overview(embedded)
    assert [(e.vectors, e.views) for e in held.encoders] == [(40, 80)]
    assert re.search(r"vectors +views *\n.* 40 +80 ", text(*overview_tables(held), width=120))


def test_an_empty_store_has_an_overview_too(store):
    held = overview(store)
    assert (held.datasets, held.encoders, held.tasks, held.heads) == ([], [], [], [])
    text(*overview_tables(held))


def test_progress_is_written_to_stderr_alone(capsys):
    with EmbedProgress() as progress:
        progress(1, 10, 0)
        progress(10, 10, 2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("split", ["test", "out-of-fold"])
def test_one_split_has_one_row_a_head(fitted, split):
    table = heads_table(list_heads(fitted, "shapes"), split)
    assert table.row_count == 1
