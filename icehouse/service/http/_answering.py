"""From what is asked of the service to what is answered, each with its image."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icehouse.errors import IcehouseError
from icehouse.review import Prediction
from icehouse.service.http._errors import said_of
from icehouse.service.http._models import (
    AnswerOut,
    EmbeddedOut,
    LabelledProbability,
    MatchOut,
    PredictedOut,
)
from icehouse.service.inference import Match, Seen, Served, Service, Upload


@dataclass(frozen=True)
class HeadAnswer:
    """What is to be known of each answer besides the image: ``top`` classes, neighbours."""

    top: int
    neighbours: int


async def ask_head(
    service: Service, served: Served, seen: Sequence[Seen], wanted: HeadAnswer
) -> list[AnswerOut]:
    """Ask a head about images whose vectors are known."""
    if not seen:
        return []
    predictions = await service.predict(served, seen)
    near: Sequence[list[Match] | None] = [None] * len(seen)
    if wanted.neighbours:
        vectors = np.stack([each.vector(served.encoder_id) for each in seen])
        ids = [each.image_id for each in seen]
        near = await asyncio.to_thread(
            service.library.near, served.encoder_id, vectors, wanted.neighbours, ids, served.task
        )
    return [
        _answer(served, prediction, matches, wanted.top)
        for prediction, matches in zip(predictions, near, strict=True)
    ]


def _answer(
    served: Served, prediction: Prediction, matches: list[Match] | None, top: int
) -> AnswerOut:
    best = list(prediction.probabilities.items())[:top]
    return AnswerOut(
        task=served.task,
        head=served.name,
        version=served.version,
        encoder_id=served.encoder_id,
        predicted=list(prediction.predicted),
        top=[LabelledProbability(label=label, probability=p) for label, p in best],
        possible=None if prediction.possible is None else list(prediction.possible),
        reasons=prediction.reasons,
        flagged=bool(prediction.reasons),
        unfamiliarity=prediction.unfamiliarity,
        neighbours=None if matches is None else matches_out(matches),
    )


def matches_out(matches: Sequence[Match]) -> list[MatchOut]:
    """Return images of the store as they are sent."""
    return [
        MatchOut(
            image_id=match.place.image_id.hex(),
            dataset=match.place.dataset,
            key=match.place.key,
            labels=None if match.labels is None else list(match.labels),
            similarity=match.similarity,
        )
        for match in matches
    ]


def predicted_out(
    upload: Upload, seen: Seen | IcehouseError, answers: list[AnswerOut]
) -> PredictedOut:
    """Return an image with its answers, or with what is wrong with it."""
    if not isinstance(seen, Seen):
        error = said_of(seen)[1]
        return PredictedOut(image_id=None, name=upload.name, error=error, answers=[])
    return PredictedOut(
        image_id=seen.image_id.hex(),
        name=upload.name,
        width=seen.info.width if seen.info else None,
        height=seen.info.height if seen.info else None,
        answers=answers,
    )


def embedded_out(upload: Upload, seen: Seen | IcehouseError, encoder_id: str) -> EmbeddedOut:
    """Return an image with its vector, or with what is wrong with it."""
    known = predicted_out(upload, seen, []).model_dump(exclude={"answers"})
    vector = seen.vector(encoder_id).tolist() if isinstance(seen, Seen) else None
    return EmbeddedOut(**known, vector=vector)


def raise_if_alone(seen: Sequence[Seen | IcehouseError]) -> None:
    """Raise what is wrong with an image that came alone; of many, the others are answered."""
    if len(seen) == 1 and not isinstance(seen[0], Seen):
        raise seen[0]
