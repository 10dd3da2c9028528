"""What the page sends and is sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from icehouse.errors import UsageError
from icehouse.store import Answer, Recorded

ID_BYTES = 32


class NextIn(BaseModel):
    """How many images are wanted, and whether also those that one has skipped."""

    count: int = Field(10, ge=1, le=200)
    skipped: bool = False


class AnswerIn(BaseModel):
    """See :class:`icehouse.store.Answer`; ``image_id`` is hexadecimal."""

    token: str = Field(min_length=1, max_length=64)
    image_id: str = Field(pattern=r"^[0-9a-f]{64}$")
    outcome: str = "label"
    labels: list[str] = Field(default_factory=list, max_length=1000)
    note: str | None = Field(None, max_length=10_000)
    seconds: float | None = Field(None, ge=0, allow_inf_nan=False)


class AnswersIn(BaseModel):
    """Answers that are recorded together."""

    answers: list[AnswerIn] = Field(min_length=1, max_length=1000)


class ManyIn(BaseModel):
    """Images, each once; hexadecimal."""

    image_ids: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        min_length=1, max_length=100_000
    )

    def images(self) -> list[bytes]:
        """Return their identities."""
        return [bytes.fromhex(text) for text in dict.fromkeys(self.image_ids)]


class ChosenIn(ManyIn):
    """Images that are answered next."""

    image_ids: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        min_length=1, max_length=1000
    )


class UndoIn(BaseModel):
    """The taking back of the last answer."""

    token: str = Field(min_length=1, max_length=64)


class ClassIn(BaseModel):
    """A new class."""

    name: str = Field(min_length=1, max_length=200)


class RecordedOut(BaseModel):
    """See :class:`icehouse.store.Recorded`."""

    token: str
    image_id: str
    review: int
    again: bool
    others: list[tuple[str, list[str]]]

    @classmethod
    def of(cls, recorded: Recorded) -> RecordedOut:
        """Return it as it is sent."""
        return cls(
            token=recorded.token,
            image_id=recorded.image_id.hex(),
            review=recorded.review,
            again=recorded.again,
            others=[(name, list(labels)) for name, labels in recorded.others],
        )


def to_answer(sent: AnswerIn) -> Answer:
    """Return an answer as it is recorded."""
    return Answer(
        token=sent.token,
        image_id=bytes.fromhex(sent.image_id),
        outcome=sent.outcome,
        labels=tuple(sent.labels),
        note=sent.note,
        seconds=sent.seconds,
    )


def image_id_of(text: str) -> bytes:
    """Read an image_id, or raise UsageError."""
    try:
        image = bytes.fromhex(text)
    except ValueError:
        image = b""
    if len(image) != ID_BYTES:
        raise UsageError(f"an image_id has {2 * ID_BYTES} hexadecimal digits, got {text!r:.80}")
    return image
