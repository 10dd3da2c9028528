"""What a run of ``embed`` did, and what limited it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from icehouse.embedder._crew import Crew
from icehouse.embedder._engine import Opened
from icehouse.embedder._pipeline import StageTimes
from icehouse.embedder._plan import Plan
from icehouse.embedder._writer import Writer
from icehouse.embedder.sources import Listing


@dataclass(frozen=True)
class Failure:
    """An input that is not a picture: its key, the kind of error, and what was found."""

    key: str
    kind: str
    detail: str


@dataclass(frozen=True)
class EmbedReport:
    """What a run did. ``inputs == encoded + reused + sum(errors.values())``.

    Attributes
    ----------
    dataset, encoder_id : str
    inputs : int
        Listed by the source.
    encoded : int
        Vectors computed by this run.
    reused : int
        Inputs whose image had a vector already, or got it through a copy of it.
    errors : dict
        Inputs that are not pictures, by kind.
    gone : int
        Inputs of earlier runs that the source no longer has.
    seconds : float
        Of the pipeline, loading left out.
    views : int
        Augmented views among what was computed.
    failures : tuple of Failure
        The same inputs by name.
    speed : Speed or None
        None where nothing was encoded.
    notes : tuple of str
        What may not have been meant: for instance that the dataset has another source now.
    """

    dataset: str
    encoder_id: str
    inputs: int
    encoded: int
    reused: int
    errors: dict[str, int]
    gone: int
    seconds: float
    views: int = 0
    failures: tuple[Failure, ...] = ()
    speed: Speed | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Speed:
    """How fast a run was, and what limited it; rates in images/s.

    Attributes
    ----------
    read : float or None
        What the source alone gives, by how long the workers waited for it. None on a cluster.
    decode, encode : float
        What decoding alone and encoding alone would reach on this machine.
    bound : float
        What these two allow: on a CPU they share the cores, beside a GPU the slower one counts.
    achieved : float
    limit : {"reading", "decode", "encode"}
        The slowest of these stages.
    engine : str
        The library that did the arithmetic.
    engines : dict
        The rate of each engine, where they were measured to choose.
    """

    read: float | None
    decode: float
    encode: float
    bound: float
    achieved: float
    limit: str
    engine: str
    engines: dict[str, float]


def make_speed(pipeline: Crew, opened: Opened, seconds: float, reading: StageTimes) -> Speed | None:
    """Work out how fast a pipeline was that took ``seconds``, and of them waited to read."""
    encoded = pipeline.encoding.images
    if not encoded:
        return None
    decode = pipeline.decoders * pipeline.decoding.images / max(pipeline.decoding.seconds, 1e-9)
    encode = pipeline.encoders * encoded / max(pipeline.encoding.seconds, 1e-9)
    read = pipeline.workers * encoded / max(reading.seconds, 1e-9) if reading.images else None
    stages = {"decode": decode, "encode": encode} | ({"reading": read} if read else {})
    return Speed(
        read=read,
        decode=decode,
        encode=encode,
        bound=min(decode, encode) if pipeline.on_gpu else 1 / (1 / decode + 1 / encode),
        achieved=encoded / seconds,
        limit=min(stages, key=stages.__getitem__),
        engine=pipeline.engine,
        engines=opened.rates,
    )


def make_report(
    dataset: str,
    encoder_id: str,
    listing: Listing,
    plan: Plan,
    writer: Writer,
    notes: Sequence[str],
) -> EmbedReport:
    """Count what plan and writer did; their counts never overlap."""
    errors: Counter[str] = plan.errors + writer.errors
    return EmbedReport(
        dataset=dataset,
        encoder_id=encoder_id,
        inputs=len(listing.entries),
        encoded=writer.encoded,
        reused=plan.reused + writer.reused,
        errors={str(kind): count for kind, count in sorted(errors.items())},
        gone=plan.gone,
        seconds=0.0,
        views=writer.views,
        notes=(*listing.notes, *_moved(listing, plan), *notes),
    )


def _moved(listing: Listing, plan: Plan) -> list[str]:
    return [
        f"{count:,} inputs came from {before} until now, and come from {listing.source} from now on"
        for before, count in sorted(plan.moved.items())
    ]
