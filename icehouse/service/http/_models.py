"""What the interface for predictions is sent and answers, as OpenAPI documents it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

IMAGE_ID = r"^[0-9a-f]{64}$"
MAX_TOP, MAX_NEIGHBOURS, MAX_FOUND = 100, 50, 200


class Model(BaseModel):
    """What all have in common: what is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class ErrorOut(BaseModel):
    """Why there is no answer."""

    error: str = Field(description="What kind it is: a name that does not change.")
    detail: str = Field(description="What was wrong, and what to do.")


class ImageIds(Model):
    """Images that the store has, instead of bytes."""

    image_ids: list[str] = Field(min_length=1, max_length=1000)


class LabelledProbability(BaseModel):
    """A class, and how probable it is; calibrated."""

    label: str
    probability: float


class MatchOut(BaseModel):
    """An image of the store near the one that was asked about."""

    image_id: str
    dataset: str
    key: str
    labels: list[str] | None = Field(description="In the task; null where nobody said any.")
    similarity: float = Field(description="Cosine.")


class HeadRef(BaseModel):
    """Which head has answered."""

    task: str
    head: str
    version: str = Field(description="Of the head's settings and weights; another after a refit.")
    encoder_id: str


class AnswerOut(HeadRef):
    """What a head says of an image."""

    predicted: list[str]
    top: list[LabelledProbability] = Field(description="The most probable classes, falling.")
    possible: list[str] | None = Field(
        description="The set that holds the right class as often as was asked at the fit."
    )
    reasons: dict[str, float] = Field(description="Why a person should look: strength by reason.")
    flagged: bool = Field(description="Whether there is any reason.")
    unfamiliarity: float | None = Field(
        description="Share of the training images that lie nearer to the others; null: unknown."
    )
    neighbours: list[MatchOut] | None = Field(description="Where they were asked for.")


class ImageOut(BaseModel):
    """One of the images that were sent."""

    image_id: str | None = Field(description="SHA-256 of its bytes; null where there is an error.")
    name: str | None = Field(description="As it was sent.")
    width: int | None = None
    height: int | None = None
    error: ErrorOut | None = None


class PredictedOut(ImageOut):
    """An image with what each head says of it."""

    answers: list[AnswerOut]


class PredictOut(BaseModel):
    """Answers, in the order of the images."""

    images: list[PredictedOut]


class EmbeddedOut(ImageOut):
    """An image with its vector, as ``embed`` would store it."""

    vector: list[float] | None


class EmbedOut(BaseModel):
    """Vectors, in the order of the images."""

    encoder_id: str
    dim: int
    images: list[EmbeddedOut]


class SearchIn(Model):
    """What is near an image of the store, or words."""

    image_id: str | None = Field(None, pattern=IMAGE_ID)
    text: str | None = Field(None, min_length=1, max_length=1000)


class SearchOut(BaseModel):
    """Images of the store, the nearest first."""

    encoder_id: str
    matches: list[MatchOut]


class PlaceOut(BaseModel):
    """A place of an image in a dataset."""

    dataset: str
    key: str
    width: int | None
    height: int | None
    format: str | None
    bytes: int | None
    split: str | None


class LabelOut(BaseModel):
    """What is said of an image in a task."""

    task: str
    labels: list[str]
    by: str
    origin: str
    time: float = Field(description="Seconds since 1970, UTC.")


class KnownOut(BaseModel):
    """What the store knows of an image."""

    image_id: str
    places: list[PlaceOut]
    labels: list[LabelOut]
    encoders: list[str] = Field(description="That have a vector of it.")


class HeadOut(HeadRef):
    """A head that is served."""

    kind: str
    classes: list[str]
    fitted_at: str
    metrics: dict[str, float] = Field(description="Of the split that it was measured on.")


class TaskOut(BaseModel):
    """A question, its classes, and the heads that answer it."""

    task: str
    kind: Literal["single", "multi"]
    classes: list[str]
    heads: list[HeadOut]


class TasksOut(BaseModel):
    """All tasks; the default head answers who asks for none."""

    default: str | None = Field(description="TASK/NAME")
    tasks: list[TaskOut]


class FlagIn(Model):
    """A visitor's "this is wrong", beside the image."""

    image_id: str | None = Field(None, pattern=IMAGE_ID, description="Of an image of the store.")
    head: str | None = Field(None, description="Whose answer is wrong; TASK/NAME.")
    labels: list[str] = Field(default_factory=list, max_length=100, description="What is right.")
    note: str | None = Field(None, max_length=2000)


class FlagOut(BaseModel):
    """What has become of it."""

    image_id: str
    task: str
    queue: int = Field(description="In which people will look at it.")
    kept: bool = Field(description="Whether the store has taken it in, as it did not have it.")


class HealthOut(BaseModel):
    """Whether the process lives."""

    status: Literal["alive"] = "alive"


class ReadyOut(BaseModel):
    """Whether it can answer."""

    status: Literal["ready", "not ready"]
    encoders: dict[str, str] = Field(description='"ready", or what is wrong.')
    heads: dict[str, str] = Field(description="Version by TASK/NAME.")
