"""Who is let in, and what they may do."""

from __future__ import annotations

from pathlib import Path

import pytest

from icehouse.errors import UsageError
from icehouse.service import People, Person, check_host

TOKEN = "0123456789abcdef"


def test_a_person_is_known_by_a_token() -> None:
    people = People([f"ann:reviewer:{TOKEN}", f"bob:owner:{TOKEN}:with:colons"])
    assert not people.anybody
    assert people.who(TOKEN, "eve") == Person("ann", "reviewer")
    assert people.who(f"{TOKEN}:with:colons", None) == Person("bob", "owner")
    for wrong in (None, "", TOKEN[:-1], f"{TOKEN}x", "ann"):
        assert people.who(wrong, "ann") is None


def test_without_tokens_anybody_is_who_they_say() -> None:
    people = People()
    assert people.anybody
    assert people.who(None, " Zo%C3%AB ") == Person("Zoë", "owner")
    assert people.who("whatever", None) == Person("anonymous", "owner")
    assert people.who(None, "x" * 100) == Person("x" * 64, "owner")


def test_a_role_may_what_those_below_it_may() -> None:
    may = {
        role: [Person("ann", role).may(other) for other in ("reader", "reviewer", "owner")]
        for role in ("reader", "reviewer", "owner")
    }
    assert may == {
        "reader": [True, False, False],
        "reviewer": [True, True, False],
        "owner": [True, True, True],
    }


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("ann", "NAME:ROLE:TOKEN"),
        (f"ann:king:{TOKEN}", "with a role of reader, reviewer, owner"),
        (f":owner:{TOKEN}", "got one that begins with ''"),
        ("ann:owner:short", "the token of 'ann' has 5 characters; 16 or more"),
    ],
)
def test_lines_that_are_no_person_are_refused_without_telling_the_token(line, match) -> None:
    with pytest.raises(UsageError, match=match) as refused:
        People([line])
    assert TOKEN not in str(refused.value)


def test_a_token_is_of_one_person() -> None:
    with pytest.raises(UsageError, match="'bob' and 'ann' have the same token"):
        People([f"ann:owner:{TOKEN}", f"bob:reader:{TOKEN}"])


def test_people_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "people"
    path.write_text(f"# of the lab\n\n  ann:reviewer:{TOKEN}\n", encoding="utf-8")
    assert People.of([], path).who(TOKEN, None) == Person("ann", "reviewer")
    path.write_text("# nobody\n")
    with pytest.raises(UsageError, match="names nobody"):
        People.of([], path)
    with pytest.raises(UsageError, match="cannot be read"):
        People.of([], tmp_path / "none")
    assert People.of([]).anybody


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost", "::1", "[::1]"])
def test_this_machine_needs_no_tokens(host: str) -> None:
    check_host(host, People())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_other_machines_are_let_in_by_tokens_only(host: str) -> None:
    with pytest.raises(UsageError, match=f"on {host} other machines reach the page.*--person"):
        check_host(host, People())
    check_host(host, People([f"ann:owner:{TOKEN}"]))
