"""Groups of a map: of labels, of answers, of flags, of errors, and of where images are."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.embedder import embed, list_source
from icehouse.errors import UsageError
from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.review import GROUPINGS, OF_HEADS, GroupSize, flag, group
from icehouse.store import CatalogRow, ids_from_bytes, image_id

from ..conftest import draw


def images_of(store):
    [encoder] = store.encoder_ids()
    return store.features(encoder).rows().ids


def named(groups, ids):
    """Return the group of each image by its name; None for none."""
    names = [*groups.names, None]
    return {i.tobytes(): names[of] for i, of in zip(ids, groups.of.tolist(), strict=True)}


def id_of(name):
    return image_id(name.encode())


def placed(store, dataset, **splits):
    """Let images, known by their names, stand in a dataset, each in a split or in none."""
    rows = [CatalogRow(f"{name}.png", id_of(name), split=split) for name, split in splits.items()]
    store.catalog.append(dataset, rows)


def asked(*names):
    return ids_from_bytes([id_of(name) for name in names])


def test_labels_in_force_are_groups(mislabelled):
    ids = images_of(mislabelled)
    groups = group(mislabelled, ids, "label", task="shapes")
    assert (groups.by, groups.of.dtype) == ("label", np.int32)
    assert groups.names == ("disc", "stripes")  # 21 and 19
    labels = mislabelled.labels.present("shapes")
    assert named(groups, ids) == {i.tobytes(): labels[i.tobytes()][0] for i in ids}
    assert groups.sizes() == [GroupSize("disc", 21), GroupSize("stripes", 19)]


def test_a_map_of_some_images_is_grouped_in_their_order(mislabelled):
    ids = images_of(mislabelled)[[30, 2, 17]]
    labels = mislabelled.labels.present("shapes")
    groups = group(mislabelled, ids, "label", task="shapes")
    assert [groups.names[of] for of in groups.of] == [labels[i.tobytes()][0] for i in ids]


def test_images_without_a_label_are_in_no_group(store):
    store.labels.ensure_task("kinds", "single", ["a", "b"])
    store.labels.record("kinds", [(id_of("1"), ("a",))], annotator="ada", origin="review")
    groups = group(store, asked("0", "1", "2"), "label", task="kinds")
    assert (groups.names, groups.of.tolist()) == (("a",), [-1, 0, -1])
    assert groups.sizes() == [GroupSize("a", 1), GroupSize("no label", 2)]


def test_nothing_labelled_is_one_row(store):
    store.labels.ensure_task("kinds", "single", ["a", "b"])
    groups = group(store, asked("0", "1"), "label", task="kinds")
    assert groups.sizes() == [GroupSize("no label", 2)]


def test_several_labels_are_one_group_in_whatever_order_they_were_given(store):
    store.labels.ensure_task("tags", "multi", ["a", "b"])
    said = [(id_of("0"), ("a", "b")), (id_of("1"), ("b", "a")), (id_of("2"), ("b",))]
    said.append((id_of("3"), ()))
    store.labels.record("tags", said, annotator="ada", origin="review")
    groups = group(store, asked(*"01234"), "label", task="tags")
    assert groups.names == ("a + b", "b", "none of them")
    assert groups.of.tolist() == [0, 0, 1, 2, -1]
    assert groups.without == "no label"


def test_groups_go_by_size_and_then_by_name(store):
    store.labels.ensure_task("kinds", "single", ["a", "b", "c", "d"])
    said = [(id_of(str(n)), (label,)) for n, label in enumerate("bccdacd")]
    store.labels.record("kinds", said, annotator="ada", origin="review")
    groups = group(store, asked(*"0123456"), "label", task="kinds")
    assert groups.names == ("c", "d", "a", "b")
    assert [size.images for size in groups.sizes()] == [3, 2, 1, 1]


def test_answers_are_groups_out_of_fold(mislabelled):
    ids = images_of(mislabelled)
    head = load_head(mislabelled, "shapes", "logistic")
    groups = group(mislabelled, ids, "prediction", head=head)
    wrong = mislabelled.find_image("disc/wrong.png").image_id
    assert named(groups, ids)[wrong] == "stripes"  # though it has learnt that it is a disc
    flags = {f.image_id: f.predicted for f in flag(mislabelled, head).flags}
    found = named(groups, ids)
    assert all(found[bytes.fromhex(image)] == said[0] for image, said in flags.items())


def test_errors_are_answers_that_are_not_the_label(mislabelled):
    ids = images_of(mislabelled)
    head = load_head(mislabelled, "shapes", "logistic")
    groups = group(mislabelled, ids, "error", head=head)
    assert groups.names == ("right", "wrong")
    answers = named(group(mislabelled, ids, "prediction", head=head), ids)
    labels = mislabelled.labels.present("shapes")
    for image, said in named(groups, ids).items():
        assert said == ("right" if labels[image] == (answers[image],) else "wrong")
    assert named(groups, ids)[mislabelled.find_image("disc/wrong.png").image_id] == "wrong"


def test_flags_are_named_by_their_strongest_reason(mislabelled):
    ids = images_of(mislabelled)
    head = load_head(mislabelled, "shapes", "logistic")
    groups = group(mislabelled, ids, "flag", head=head)
    flags = {bytes.fromhex(f.image_id): f.reasons for f in flag(mislabelled, head).flags}
    assert flags
    for image, name in named(groups, ids).items():
        assert (name is None) == (image not in flags)
        assert name is None or flags[image][name] == max(flags[image].values())
    assert groups.sizes()[-1] == GroupSize("not flagged", 40 - len(flags))


def test_images_that_the_head_is_not_asked_about_are_in_no_group(embedded, tmp_path):
    (tmp_path / "loose").mkdir()
    draw("ramp", 1).save(tmp_path / "loose" / "ramp.png")
    embed(embedded, list_source(tmp_path / "loose"), "descriptor", dataset="loose")
    fit_head(embedded, "logistic", options=FitOptions(task="shapes", folds=5))
    head = load_head(embedded, "shapes", "logistic")
    ids, ramp = images_of(embedded), embedded.find_image("ramp.png").image_id
    for by, words in (("prediction", "not asked about"), ("error", "no label")):
        groups = group(embedded, ids, by, head=head)
        assert [image for image, name in named(groups, ids).items() if name is None] == [ramp]
        assert groups.sizes()[-1] == GroupSize(words, 1)


def test_an_image_without_a_label_gets_an_answer_but_no_verdict(embedded):
    image = embedded.find_image("disc/03.png").image_id
    event = embedded.labels.in_force("shapes")[image]
    embedded.labels.undo(event.seq, annotator="ada")
    fit_head(embedded, "logistic", options=FitOptions(folds=5))
    head, ids = load_head(embedded, "shapes", "logistic"), images_of(embedded)
    assert named(group(embedded, ids, "prediction", head=head), ids)[image] == "disc"
    assert named(group(embedded, ids, "error", head=head), ids)[image] is None


def test_answers_of_several_labels(pictures, store, tmp_path):
    lines = ["path,labels", *(f"{pictures}/disc/{n:02d}.png,round;drawn" for n in range(20))]
    lines += [f"{pictures}/stripes/{n:02d}.png," for n in range(20)]
    (tmp_path / "tags.csv").write_text("\n".join(lines))
    embed(store, list_source(tmp_path / "tags.csv"), "descriptor")
    rest = [store.find_image(f"{pictures}/stripes/{n:02d}.png").image_id for n in range(20)]
    said = [(image, ()) for image in rest]  # somebody has looked: they are neither
    store.labels.record("tags", said, annotator="ada", origin="review")
    fit_head(store, "logistic", options=FitOptions(folds=5))
    head, ids = load_head(store, "tags", "logistic"), images_of(store)
    groups = group(store, ids, "prediction", head=head)
    assert set(groups.names) == {"drawn + round", "none of them"}
    labels = group(store, ids, "label", task="tags")
    assert set(labels.names) == set(groups.names)
    given, answered = named(labels, ids), named(groups, ids)
    for image, said in named(group(store, ids, "error", head=head), ids).items():
        assert said == ("right" if given[image] == answered[image] else "wrong")


def test_an_image_in_several_datasets_is_in_a_group_of_its_own(store):
    placed(store, "zoo", x=None, y=None)
    placed(store, "farm", y=None, z=None)
    groups = group(store, asked(*"wxyz"), "dataset")
    assert named(groups, asked(*"wxyz")) == {
        id_of("w"): None, id_of("x"): "zoo", id_of("y"): "farm + zoo", id_of("z"): "farm",
    }  # fmt: skip
    assert groups.sizes()[-1] == GroupSize("no dataset", 1)


def test_splits_that_an_image_is_in_are_one_group_whatever_their_order(store):
    placed(store, "a", v="train", w="val", x="train", y="train", z=None)
    placed(store, "b", v="val", w="train", x="train", y=None, z=None)
    groups = group(store, asked(*"vwxyz"), "split")
    assert named(groups, asked(*"vwxyz")) == {
        id_of("v"): "train + val", id_of("w"): "train + val", id_of("x"): "train",
        id_of("y"): "train", id_of("z"): None,
    }  # fmt: skip
    assert groups.without == "no split"


def test_what_has_gone_and_what_could_not_be_read_is_in_no_dataset(store):
    placed(store, "a", x=None, y=None)
    store.catalog.append("a", [CatalogRow("x.png", gone=True), CatalogRow("z.png", error="empty")])
    assert group(store, asked("x", "y"), "dataset").of.tolist() == [-1, 0]


def test_what_grouping_takes_is_said(store, mislabelled):
    ids = asked("0")
    with pytest.raises(UsageError, match="by label, prediction, flag, error, dataset, split; got"):
        group(store, ids, "colour")
    for by in OF_HEADS:
        with pytest.raises(UsageError, match=f"grouping by {by} takes a head.*icehouse fit-head"):
            group(store, ids, by)
    with pytest.raises(UsageError, match="by label takes a task"):
        group(store, ids, "label")
    assert set(OF_HEADS) < set(GROUPINGS)
