"""Queues: nothing is given to two, nothing is recorded twice, and nothing is lost."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icehouse.errors import LookupFailed, UsageError
from icehouse.store import Answer, LabelLog, QueueItem, Queues
from icehouse.store._label_url import label_url
from icehouse.store._queue_tables import ANSWERS, ITEMS, REVIEWS

IMAGES = [bytes([number]) * 32 for number in range(8)]
A, B, C, D, *_ = IMAGES
tokens = map(str, count())


class Clock:
    """A clock that stands still."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(url: str) -> LabelLog:
    log = LabelLog(label_url(url))
    log.ensure_task("animal", "single", ["cat", "dog"])
    return log


@pytest.fixture
def queues(log: LabelLog, clock: Clock) -> Queues:
    return Queues(log, clock)


@pytest.fixture
def queue(queues: Queues) -> int:
    """The number of a queue of A, B, C."""
    return queues.make("animal", "margin", items(A, B, C), {"head": "logistic"}).id


def items(*images: bytes, reviewers: int = 1) -> list[QueueItem]:
    return [
        QueueItem(image, 1 - place / 10, {"probability": 0.5}, reviewers)
        for place, image in enumerate(images)
    ]


def leased(queues: Queues, queue: int, reviewer: str, count: int = 8) -> list[bytes]:
    return [item.image_id for item in queues.lease(queue, reviewer, count)]


def says(image: bytes, *labels: str, outcome: str = "label", **more: Any) -> Answer:
    return Answer(next(tokens), image, outcome, labels, **more)


# Making.


def test_a_queue_is_as_it_was_made(queues: Queues, queue: int, log: LabelLog) -> None:
    (made,) = Queues(log).queues("animal")
    assert (made.id, made.task, made.strategy) == (queue, "animal", "margin")
    assert (made.made, made.settings) == (Clock.now, {"head": "logistic"})
    assert queues.lease(queue, "ann", 2) == items(A, B, C)[:2]
    assert queues.queues("plant") == []


def test_queues_that_cannot_be_are_refused(queues: Queues) -> None:
    with pytest.raises(LookupFailed, match="no task 'plant'"):
        queues.make("plant", "margin", items(A))
    with pytest.raises(UsageError, match="each of them once; got 0"):
        queues.make("animal", "margin", [])
    with pytest.raises(UsageError, match="each of them once; got 2"):
        queues.make("animal", "margin", items(A, A))
    with pytest.raises(LookupFailed, match="no queue 7; it has: none"):
        queues.lease(7, "ann", 1)


# Leases.


def test_no_image_is_given_to_two(queues: Queues, queue: int) -> None:
    assert leased(queues, queue, "ann", 2) == [A, B]
    assert leased(queues, queue, "bob", 2) == [C]
    assert leased(queues, queue, "ann", 2) == [A, B]  # her own, again
    assert leased(queues, queue, "ann", 1) == [A]


def test_a_lease_ends_by_time_and_is_made_longer_by_asking(
    queues: Queues, queue: int, clock: Clock
) -> None:
    assert leased(queues, queue, "ann") == [A, B, C]
    clock.now += 299
    assert leased(queues, queue, "bob") == []
    assert leased(queues, queue, "ann") == [A, B, C]
    clock.now += 299
    assert leased(queues, queue, "bob") == []
    clock.now += 1
    assert leased(queues, queue, "bob", 1) == [A]


def test_a_clock_that_jumps_back_gives_nothing_to_two(
    queues: Queues, queue: int, clock: Clock, log: LabelLog
) -> None:
    assert leased(queues, queue, "ann", 1) == [A]
    queues.answer(queue, "ann", [says(A, "cat")])
    leased(queues, queue, "ann", 1)
    clock.now -= 3600
    assert leased(queues, queue, "bob") == [C]
    queues.answer(queue, "ann", [says(A, "dog")])  # later, although its time is earlier
    assert log.present("animal") == {A: ("dog",)}


def test_an_image_of_two_queues_is_given_to_one(queues: Queues, queue: int) -> None:
    other = queues.make("animal", "entropy", items(B, D)).id
    assert leased(queues, queue, "ann") == [A, B, C]
    assert leased(queues, other, "bob") == [D]
    assert leased(queues, other, "ann") == []  # she has B from the other queue


def test_several_reviewers_are_asked_where_that_was_asked_for(queues: Queues) -> None:
    queue = queues.make("animal", "margin", items(A, B, reviewers=2)).id
    assert leased(queues, queue, "ann") == [A, B]
    assert leased(queues, queue, "bob", 1) == [A]
    assert leased(queues, queue, "eve") == [B]
    queues.answer(queue, "ann", [says(A, "cat"), says(B, "cat")])
    assert leased(queues, queue, "ann") == []
    (recorded,) = queues.answer(queue, "bob", [says(A, "dog")])
    assert recorded.others == (("ann", ("cat",)),)
    assert leased(queues, queue, "dan") == []


# Answers.


def test_an_answer_is_a_label_and_why_it_was_asked_is_kept(
    queues: Queues, queue: int, log: LabelLog
) -> None:
    leased(queues, queue, "ann", 1)
    (recorded,) = queues.answer(queue, "ann", [says(A, "cat", note="furry", seconds=1.5)])
    assert (recorded.image_id, recorded.again, recorded.others) == (A, False, ())
    (event,) = log.events("animal")
    assert (event.labels, event.annotator, event.origin) == (("cat",), "ann", "review")
    assert (event.note, event.time) == ("furry", Clock.now)
    with log.database.read() as db:
        (review,) = db.execute(sa.select(REVIEWS)).all()
    assert (review.id, review.event, review.reviewer) == (recorded.review, event.seq, "ann")
    assert (review.why, review.seconds) == ('{"probability": 0.5}', 1.5)
    assert leased(queues, queue, "ann", 1) == [B]


def test_an_answer_that_is_sent_again_is_recorded_once(
    queues: Queues, queue: int, log: LabelLog
) -> None:
    first, second = says(A, "cat"), says(B, "dog")
    (recorded,) = queues.answer(queue, "ann", [first])
    again, new = queues.answer(queue, "ann", [first, second])
    assert (again.review, again.again, new.again) == (recorded.review, True, False)
    assert [event.image_id for event in log.events("animal")] == [A, B]
    with pytest.raises(UsageError, match="stands for another answer"):
        queues.answer(queue, "bob", [first])


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        (says(B, "owl"), UsageError, "'owl'.*not among the classes of task 'animal': cat, dog"),
        (says(B, "cat", "dog"), UsageError, "exactly one label"),
        (says(D, "cat"), LookupFailed, "queue 1 has no image 0303"),
    ],
)
def test_of_answers_of_which_one_is_wrong_none_is_recorded(
    queues: Queues, queue: int, log: LabelLog, wrong: Answer, error: type, match: str
) -> None:
    leased(queues, queue, "ann", 1)
    with pytest.raises(error, match=match):
        queues.answer(queue, "ann", [says(A, "cat"), wrong])
    assert log.events("animal") == []
    assert leased(queues, queue, "bob", 1) == [B]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"outcome": "maybe"}, "one of label, skip, unsure, got 'maybe'"),
        ({"outcome": "skip", "labels": ("cat",)}, "'skip' has no labels"),
        ({"token": ""}, "token of its own"),
    ],
)
def test_answers_that_cannot_be_are_refused(values: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        Answer(**{"token": "t", "image_id": A} | values)


def test_what_was_skipped_is_for_others_and_what_nobody_can_tell_for_none(
    queues: Queues, queue: int, log: LabelLog
) -> None:
    queues.answer(queue, "ann", [says(A, outcome="skip"), says(B, outcome="unsure")])
    assert leased(queues, queue, "ann") == [C]
    assert leased(queues, queue, "bob") == [A]
    assert log.events("animal") == []


def test_an_answer_after_its_lease_is_kept_and_both_are_told(
    queues: Queues, queue: int, clock: Clock, log: LabelLog
) -> None:
    leased(queues, queue, "ann", 1)
    clock.now += 301
    assert leased(queues, queue, "bob", 1) == [A]
    (first,) = queues.answer(queue, "ann", [says(A, "cat")])
    (second,) = queues.answer(queue, "bob", [says(A, "dog")])
    assert (first.others, second.others) == ((), (("ann", ("cat",)),))
    assert [event.labels for event in log.events("animal")] == [("cat",), ("dog",)]


# Taking back.


def test_undo_takes_back_answer_by_answer_and_gives_the_image_again(
    queues: Queues, queue: int, log: LabelLog
) -> None:
    log.record("animal", [(A, ("dog",))], annotator="source", origin="source")
    queues.answer(queue, "ann", [says(A, "cat"), says(B, outcome="unsure")])
    queues.answer(queue, "bob", [says(C, "cat")])
    assert queues.undo(queue, "ann", "u1") == B
    assert log.present("animal")[A] == ("cat",)
    assert queues.undo(queue, "ann", "u1") is None  # sent again
    assert queues.undo(queue, "ann", "u2") == A
    assert log.present("animal") == {A: ("dog",), C: ("cat",)}
    assert queues.undo(queue, "ann", "u3") is None
    assert leased(queues, queue, "bob") == []
    assert leased(queues, queue, "ann") == [A, B]
    queues.answer(queue, "ann", [says(A, "cat")])
    assert log.present("animal")[A] == ("cat",)


# Order.


def test_a_queue_is_ranked_anew_but_for_what_people_have(queues: Queues, queue: int) -> None:
    leased(queues, queue, "ann", 1)
    queues.answer(queue, "bob", [says(B, outcome="skip")])
    queues.rank_anew(queue, items(IMAGES[5], B, A, D))  # for C, that nobody has seen
    assert queues.counts(queue)[:2] == (3, 3)
    assert leased(queues, queue, "ann") == [A, B, IMAGES[5]]
    queues.rank_anew(queue, items(D))
    assert leased(queues, queue, "ann") == [A, B, IMAGES[5]]


def test_what_somebody_skipped_is_theirs_again_when_they_ask(queues: Queues, queue: int) -> None:
    for image, outcome in ((A, "skip"), (B, "skip"), (C, "unsure")):
        queues.answer(queue, "ann", [says(image, outcome=outcome)])
    queues.answer(queue, "bob", [says(B, "cat")])
    assert leased(queues, queue, "ann") == []
    assert (queues.skipped(queue, "ann"), queues.skipped(queue, "bob")) == (1, 0)
    again = queues.lease(queue, "ann", 10, skipped=True)
    assert [item.image_id for item in again] == [A]
    assert leased(queues, queue, "bob") == []
    queues.answer(queue, "ann", [says(A, "dog")])
    assert queues.skipped(queue, "ann") == 0
    assert queues.counts(queue) == (3, 0, 0)


def test_nobody_is_asked_about_what_was_withdrawn(queues: Queues, log: LabelLog) -> None:
    images = [number.to_bytes(32, "big") for number in range(1, 2100)]
    first = queues.make("animal", "margin", items(*images, A, B)).id
    second = queues.make("animal", "margin", items(A, C, reviewers=2)).id
    queues.answer(second, "ann", [says(A, "cat")])
    assert leased(queues, first, "bob", 1) == [images[0]]
    queues.withdraw([*images, A])
    assert leased(queues, first, "bob") == [B]
    assert queues.counts(first) == (1, 1, 1)
    assert leased(queues, second, "bob") == [C]
    assert queues.counts(second) == (2, 1, 1)  # that A was answered stays known
    assert [one.image_id for one in queues.given(second)] == [A]
    with pytest.raises(LookupFailed, match=f"queue {first} has no image"):
        queues.answer(first, "bob", [says(images[0], "dog")])


def test_an_answer_that_comes_late_finds_its_image_in_a_queue_ranked_anew(
    queues: Queues, queue: int, clock: Clock, log: LabelLog
) -> None:
    leased(queues, queue, "ann", 1)
    clock.now += 301  # her network was gone for longer than her lease
    queues.rank_anew(queue, items(D))
    assert leased(queues, queue, "bob") == [A, D]
    queues.answer(queue, "ann", [says(A, "cat")])
    assert log.present("animal") == {A: ("cat",)}


# Many at once.


def test_reviewers_side_by_side_answer_every_image_once(log: LabelLog) -> None:
    images = [number.to_bytes(32, "big") for number in range(60)]
    queue = Queues(log).make("animal", "margin", items(*images)).id
    seen: Counter[bytes] = Counter()
    lock = threading.Lock()

    def work(reviewer: str) -> None:
        queues = Queues(log)
        while given := leased(queues, queue, reviewer, 3):
            with lock:
                seen.update(given)
            answers = [says(image, "cat") for image in given]
            queues.answer(queue, reviewer, answers)
            queues.answer(queue, reviewer, answers)

    people = [threading.Thread(target=work, args=(f"p{n}",)) for n in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert seen == Counter(images)
    assert [event.seq for event in log.events("animal")] == list(range(1, 61))
    assert set(log.present("animal")) == set(images)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob"]),
        st.sampled_from(["lease", "cat", "dog", "skip", "unsure", "undo", "wait"]),
        st.integers(0, 3),
    ),
    max_size=25,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_where_things_stand_follows_from_the_logs_alone(steps, tmp_path_factory) -> None:
    clock = Clock()
    log = LabelLog(label_url(f"sqlite:///{tmp_path_factory.mktemp('s')}/labels.sqlite"))
    log.ensure_task("animal", "single", ["cat", "dog"])
    queues = Queues(log, clock)
    queue = queues.make("animal", "margin", items(A, B, C, reviewers=2)).id
    said: list[tuple[str, bytes, str]] = []  # all answers that were not taken back
    for reviewer, what, number in steps:
        image = IMAGES[number]
        if what == "lease":
            leased(queues, queue, reviewer, number)
        elif what == "wait":
            clock.now += 200
        elif what == "undo":
            mine = [place for place, one in enumerate(said) if one[0] == reviewer]
            expected = said.pop(mine[-1])[1] if mine else None
            assert queues.undo(queue, reviewer, next(tokens)) == expected
        elif image != D:
            label = (what,) if what in ("cat", "dog") else ()
            outcome = "label" if label else what
            queues.answer(queue, reviewer, [says(image, *label, outcome=outcome)])
            said.append((reviewer, image, what))
    stands = {(reviewer, image): what for reviewer, image, what in said}
    with log.database.read() as db:
        lacks = {bytes(i.image_id): i.lacks for i in db.execute(sa.select(ITEMS))}
        answers = db.execute(sa.select(ANSWERS)).all()
    done = Counter(image for (_, image), what in stands.items() if what != "skip")
    assert lacks == {image: 2 - done[image] for image in (A, B, C)}
    assert {(a.reviewer, bytes(a.image_id)): a.outcome for a in answers} == {
        key: what if what in ("skip", "unsure") else "label" for key, what in stands.items()
    }
    labels = {image: (what,) for _, image, what in said if what in ("cat", "dog")}
    assert LabelLog(log.database.url).present("animal") == labels


# What is urgent.


def test_what_is_put_first_is_given_next_and_stays_first(queues: Queues, queue: int) -> None:
    for image in (D, B):  # one that is new, and one that is there
        assert queues.put_first(queue, QueueItem(image, 0.3, {"reason": "wrong", "said": [1]}))
    assert [item.image_id for item in queues.items(queue)] == [B, D, A, C]
    assert queues.put_first(queue, QueueItem(B, 0.4, {"said": [2]}))
    first = queues.items(queue)[0]
    assert first.why == {"probability": 0.5, "reason": "wrong", "said": [1, 2]}
    queues.rank_anew(queue, items(C))
    assert [item.image_id for item in queues.items(queue)] == [B, D, C]
    assert [item.image_id for item in queues.lease(queue, "ann", 2)] == [B, D]


def test_what_is_answered_takes_another_queue(queues: Queues, queue: int) -> None:
    queues.answer(queue, "ann", [Answer("t", A, labels=("cat",))])
    assert not queues.put_first(queue, QueueItem(A, 0.3))
    assert [item.image_id for item in queues.items(queue)] == [A, B, C]
    with pytest.raises(LookupFailed, match="no queue 77"):
        queues.put_first(77, QueueItem(A, 0.3))
