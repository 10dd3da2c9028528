import csv
import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from icehouse.embedder import embed, list_source
from icehouse.errors import LookupFailed, UsageError
from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.review import FlagSettings, flag, write_flags
from icehouse.store import Store

EVERYTHING = FlagSettings(band=1.0)


def test_a_wrong_label_comes_first_with_its_reasons(mislabelled):
    report = flag(mislabelled, load_head(mislabelled, "shapes", "logistic"))
    first = report.flags[0]
    assert first.key == "disc/wrong.png"
    assert first.labels == ("disc",)
    assert first.predicted == ("stripes",)
    assert first.doubt > 0.8
    assert {"label-unlikely", "neighbours-disagree"} <= set(first.reasons)
    assert all(n.labels == ("stripes",) for n in first.neighbours)


def test_an_image_that_took_part_is_judged_out_of_fold(mislabelled):
    stored = load_head(mislabelled, "shapes", "logistic")
    report = flag(mislabelled, stored)
    assert report.flags[0].origin == "out-of-fold"
    # Having seen it, the head believes the wrong label, or doubts it far less.
    assert report.flags[0].probabilities["disc"] < 0.3


def test_no_image_is_its_own_neighbour(mislabelled):
    report = flag(mislabelled, load_head(mislabelled, "shapes", "logistic"), EVERYTHING)
    assert len(report.flags) == report.images == 40
    for each in report.flags:
        assert each.image_id not in {n.image_id for n in each.neighbours}
        similarity = [n.similarity for n in each.neighbours]
        assert similarity == sorted(similarity, reverse=True)


def test_flags_fall_in_doubt_or_rise_in_distance(mislabelled):
    stored = load_head(mislabelled, "shapes", "logistic")
    doubts = [f.doubt for f in flag(mislabelled, stored, EVERYTHING).flags]
    assert doubts == sorted(doubts, reverse=True)
    flags = flag(mislabelled, stored, EVERYTHING, order="ambiguity").flags
    distances = [abs(f.probabilities["stripes"] - 0.5) for f in flags]
    assert distances == sorted(distances)


def test_an_unknown_order_is_refused(mislabelled):
    with pytest.raises(UsageError, match="ordered by doubt or ambiguity, not by 'size'"):
        flag(mislabelled, load_head(mislabelled, "shapes", "logistic"), order="size")


def test_the_other_heads_of_the_task_are_the_committee(mislabelled):
    stored = load_head(mislabelled, "shapes", "logistic")
    assert flag(mislabelled, stored).committee == ("forest", "knn")
    assert flag(mislabelled, stored, committee=["knn"]).committee == ("knn",)
    alone = flag(mislabelled, stored, committee=[])
    assert alone.committee == ()
    assert "heads-disagree" not in alone.counts
    with pytest.raises(LookupFailed, match="no head 'mlp'"):
        flag(mislabelled, stored, committee=["mlp"])
    with pytest.raises(UsageError, match="'logistic' is the one that is asked, and would agree"):
        flag(mislabelled, stored, committee=["knn", "logistic"])


def test_counts_are_those_of_the_flags(mislabelled):
    report = flag(mislabelled, load_head(mislabelled, "shapes", "logistic"))
    for name, count in report.counts.items():
        assert count == sum(name in each.reasons for each in report.flags)


def test_unlabelled_images_are_predicted_and_others_tasks_left_out(pictures, store, tmp_path):
    images = tmp_path / "mixed"
    shutil.copytree(pictures, images)
    for number in range(3):
        shutil.move(images / "disc" / f"{number:02d}.png", images / f"loose{number}.png")
    embed(store, list_source(images), "descriptor", dataset="mixed")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.png").write_bytes((pictures / "disc" / "05.png").read_bytes() + b"\0")
    embed(store, list_source(elsewhere), "descriptor")
    fit_head(store, "logistic", options=FitOptions(task="mixed"))
    report = flag(store, load_head(store, "mixed", "logistic"), EVERYTHING)
    loose = [each for each in report.flags if each.key.startswith("loose")]
    assert len(loose) == 3
    assert {each.origin for each in loose} == {"predicted"}
    assert all(each.labels is None and "label-unlikely" not in each.reasons for each in loose)
    assert report.images == 40


def test_a_relabelled_image_is_judged_by_its_new_label(pictures, tmp_path):
    store = Store.create(tmp_path / "store")
    embed(store, list_source(pictures), "descriptor", dataset="shapes")
    stored_card = fit_head(store, "logistic", options=FitOptions(folds=5))
    image = store.find_image("disc/03.png").image_id
    store.labels.record("shapes", [(image, ("stripes",))], annotator="ann", origin="review")
    report = flag(store, load_head(store, "shapes", stored_card.name))
    assert report.flags[0].key == "disc/03.png"
    assert report.flags[0].labels == ("stripes",)


def test_multi_label_images_are_flagged_by_the_label_that_is_wrong(pictures, tmp_path):
    lines = ["path,labels"]
    for kind in ("disc", "stripes"):
        for number in range(20):
            labels = ["drawn", *([kind] if number != 4 else [])]
            lines.append(f"{pictures}/{kind}/{number:02d}.png,{';'.join(labels)}")
    manifest = tmp_path / "shapes.csv"
    manifest.write_text("\n".join(lines))
    store = Store.create(tmp_path / "store")
    embed(store, list_source(manifest), "descriptor")
    fit_head(store, "logistic")
    report = flag(store, load_head(store, "shapes", "logistic"))
    assert {each.key.rpartition("/")[2] for each in report.flags[:2]} == {"04.png"}
    assert report.flags[0].labels == ("drawn",)
    assert set(report.flags[0].predicted) > {"drawn"}


def test_flags_are_written_for_programs_and_people_alike(mislabelled, tmp_path):
    report = flag(mislabelled, load_head(mislabelled, "shapes", "logistic"))
    paths = [Path(text) for text in write_flags(report, tmp_path / "out")]
    assert [path.name for path in paths] == ["flags.parquet", "flags.csv", "flags.jsonl"]
    lines = [json.loads(line) for line in paths[2].read_text().splitlines()]
    assert lines == [json.loads(json.dumps(asdict(each))) for each in report.flags]
    table = pq.read_table(paths[0]).to_pylist()
    assert [row["image_id"] for row in table] == [line["image_id"] for line in lines]
    assert dict(table[0]["reasons"]) == pytest.approx(lines[0]["reasons"])
    assert table[0]["neighbours"][0]["labels"] == ["stripes"]
    rows = list(csv.DictReader(paths[1].read_text().splitlines()))
    assert [row["key"] for row in rows] == [line["key"] for line in lines]
    assert "label-unlikely:" in rows[0]["reasons"]
