"""Who may do what: names with a role and a secret token, or anybody, on this machine only."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from icehouse.errors import UsageError

READER, REVIEWER, OWNER = ROLES = ("reader", "reviewer", "owner")
SHORTEST = 16  # characters of a token: long enough that nobody guesses it
NAME_LENGTH = 64
VISITOR = "visitor"


@dataclass(frozen=True)
class Person:
    """Somebody at the page.

    Attributes
    ----------
    name : str
    role : {"reader", "reviewer", "owner"}
        A reader looks, a reviewer answers too, and an owner also refits and adds classes.
    """

    name: str
    role: str

    def may(self, role: str) -> bool:
        """Whether what takes a role is allowed."""
        return ROLES.index(self.role) >= ROLES.index(role)


class People:
    """Those who are let in.

    Parameters
    ----------
    lines : iterable of str
        ``NAME:ROLE:TOKEN`` each; none: anybody, by any name, as owner.

    Raises
    ------
    UsageError
        A line is another; or a token is short, or of two people.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._known: dict[str, Person] = {}
        for line in lines:
            name, role, token = _parts(line)
            digest = _digest(token)
            if digest in self._known:
                raise UsageError(f"{name!r} and {self._known[digest].name!r} have the same token")
            self._known[digest] = Person(name, role)

    @classmethod
    def of(
        cls,
        lines: Iterable[str],
        file: Path | None = None,
        tokens: Iterable[str] = (),
        token_file: Path | None = None,
    ) -> People:
        """Return the people of lines and of a file of lines; empty ones and # are passed over.

        Parameters
        ----------
        lines : iterable of str
        file : Path, optional
        tokens : iterable of str
            Of visitors, who are readers without a name.
        token_file : Path, optional
            The same, one in a line.

        Raises
        ------
        UsageError
            A file cannot be read, or a line is no person.
        """
        every, visitors = list(lines), list(tokens)
        if file is not None:
            read = _lines(file)
            every += read
            if not read:
                raise UsageError(f"{file} names nobody: NAME:ROLE:TOKEN, one in a line")
        if token_file is not None:
            read = _lines(token_file)
            visitors += read
            if not read:
                raise UsageError(f"{token_file} holds no token: one in a line")
        return cls([*every, *(f"{VISITOR}:{READER}:{token}" for token in visitors)])

    @property
    def anybody(self) -> bool:
        """Whether nobody needs a token."""
        return not self._known

    def who(self, token: str | None, name: str | None) -> Person | None:
        """Return who has sent a token, or a name where nobody needs one; None for a stranger."""
        if self.anybody:
            given = unquote(name or "").strip()[:NAME_LENGTH]
            return Person(given or "anonymous", OWNER)
        digest = _digest(token or "")
        for known, person in self._known.items():
            if hmac.compare_digest(known, digest):
                return person
        return None


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    read = [line.strip() for line in text.splitlines()]
    return [line for line in read if line and not line.startswith("#")]


def check_host(host: str, people: People) -> None:
    """Refuse to be reached from other machines by anybody.

    Raises
    ------
    UsageError
        The address is not of this machine alone, and nobody needs a token.
    """
    if people.anybody and not is_loopback(host):
        raise UsageError(
            f"on {host} other machines reach the page, and anybody could label: give people tokens "
            "(--person NAME:reviewer:TOKEN, or --people FILE; those who only ask icehouse serve, "
            "--token-file FILE), or stay on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only.

    Examples
    --------
    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _parts(line: str) -> tuple[str, str, str]:
    name, _, rest = line.strip().partition(":")
    role, _, token = rest.partition(":")
    if not name or role not in ROLES or not token:
        raise UsageError(
            f"a person is NAME:ROLE:TOKEN, with a role of {', '.join(ROLES)}; got one that begins "
            f"with {name[:NAME_LENGTH]!r}"
        )
    if len(token) < SHORTEST:
        raise UsageError(f"the token of {name!r} has {len(token)} characters; {SHORTEST} or more")
    return name[:NAME_LENGTH], role, token


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
