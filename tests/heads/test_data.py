"""Labels joined with features; which images train and which measure."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import embed, list_source
from icehouse.errors import LookupFailed, TrainingDataError, UsageError
from icehouse.heads import Fractions, choose_task, datasets_of, load_labelled
from icehouse.heads._data import strata_of
from icehouse.heads._split import make_folds, make_split
from icehouse.store import ids_from_bytes, image_id

ENCODER = "plain-0"


def identities(n: int, prefix: str = "") -> np.ndarray:
    return np.sort(ids_from_bytes(image_id(f"{prefix}{i}".encode()) for i in range(n)))


def load(store, task="shapes", **options):
    return load_labelled(store, ENCODER, store.labels.task(task), **options)


def sides(data) -> dict[bytes, str]:
    return {i.tobytes(): str(side) for i, side in zip(data.ids, data.split, strict=True)}


def count(values) -> dict[str, int]:
    names, counts = np.unique(values, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


# The join


def test_every_row_is_an_image_with_its_own_vector_and_label(fill, shapes):
    store = fill(shapes(disc=12, stripes=9))
    data = load(store)
    features = store.features(ENCODER).load()
    vectors = {i.tobytes(): v for i, v in zip(features.ids, features.vectors, strict=True)}
    assert len(data) == 21
    assert (np.sort(data.ids) == data.ids).all()
    assert data.X.dtype == np.float16
    names = {p.image_id: p.labels[0] for p in shapes(disc=12, stripes=9)}
    for i, x, label in zip(data.ids, data.X, data.y, strict=True):
        assert (x == vectors[i.tobytes()]).all()
        assert label == names[i.tobytes()]
    assert data.classes == ("disc", "stripes")
    assert data.notes == ()


def test_unlabelled_images_are_left_out(fill, shapes, photo):
    data = load(fill([*shapes(disc=5, stripes=5), photo("a"), photo("b")]))
    assert len(data) == 10


def test_the_present_label_counts_and_one_taken_back_does_not(fill, shapes):
    photos = shapes(disc=5, stripes=5)
    store = fill(photos)
    corrected, doubted = photos[0], photos[1]
    store.labels.record(
        "shapes", [(corrected.image_id, ("stripes",))], annotator="ann", origin="review"
    )
    said = {event.image_id: event.seq for event in store.labels.events("shapes")}
    store.labels.undo(said[doubted.image_id], annotator="ann")
    data = load(store)
    assert count(data.y) == {"disc": 3, "stripes": 6}
    assert doubted.image_id not in sides(data)


def test_images_without_features_are_left_out_and_counted(fill, shapes, photo):
    missing = [photo(f"late {i}", ("disc",), vector=False) for i in range(3)]
    data = load(fill([*shapes(disc=5, stripes=5), *missing]))
    assert len(data) == 10
    assert data.notes == ("3 labelled images have no features of this encoder",)


def test_images_that_left_their_source_are_left_out(fill, shapes, photo):
    photos = shapes(disc=5, stripes=5)
    store = fill(photos)
    fill([photo(photos[0].key, gone=True, vector=False)])
    assert len(load(store)) == 9


def test_no_features_of_the_encoder_is_an_error_that_says_to_embed(fill, shapes):
    store = fill(shapes(disc=5, stripes=5))
    with pytest.raises(TrainingDataError, match=r"'shapes' has features of encoder clip-0\. Run i"):
        load_labelled(store, "clip-0", store.labels.task("shapes"))


def test_a_task_without_labels_is_an_error(fill, shapes):
    store = fill(shapes(disc=2))
    store.labels.ensure_task("empty", "single", ["a", "b"])
    with pytest.raises(TrainingDataError, match="no labelled image of task 'empty'"):
        load(store, "empty")


def test_labels_in_a_store_without_images_are_an_error(store):
    store.labels.ensure_task("shapes", "single", ["disc"])
    store.labels.record("shapes", [(b"x" * 32, ("disc",))], annotator="ann", origin="cli")
    with pytest.raises(TrainingDataError, match="no labelled image of task 'shapes'"):
        load(store)


def test_a_dataset_narrows_the_images(fill, shapes):
    fill(shapes(disc=5, stripes=5), dataset="winter")
    store = fill(shapes(first=3, disc=5, ramp=2), dataset="summer")
    assert len(load(store)) == 15  # discs 3 and 4 are in both
    summer = load(store, dataset="summer")
    assert count(summer.y) == {"disc": 5, "ramp": 2}
    assert summer.classes == ("disc", "ramp")


def test_an_unknown_dataset_is_refused_with_those_that_there_are(fill, shapes):
    store = fill(shapes(disc=5, stripes=5))
    with pytest.raises(LookupFailed, match="no dataset 'spring'; it has: shapes"):
        load(store, dataset="spring")


def test_multi_label_is_an_indicator_over_all_classes_of_the_task(fill, photo):
    photos = [photo("a", ("cat", "sun")), photo("b", ()), photo("c", ("sun",))]
    store = fill(photos, task="things", kind="multi")
    store.labels.ensure_task("things", "multi", ["never"])
    data = load(store, "things")
    assert data.classes == ("cat", "sun", "never")
    assert data.y.dtype == np.int64
    rows = {i.tobytes(): y.tolist() for i, y in zip(data.ids, data.y, strict=True)}
    assert [rows[p.image_id] for p in photos] == [[1, 1, 0], [0, 0, 0], [0, 1, 0]]


# The digest


def test_the_digest_names_the_images_their_labels_and_sides_and_the_encoder(fill, shapes, photo):
    store = fill(shapes(disc=10, stripes=10))
    before = load(store).digest
    assert load(store).digest == before
    assert load(store, seed=1).digest != before
    assert load(store, fractions=Fractions(0.5, 0.25, 0.25)).digest != before
    fill(shapes(disc=10, stripes=10), encoder="plain-1")
    other = load_labelled(store, "plain-1", store.labels.task("shapes"))
    assert (other.ids == load(store).ids).all()
    assert other.digest != before

    image = shapes(disc=1)[0].image_id
    store.labels.record("shapes", [(image, ("stripes",))], annotator="ann", origin="review")
    relabelled = load(store).digest
    assert relabelled != before
    store.labels.undo(store.labels.events("shapes")[-1].seq, annotator="ann")
    assert load(store).digest == before
    fill([photo("new", ("disc",))])
    assert load(store).digest not in (before, relabelled)


def test_the_digest_of_a_multi_label_set_changes_with_one_label(fill, photo):
    photos = [photo(f"{i}", ("cat",) if i % 2 else ("cat", "sun")) for i in range(8)]
    store = fill(photos, kind="multi")
    before = load(store).digest
    store.labels.record("shapes", [(photos[0].image_id, ("sun",))], annotator="a", origin="cli")
    assert load(store).digest != before


# The split by hash


def test_the_split_is_the_same_every_time_and_another_with_another_seed():
    ids = identities(200)
    strata = np.arange(200) % 4
    first = make_split(ids, strata, Fractions(), 0)
    assert (make_split(ids, strata, Fractions(), 0) == first).all()
    assert (make_split(ids, strata, Fractions(), 1) != first).any()


def test_the_split_follows_the_image_and_not_its_place():
    ids, strata = identities(200), np.arange(200) % 4
    order = np.random.default_rng(0).permutation(200)
    moved = make_split(ids[order], strata[order], Fractions(), 0)
    assert (moved == make_split(ids, strata, Fractions(), 0)[order]).all()


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [
        (Fractions(), {"test": 4, "train": 32, "val": 4}),
        (Fractions(0.5, 0.25, 0.25), {"test": 10, "train": 20, "val": 10}),
        (Fractions(0.9, 0.1, 0.0), {"train": 36, "val": 4}),
        (Fractions(1.0, 0.0, 0.0), {"train": 40}),
    ],
)
def test_every_class_is_divided_by_the_fractions(fractions, expected):
    strata = np.repeat(["disc", "ramp", "stripes"], 40)
    split = make_split(identities(120), strata, fractions, 0)
    for name in ("disc", "ramp", "stripes"):
        assert count(split[strata == name]) == expected


@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.01, 0.0, 0.99), (0.1, 0.45, 0.45)])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
def test_every_class_keeps_an_image_to_train_on(size, shares):
    strata = np.repeat(np.arange(5), size)
    split = make_split(identities(5 * size), strata, Fractions(*shares), 0)
    for number in range(5):
        assert "train" in split[strata == number]


def test_images_stay_where_they_are_when_others_are_added_but_for_the_border():
    ids = identities(1000)
    strata = np.zeros(1000, int)
    before = dict(zip(ids.tolist(), make_split(ids, strata, Fractions(), 0), strict=True))
    more = np.sort(np.concatenate([ids, identities(100, "new ")]))
    after = make_split(more, np.zeros(1100, int), Fractions(), 0)
    now = {i: side for i, side in zip(more.tolist(), after, strict=True) if i in before}
    moved = sum(now[i] != before[i] for i in before)
    # 10 more images are measured on each of two sides, in expectation a tenth of them new:
    # only those whose hash lies next to a border can change sides.
    assert moved <= 30
    assert set(now) == set(before)


def test_another_class_that_grows_moves_nothing_at_all():
    ids, strata = identities(300), np.arange(300) % 3
    before = make_split(ids, strata, Fractions(), 0)
    keep = (strata != 2) | (np.arange(300) % 2 == 0)
    fewer = make_split(ids[keep], strata[keep], Fractions(), 0)
    unchanged = strata[keep] != 2
    assert (fewer[unchanged] == before[keep][unchanged]).all()


def test_a_store_is_split_80_10_10_unless_told_otherwise(fill, shapes):
    store = fill(shapes(disc=40, stripes=20))
    data = load(store)
    assert count(data.split[data.y == "disc"]) == {"test": 4, "train": 32, "val": 4}
    assert count(data.split[data.y == "stripes"]) == {"test": 2, "train": 16, "val": 2}
    halves = load(store, fractions=Fractions(0.5, 0.0, 0.5))
    assert count(halves.split) == {"test": 30, "train": 30}


# The split that a source gives


def test_a_split_that_the_source_gives_is_respected(fill, shapes, photo):
    given = {
        photo(f"{name}/{i}", (name,), split): split
        for name in ("disc", "stripes")
        for i, split in enumerate(["train", "train", "val", "test", "holdout"])
    }
    data = load(fill(given))
    assert sides(data) == {p.image_id: split for p, split in given.items()}
    assert data.notes == (
        "in splits that are not train, val or test, so not used: 2 images (holdout)",
    )


def test_an_image_that_the_source_put_nowhere_trains(fill, photo):
    photos = [photo("a", ("disc",), "test"), photo("b", ("ramp",), "train"), photo("c", ("disc",))]
    assert sides(load(fill(photos)))[photos[2].image_id] == "train"


def test_an_image_on_two_sides_of_the_source_only_trains_and_a_note_says_so(fill, photo):
    other = photo("c", ("disc",), "train")
    fill([photo("a", ("disc",), "test"), photo("b", ("ramp",), "test"), other])
    store = fill([photo("a", ("disc",), "val"), photo("b", ("ramp",), "test")], dataset="copy")
    data = load(store)
    where = sides(data)
    assert where[photo("a").image_id] == "train"
    assert where[photo("b").image_id] == "test"
    assert data.notes == ("in several splits of the source, so only trained on: 1 images",)
    # Within one dataset it stands on one side.
    alone = load(store, dataset="copy")
    assert sides(alone)[photo("a").image_id] == "val"
    assert alone.notes == ()


def test_fractions_beside_a_given_split_are_not_used_and_a_note_says_so(fill, photo):
    photos = [photo("a", ("disc",), "test"), photo("b", ("ramp",), "train")]
    data = load(fill(photos), fractions=Fractions(0.5, 0.25, 0.25))
    assert sides(data) == {photos[0].image_id: "test", photos[1].image_id: "train"}
    assert data.notes == ("the source gives the split; --split was not used",)


def test_a_split_of_images_without_labels_leaves_the_split_to_the_hash(fill, shapes, photo):
    data = load(fill([*shapes(disc=20, stripes=20), photo("a", None, "test")]))
    assert count(data.split) == {"test": 4, "train": 32, "val": 4}


# Fractions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80/10/10", (0.8, 0.1, 0.1)),
        ("75/15/10", (0.75, 0.15, 0.1)),
        ("1/0/0", (1.0, 0.0, 0.0)),
        ("0.5/0.25/0.25", (0.5, 0.25, 0.25)),
        (" 80 / 10 / 10 ", (0.8, 0.1, 0.1)),
        ("33.3/33.3/33.4", (0.333, 0.333, 0.334)),
    ],
)
def test_fractions_are_read_as_shares(text, expected):
    shares = Fractions.parse(text)
    assert (shares.train, shares.val, shares.test) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["", "80", "80/20", "80/10/5/5", "80/-10/30", "0/50/50", "80/ten/10", "80,10,10"]
)
def test_what_is_no_split_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"TRAIN/VAL/TEST such as 75/15/10, got '"):
        Fractions.parse(text)


@pytest.mark.parametrize(
    ("text", "total"), [("50/50/50", "150"), ("8/1/1", "10"), ("0.5/0.5/0.5", "1.5")]
)
def test_shares_of_something_else_than_all_are_refused(text, total):
    with pytest.raises(UsageError, match=rf"add up to 100, such as .*; {text} adds up to {total}$"):
        Fractions.parse(text)


@pytest.mark.parametrize("text", ["nan/1/1", "1/nan/1", "inf/1/1"])
def test_shares_that_are_not_finite_are_refused(text):
    with pytest.raises(UsageError, match="TRAIN/VAL/TEST such as"):
        Fractions.parse(text)


# Folds and strata


@pytest.mark.parametrize("folds", [2, 3, 5, 10])
def test_folds_are_stratified_and_of_nearly_equal_size(folds):
    strata = np.repeat(np.arange(6), [31, 17, 9, 5, 2, 1])
    fold = make_folds(identities(65), strata, folds, 0)
    assert set(fold.tolist()) == set(range(folds))
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    for stratum in range(6):
        dealt = np.bincount(fold[strata == stratum], minlength=folds)
        assert dealt.max() - dealt.min() <= 1


def test_folds_are_the_same_every_time_wherever_the_image_stands():
    ids, strata = identities(100), np.arange(100) % 3
    fold = make_folds(ids, strata, 5, 0)
    order = np.random.default_rng(0).permutation(100)
    assert (make_folds(ids[order], strata[order], 5, 0) == fold[order]).all()
    assert (make_folds(ids, strata, 5, 1) != fold).any()


def test_the_stratum_of_a_multi_label_image_is_its_rarest_label(labelled):
    y = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0]])
    # Five have the first label, three the second and two the third.
    assert strata_of(labelled(y)).tolist() == [1, 2, 2, 1, -1, 0]


def test_the_stratum_of_a_single_label_image_is_its_class(labelled):
    y = np.array(["disc", "ramp", "disc"])
    assert strata_of(labelled(y)).tolist() == y.tolist()


def test_multi_label_splits_are_stratified_by_the_rarest_label(fill, photo):
    photos = [photo(f"plain {i}", ("cat",)) for i in range(60)]
    photos += [photo(f"rare {i}", ("cat", "sun")) for i in range(20)]
    photos += [photo(f"none {i}", ()) for i in range(20)]
    data = load(fill(photos, kind="multi"))
    rare = data.y[:, list(data.classes).index("sun")] == 1
    assert count(data.split[rare]) == {"test": 2, "train": 16, "val": 2}
    assert count(data.split[~data.y.any(axis=1)]) == {"test": 2, "train": 16, "val": 2}


# Which task


def test_the_only_task_needs_no_name(fill, shapes):
    assert choose_task(fill(shapes(disc=2))).name == "shapes"


def test_a_task_is_found_by_name(fill, shapes):
    store = fill(shapes(disc=2))
    store.labels.ensure_task("colour", "multi", ["red"])
    assert choose_task(store, "colour").kind == "multi"


def test_several_tasks_are_listed_for_a_choice(fill, shapes):
    store = fill(shapes(disc=2))
    store.labels.ensure_task("colour", "multi", ["red"])
    with pytest.raises(LookupFailed, match="several tasks; choose one with --task: colour, shapes"):
        choose_task(store)


def test_a_store_without_labels_says_how_to_get_some(store):
    with pytest.raises(LookupFailed, match=r"the store has no labels\. Embed class folders, or a"):
        choose_task(store)
    assert not store.has_labels


def test_an_unknown_task_is_refused_with_those_that_there_are(fill, shapes):
    with pytest.raises(LookupFailed, match="no task 'colour'; it has: shapes"):
        choose_task(fill(shapes(disc=2)), "colour")


def test_looking_for_a_task_writes_nothing(store):
    with pytest.raises(LookupFailed, match="no task 'colour'; it has: none"):
        choose_task(store, "colour")
    assert not store.has_labels


def test_the_split_of_another_datasets_manifest_is_none_of_the_task(fill, shapes, photo):
    fill(shapes(disc=20, stripes=20))
    listed = [photo("disc/0", ("disc",), "train"), photo("stripes/0", ("stripes",), "test")]
    data = load(fill(listed, dataset="listed", task="listed"))
    assert {s: int((data.split == s).sum()) for s in ("train", "val", "test")} == {
        "train": 32,
        "val": 4,
        "test": 4,
    }


def test_labels_of_images_that_no_source_labels_are_learnt_from(store, pictures, tmp_path):
    (tmp_path / "new").mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "new" / f"{number}.png")
    embed(store, list_source(pictures), "descriptor", dataset="shapes")
    report = embed(store, list_source(tmp_path / "new"), "descriptor", dataset="new")

    def images() -> int:
        return len(load_labelled(store, report.encoder_id, store.labels.task("shapes")))

    assert datasets_of(store, "shapes") == ["shapes"]
    assert images() == 40
    place = next(place for place in store.places().values() if place.dataset == "new")
    said = [(place.image_id, ("disc",))]
    store.labels.record("shapes", said, annotator="ann", origin="review")
    assert datasets_of(store, "shapes") == ["new", "shapes"]
    assert images() == 41
