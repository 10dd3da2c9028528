"""Merging label logs: everything comes over once, both sides agree, and no conflict is silent."""

from __future__ import annotations

from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icehouse.errors import LookupFailed, UsageError
from icehouse.store import LabelLog, merge_labels
from icehouse.store._label_url import label_url

A, B, C = (bytes([number]) * 32 for number in range(3))


@pytest.fixture
def logs(tmp_path: Path) -> tuple[LabelLog, LabelLog]:
    return new_log(tmp_path / "ours.sqlite"), new_log(tmp_path / "theirs.sqlite")


def new_log(path: Path | str) -> LabelLog:
    log = LabelLog(label_url(path if isinstance(path, str) else f"sqlite:///{path}"))
    log.ensure_task("animal", "single", ["cat", "dog", "owl"])
    return log


def say(log: LabelLog, image: bytes, label: str, who: str = "ann", origin: str = "review") -> int:
    log.record("animal", [(image, (label,))], annotator=who, origin=origin)
    return log.events("animal")[-1].seq


def present(log: LabelLog) -> dict[bytes, str]:
    return {image: label for image, (label,) in log.present("animal").items()}


def test_what_is_new_comes_over_and_a_second_time_nothing(logs: Any, url: str) -> None:
    ours, theirs = new_log(url), logs[1]
    theirs.ensure_task("animal", "single", ["ant"])
    say(ours, A, "cat")
    say(theirs, B, "dog")
    seq = say(theirs, C, "ant")
    theirs.undo(seq, annotator="bob")
    merged = merge_labels(ours, theirs, "animal")
    assert (merged.events, merged.known, merged.changed) == (3, 0, 1)
    assert merged.conflicts == ()
    assert merged.new_classes == ("ant",)
    assert present(ours) == {A: "cat", B: "dog"}
    assert "ant" in ours.task("animal").classes
    *_, undo = ours.events("animal")
    assert (undo.annotator, undo.undoes) == ("bob", undo.seq - 1)
    again = merge_labels(ours, theirs, "animal")
    assert (again.events, again.known, again.changed) == (0, 3, 0)
    assert again.new_classes == ()


@pytest.mark.parametrize("late", ["person", "source"])
@pytest.mark.parametrize("here", ["person", "source"])
def test_a_person_counts_before_a_source_whoever_is_later(logs: Any, late: str, here: str) -> None:
    sides = dict(zip((here, "source" if here == "person" else "person"), logs, strict=True))
    for who in ("source", "person") if late == "person" else ("person", "source"):
        if who == "person":
            say(sides[who], A, "cat")
        else:
            say(sides[who], A, "dog", "photos", "source")
    (clash,) = merge_labels(*logs, "animal").conflicts
    assert clash.kept == ("ours" if here == "person" else "theirs")
    assert merge_labels(*reversed(logs), "animal").conflicts == ()
    assert [present(log) for log in logs] == [{A: "cat"}] * 2


def test_what_a_merge_repeats_of_a_source_does_not_count_as_a_person(
    logs: Any, tmp_path: Path
) -> None:
    ours, theirs = logs
    say(theirs, A, "dog", "pets", "source")
    say(ours, A, "owl", "photos", "source")
    merge_labels(ours, theirs, "animal")
    assert ours.in_force("animal")[A].annotator == "photos"
    assert ours.in_force("animal")[A].origin == "merge"  # the source's own came before theirs
    third = new_log(tmp_path / "third.sqlite")
    say(third, A, "cat")
    say(ours, B, "owl", "photos", "source")
    (clash,) = merge_labels(third, ours, "animal").conflicts
    assert clash.kept == "ours"
    assert present(third)[A] == "cat"


def test_images_that_are_not_here_are_counted(logs: Any) -> None:
    ours, theirs = logs
    say(theirs, A, "cat")
    say(theirs, B, "cat")
    merged = merge_labels(ours, theirs, "animal", images={A})
    assert (merged.unknown_images, merged.events) == (1, 2)
    assert merge_labels(ours, theirs, "animal").unknown_images == 0


def test_a_task_that_is_not_here_is_made_where_that_was_asked_for(logs: Any) -> None:
    ours, theirs = logs
    theirs.ensure_task("pet", "multi", ["cat"])
    with pytest.raises(UsageError, match=r"no task 'pet' .* it has: animal\. .*--new-task"):
        merge_labels(ours, theirs, "pet")
    assert [task.name for task in ours.tasks()] == ["animal"]
    assert merge_labels(ours, theirs, "pet", new_task=True).new_classes == ("cat",)
    assert ours.task("pet") == theirs.task("pet")


def test_a_store_is_not_merged_with_itself(logs: Any, tmp_path: Path) -> None:
    ours, _ = logs
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path / "ours.sqlite", tmp_path / "link" / "ours.sqlite"):
        with pytest.raises(UsageError, match="not merged with itself"):
            merge_labels(ours, new_log(path), "animal")


@pytest.mark.parametrize("late", ["ours", "theirs"])
def test_of_two_people_the_later_counts_and_both_are_shown(logs: Any, late: str) -> None:
    ours, theirs = logs
    first, second = (theirs, ours) if late == "ours" else (ours, theirs)
    say(first, A, "cat", "ann")
    say(second, A, "dog", "bob")
    merged = merge_labels(ours, theirs, "animal")
    (clash,) = merged.conflicts
    assert (clash.image_id, clash.kept) == (A, late)
    assert {clash.ours.annotator, clash.theirs.annotator} == {"ann", "bob"}
    assert present(ours) == {A: "dog"}
    assert ours.in_force("animal")[A].annotator == "bob"
    assert {event.labels for event in ours.events("animal")} == {("cat",), ("dog",)}


def test_people_who_say_the_same_do_not_clash(logs: Any) -> None:
    for log, who in zip(logs, ("ann", "bob"), strict=True):
        say(log, A, "cat", who)
    assert merge_labels(*logs, "animal").conflicts == ()


def test_a_source_that_repeats_itself_later_does_not_take_back_what_a_person_said(
    logs: Any,
) -> None:
    ours, theirs = logs
    say(ours, A, "cat", "photos", "source")
    say(ours, A, "dog")
    say(theirs, A, "cat", "photos", "source")
    merged = merge_labels(ours, theirs, "animal")
    assert (merged.events, merged.changed, merged.conflicts) == (0, 0, ())
    assert present(ours) == {A: "dog"}
    assert merge_labels(theirs, ours, "animal").changed == 1
    assert present(theirs) == {A: "dog"}


def test_who_has_gone_on_from_the_other_is_followed(logs: Any) -> None:
    ours, theirs = logs
    say(ours, A, "cat")
    say(ours, B, "cat")
    merge_labels(theirs, ours, "animal")
    say(theirs, A, "dog", "bob")
    theirs.undo(2, annotator="bob")
    merged = merge_labels(ours, theirs, "animal")
    assert merged.conflicts == ()
    assert present(ours) == {A: "dog"}
    say(ours, B, "owl")
    assert merge_labels(ours, theirs, "animal").changed == 0  # they know less
    assert present(ours) == {A: "dog", B: "owl"}


def test_logs_that_do_not_fit_are_refused_and_nothing_is_written(logs: Any) -> None:
    ours, theirs = logs
    theirs.ensure_task("pet", "multi", ["cat"])
    ours.ensure_task("pet", "single", ["dog"])
    with pytest.raises(UsageError, match="takes single labels, but got multi"):
        merge_labels(ours, theirs, "pet")
    assert ours.task("pet").classes == ("dog",)
    with pytest.raises(LookupFailed, match="no task 'plant'"):
        merge_labels(ours, theirs, "plant")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ours", "theirs"]),
        st.sampled_from(["cat", "dog", "undo", "pull", "source"]),
        st.sampled_from([A, B]),
        st.integers(0, 10),
    ),
    max_size=14,
)


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_two_logs_that_merge_each_other_agree(steps: Any, tmp_path_factory: Any) -> None:
    folder, names = tmp_path_factory.mktemp("logs"), count()
    logs = {side: new_log(folder / f"{side}.sqlite") for side in ("ours", "theirs")}
    said: Counter[Any] = Counter()
    for side, what, image, number in steps:
        log, other = logs[side], logs["theirs" if side == "ours" else "ours"]
        events = log.events("animal")
        if what == "pull":
            merge_labels(log, other, "animal")
        elif what == "undo" and events:
            log.undo(events[number % len(events)].seq, annotator=f"{side}-{next(names)}")
        elif what == "source":
            say(log, image, "owl", "photos", "source")
        elif what != "undo":
            who = f"{side}-{next(names)}"
            say(log, image, what, who)
            said[who, image, what] += 1
    merge_labels(logs["ours"], logs["theirs"], "animal")
    merge_labels(logs["theirs"], logs["ours"], "animal")
    settled = merge_labels(logs["ours"], logs["theirs"], "animal")
    assert present(logs["ours"]) == present(logs["theirs"])
    assert settled.conflicts == ()
    assert settled.changed == 0
    assert merge_labels(logs["ours"], logs["theirs"], "animal").events == 0
    for log in logs.values():
        kept = {(e.annotator, e.image_id, *(e.labels or ())) for e in log.events("animal")}
        assert set(said) <= kept
