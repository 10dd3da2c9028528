"""What a run has to do: no more than what changed."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from icehouse.embedder import Entry, Listing, LocalFile
from icehouse.embedder._known import Known
from icehouse.embedder._plan import Plan, error_row, make_plan, refuse_stranger
from icehouse.embedder._views import Coverage, Wanted
from icehouse.embedder.sources import columns_of
from icehouse.errors import ImageErrorKind, UsageError
from icehouse.store import CatalogRow, Store

ID = bytes(range(32))
SEEN = Entry(
    "a.png", LocalFile("/photos/a.png"), bytes=10, mtime_ns=20, labels=("cat",), split="val"
)
KNOWN = CatalogRow(
    key="a.png",
    image_id=ID,
    width=4,
    height=3,
    format="PNG",
    bytes=10,
    mtime_ns=20,
    labels=("cat",),
    split="val",
    source="/photos",
)
FAILED = replace(
    KNOWN, image_id=None, width=None, height=None, format=None, error="truncated", error_detail="!"
)


def plan_of(
    *entries: Entry,
    known: tuple[CatalogRow, ...] = (),
    done: frozenset[bytes] = frozenset({ID}),
    source: str = "/photos",
    retry_errors: bool = False,
) -> Plan:
    listing = Listing(source, "photos", list(entries))
    coverage = Coverage(dict.fromkeys(done, 1))
    return make_plan(listing, known_of(*known), coverage, retry_errors=retry_errors)


def known_of(*rows: CatalogRow) -> Known:
    return Known(CatalogRow.to_table(rows, "photos"))


def test_what_is_new_is_read() -> None:
    plan = plan_of(SEEN)
    assert plan.todo == [SEEN]
    assert (plan.rows, plan.reused, plan.gone, dict(plan.errors)) == ([], 0, 0, {})


def test_what_is_unchanged_needs_nothing() -> None:
    plan = plan_of(SEEN, known=(KNOWN,))
    assert (plan.todo, plan.rows, plan.reused) == ([], [], 1)


@pytest.mark.parametrize("change", [{"bytes": 11}, {"mtime_ns": 21}])
def test_another_size_or_time_is_read_again(change: dict[str, int]) -> None:
    entry = replace(SEEN, **change)
    assert plan_of(entry, known=(KNOWN,)).todo == [entry]


def test_an_image_without_a_vector_of_this_encoder_is_read() -> None:
    plan = plan_of(SEEN, known=(KNOWN,), done=frozenset())
    assert (plan.todo, plan.reused) == ([SEEN], 0)


@pytest.mark.parametrize(
    "change",
    [{"labels": ("dog",)}, {"labels": ()}, {"labels": None}, {"split": "test"}, {"extra": "{}"}],
    ids=str,
)
def test_what_the_source_says_anew_is_noted_without_reading(change: dict[str, object]) -> None:
    plan = plan_of(replace(SEEN, **change), known=(KNOWN,))
    assert (plan.todo, plan.reused) == ([], 1)
    assert plan.rows == [replace(KNOWN, **change)]


def test_a_source_that_moved_is_noted_without_reading() -> None:
    plan = plan_of(SEEN, known=(KNOWN,), source="/elsewhere")
    assert plan.todo == []
    assert plan.rows == [replace(KNOWN, source="/elsewhere")]
    assert plan.moved == {"/photos": 1}
    assert not plan_of(SEEN, known=(KNOWN,)).moved
    assert not plan_of(SEEN, known=(replace(KNOWN, source=None),)).moved


def test_what_could_not_be_decoded_is_not_read_again() -> None:
    plan = plan_of(SEEN, known=(FAILED,))
    assert (plan.todo, plan.rows, plan.reused) == ([], [], 0)
    assert dict(plan.errors) == {"truncated": 1}


def test_what_could_not_be_decoded_is_read_again_on_request() -> None:
    plan = plan_of(SEEN, known=(FAILED,), retry_errors=True)
    assert (plan.todo, dict(plan.errors)) == ([SEEN], {})


@pytest.mark.parametrize("kind", ["unreadable", "not-a-file", "too-large"])
def test_what_the_system_or_a_limit_refused_is_always_read_again(kind: str) -> None:
    assert plan_of(SEEN, known=(replace(FAILED, error=kind),)).todo == [SEEN]


@pytest.mark.parametrize("kind", list(ImageErrorKind))
def test_only_what_the_system_or_a_limit_refused_is_transient(kind: ImageErrorKind) -> None:
    assert kind.transient == (kind.value in ("unreadable", "not-a-file", "too-large"))


def test_new_labels_of_what_cannot_be_decoded_are_noted() -> None:
    plan = plan_of(replace(SEEN, labels=("dog",)), known=(FAILED,))
    assert plan.rows == [replace(FAILED, labels=("dog",))]


BROKEN = replace(
    SEEN,
    bytes=None,
    mtime_ns=None,
    error=ImageErrorKind.NOT_A_FILE,
    detail="a link to nothing",
)


def test_what_is_wrong_at_first_sight_is_a_row_and_is_not_read() -> None:
    plan = plan_of(BROKEN)
    assert (plan.todo, dict(plan.errors)) == ([], {"not-a-file": 1})
    [row] = plan.rows
    assert (row.image_id, row.error, row.error_detail) == (None, "not-a-file", "a link to nothing")
    assert (row.labels, row.split, row.source) == (("cat",), "val", "/photos")


def test_what_is_still_wrong_is_counted_and_not_noted_again() -> None:
    [row] = plan_of(BROKEN).rows
    plan = plan_of(BROKEN, known=(row,))
    assert (plan.rows, dict(plan.errors)) == ([], {"not-a-file": 1})


def test_an_image_that_became_a_broken_link_loses_its_identity() -> None:
    [row] = plan_of(BROKEN, known=(KNOWN,)).rows
    assert row.image_id is None
    assert row.error == "not-a-file"


def test_keys_that_the_source_lost_are_gone() -> None:
    plan = plan_of(replace(SEEN, key="b.png"), known=(KNOWN,))
    assert plan.rows == [replace(KNOWN, gone=True)]
    assert plan.gone == 1


@pytest.mark.parametrize(
    ("key", "gone"),
    [
        ("cat/a.png", False),
        ("cat/deep/a.png", False),
        ("dog/deep/a.png", False),
        ("dog/a.png", True),
        ("cats/a.png", True),
        ("cat", True),
        ("a.png", False),
    ],
)
def test_keys_below_a_folder_that_is_closed_are_not_gone(key: str, gone: bool) -> None:
    closed, left_out = frozenset({"cat", "dog/deep"}), frozenset({"a.png"})
    listing = Listing("/photos", "photos", [], left_out=left_out, closed=closed)
    plan = make_plan(listing, known_of(replace(KNOWN, key=key)), Coverage({ID: 1}))
    assert plan.gone == len(plan.rows) == gone


def test_every_input_is_counted_once() -> None:
    entries = [replace(SEEN, key=f"{name}.png") for name in "abcd"]
    known = (
        replace(KNOWN, key="a.png"),
        replace(FAILED, key="b.png"),
        replace(KNOWN, key="c.png", bytes=1),
        replace(KNOWN, key="z.png"),
    )
    plan = plan_of(*entries, replace(BROKEN, key="e.png"), known=known)
    assert len(plan.todo) + plan.reused + sum(plan.errors.values()) == 5
    assert [entry.key for entry in plan.todo] == ["c.png", "d.png"]
    assert plan.gone == 1


def test_the_row_of_an_error_says_all_that_is_known() -> None:
    row = error_row(replace(SEEN, extra='{"a": 1}'), "/photos", ImageErrorKind.EMPTY, "0 bytes")
    assert row == CatalogRow(
        key="a.png",
        error="empty",
        error_detail="0 bytes",
        bytes=10,
        mtime_ns=20,
        labels=("cat",),
        split="val",
        extra='{"a": 1}',
        source="/photos",
    )


def test_a_dataset_that_the_store_has_not_met_has_no_rows(store: Store) -> None:
    known = Known.of(store, "photos")
    assert (len(known), known.sources) == (0, set())
    assert list(known.rows(pa.array(["a.png"]))) == [None]


def test_rows_come_back_from_the_store_as_they_went_in(store: Store) -> None:
    other = replace(KNOWN, key="b.png", labels=(), extra='{"x": "ü"}')
    lost = replace(KNOWN, key="c.png", gone=True)
    store.catalog.append("photos", [KNOWN, other, FAILED, lost])
    keys = pa.array(["b.png", "c.png", "a.png"])
    assert list(Known.of(store, "photos").rows(keys)) == [other, None, FAILED]


def test_a_source_with_nothing_in_common_is_refused() -> None:
    stranger = Listing("/holidays", "photos", [replace(SEEN, key="b.png")])
    with pytest.raises(
        UsageError, match="'photos' was made from /photos, and /holidays has no file in common"
    ):
        refuse_stranger("photos", stranger, known_of(KNOWN))


@pytest.mark.parametrize(
    ("source", "key", "known"),
    [("/holidays", "b.png", ()), ("/photos", "b.png", (KNOWN,)), ("/moved", "a.png", (KNOWN,))],
    ids=["a new dataset", "all files replaced", "a folder that moved"],
)  # fmt: skip
def test_a_source_with_something_in_common_is_taken(
    source: str, key: str, known: tuple[CatalogRow, ...]
) -> None:
    refuse_stranger("photos", Listing(source, "photos", [replace(SEEN, key=key)]), known_of(*known))


OTHERS = {
    "bytes": replace(SEEN, bytes=11),
    "time": replace(SEEN, mtime_ns=21),
    "no time": replace(SEEN, mtime_ns=None),
    "fewer labels": replace(SEEN, labels=()),
    "no labels": replace(SEEN, labels=None),
    "more labels": replace(SEEN, labels=("cat", "dog")),
    "other labels": replace(SEEN, labels=("dog",)),
    "split": replace(SEEN, split=None),
    "extra": replace(SEEN, extra="{}"),
    "error": replace(SEEN, error=ImageErrorKind.EMPTY),
    "key": replace(SEEN, key="z.png"),
}


def test_only_what_is_the_same_in_all_respects_is_unchanged() -> None:
    entries = [replace(SEEN, bytes=None), *OTHERS.values(), SEEN]
    said = columns_of(entries)
    expected = [True, *[False] * len(OTHERS), True]
    assert known_of(KNOWN).unchanged(said, "/photos", {ID}).tolist() == expected


def test_nothing_is_unchanged_without_an_image_that_is_held_or_from_elsewhere() -> None:
    said = columns_of([SEEN])
    assert known_of(KNOWN).unchanged(said, "/photos", {ID}).all()
    assert not known_of(KNOWN).unchanged(said, "/photos", set()).any()
    assert not known_of(KNOWN).unchanged(said, "/elsewhere", {ID}).any()
    assert not known_of(FAILED).unchanged(said, "/photos", {ID}).any()
    assert not known_of(replace(KNOWN, source=None)).unchanged(said, "/photos", {ID}).any()
    assert not known_of().unchanged(said, "/photos", {ID}).any()


def test_many_labels_are_compared_image_by_image() -> None:
    labels = [("a", "b"), (), None, ("b", "c"), ("c", "d", "e"), ("f",)]
    rows = [replace(KNOWN, key=str(n), labels=some) for n, some in enumerate(labels)]
    labels[0], labels[4] = ("a", "x"), ("c", "d", "x")
    entries = [replace(SEEN, key=str(n), labels=some) for n, some in enumerate(labels)]
    same = known_of(*rows).unchanged(columns_of(entries[::-1]), "/photos", {ID})
    assert same.tolist()[::-1] == [False, True, True, True, False, True]


def test_views_that_are_wanted_of_what_is_unchanged_are_made() -> None:
    listing = Listing("/photos", "photos", [SEEN])
    coverage = Coverage({ID: 1}, Wanted(2))
    plan = make_plan(listing, known_of(KNOWN), coverage)
    assert (plan.todo, plan.reused) == ([], 1)  # it is in val
    listing = Listing("/photos", "photos", [replace(SEEN, split=None)])
    plan = make_plan(listing, known_of(replace(KNOWN, split=None)), coverage)
    assert (len(plan.todo), plan.reused) == (1, 0)
