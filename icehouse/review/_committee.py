"""The other heads of a task, which are asked too."""

from __future__ import annotations

from collections.abc import Sequence

from icehouse.errors import UsageError
from icehouse.heads import StoredHead, list_heads, load_head
from icehouse.store import Store


def committee_of(
    store: Store, stored: StoredHead, names: Sequence[str] | None = None
) -> list[StoredHead]:
    """Return heads by name, or by default all of the same task, encoder and classes.

    Raises
    ------
    UsageError
        The head itself is named.
    """
    card = stored.card
    if names is None:
        names = [
            other.name
            for other in list_heads(store, card.task)
            if other.encoder_id == card.encoder_id
            and other.classes == card.classes
            and other.name != card.name
            and not other.members  # it has no opinion but those of the others
        ]
    elif card.name in names:
        raise UsageError(
            f"head {card.name!r} is the one that is asked, and would agree with itself: name "
            "other heads with --committee, or none for all others"
        )
    return [load_head(store, card.task, name) for name in names]
