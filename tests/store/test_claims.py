"""What sources say becomes events once, and never overrides a person."""

from __future__ import annotations

import pytest

from icehouse.errors import UsageError
from icehouse.store import CatalogRow, Store, image_id, record_claims
from icehouse.store._claims import Claims

A, B = image_id(b"a"), image_id(b"b")


@pytest.fixture
def claims(store):
    """Write rows of a dataset, as (key, image, labels), and record what they claim."""
    store.labels.ensure_task("animal", "single", ["cat", "dog", "owl"])
    store.labels.ensure_task("tags", "multi", ["cat", "dog", "owl"])

    def write(*rows, dataset="photos", task="animal"):
        listed = {key for key, _, _ in rows}
        known = store.catalog.datasets()
        before = store.catalog.rows(dataset)["key"].to_pylist() if dataset in known else []
        gone = [CatalogRow(key, gone=True) for key in before if key not in listed]
        new = [CatalogRow(key, image_id=image, labels=labels) for key, image, labels in rows]
        store.catalog.append(dataset, [*new, *gone])
        return record_claims(store.catalog, store.labels, dataset, task).events

    return write


def person(store: Store, image: bytes, label: str) -> None:
    store.labels.record("animal", [(image, (label,))], annotator="ann", origin="review")


def test_what_a_source_says_is_recorded_once(store, claims):
    rows = [("1.jpg", A, ("cat",)), ("2.jpg", B, ("dog",)), ("3.jpg", B, None)]
    assert claims(*rows) == 2
    assert claims(*rows) == 0
    assert [
        (e.image_id, e.labels, e.annotator, e.origin) for e in store.labels.events("animal")
    ] == [
        (B, ("dog",), "photos", "source"),
        (A, ("cat",), "photos", "source"),
    ]


def test_renamed_files_say_nothing_new(store, claims):
    claims(("1.jpg", A, ("cat",)))
    person(store, A, "dog")
    assert claims(("renamed.jpg", A, ("cat",))) == 0
    assert store.labels.present("animal") == {A: ("dog",)}


def test_a_file_moved_to_another_class_and_back_is_news_twice(store, claims):
    claims(("cat/1.jpg", A, ("cat",)))
    assert claims(("dog/1.jpg", A, ("dog",))) == 1
    assert claims(("cat/1.jpg", A, ("cat",))) == 1
    assert store.labels.present("animal") == {A: ("cat",)}


def test_a_repeated_claim_does_not_bring_back_what_a_person_took_back(store, claims):
    claims(("1.jpg", A, ("cat",)))
    store.labels.undo(store.labels.events("animal")[0].seq, annotator="ann")
    assert claims(("1.jpg", A, ("cat",))) == 0
    assert store.labels.present("animal") == {}


def test_copies_under_two_labels_have_the_first_and_a_note(store, claims):
    rows = [("cat/1.jpg", A, ("cat",)), ("dog/1.jpg", A, ("dog",))]
    claims(*rows)
    event = store.labels.events("animal")[0]
    assert (event.labels, event.note) == (("cat",), "the source also says: dog")
    person(store, A, "owl")
    assert claims(*rows) == 0
    assert store.labels.present("animal") == {A: ("owl",)}
    assert claims(rows[1]) == 1  # the wrong copy was removed
    assert store.labels.present("animal") == {A: ("dog",)}


def test_images_under_several_labels_are_named_by_their_first_key_each_time(store, claims):
    claims(
        ("dog/1.jpg", A, ("dog",)),
        ("cat/1.jpg", A, ("cat",)),
        ("cat/2.jpg", A, ("cat",)),
        ("owl/1.jpg", B, ("owl",)),
        ("owl/2.jpg", B, ("owl",)),
    )
    again = record_claims(store.catalog, store.labels, "photos", "animal")
    assert again == Claims(0, (("cat/1.jpg", ("cat", "dog")),))


def test_in_a_multi_label_task_copies_add_up(store, claims):
    claims(("1.jpg", A, ("cat",)), ("2.jpg", A, ("dog", "cat")), ("3.jpg", B, ()), task="tags")
    assert record_claims(store.catalog, store.labels, "photos", "tags").contested == ()
    assert store.labels.present("tags") == {A: ("cat", "dog"), B: ()}


def test_two_sources_that_disagree_may_both_be_read_again(store, claims):
    claims(("1.jpg", A, ("cat",)))
    claims(("1.jpg", A, ("dog",)), dataset="others")
    person(store, A, "owl")
    assert claims(("1.jpg", A, ("cat",))) == 0
    assert claims(("1.jpg", A, ("dog",)), dataset="others") == 0
    assert store.labels.present("animal") == {A: ("owl",)}


def test_a_source_is_held_to_the_classes(store, claims):
    with pytest.raises(UsageError, match=r"\['bee'\] not among the classes"):
        claims(("1.jpg", A, ("bee",)))
