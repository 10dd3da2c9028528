"""What a run of ``embed`` did, and what limited it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass

from icehouse.embedder._pipeline import Pipeline, cores
from icehouse.embedder._plan import Plan
from icehouse.embedder._sources import Listing
from icehouse.embedder._writer import Writer


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
    failures : tuple of Failure
        The same inputs by name.
    decode_rate, encode_rate, rate : float or None
        Images/s that decoding alone and encoding alone would reach on this machine, and that
        were reached. None where nothing was encoded.
    limit : {"decode", "encode"} or None
        The slower of the two stages.
    """

    dataset: str
    encoder_id: str
    inputs: int
    encoded: int
    reused: int
    errors: dict[str, int]
    gone: int
    seconds: float
    failures: tuple[Failure, ...] = ()
    decode_rate: float | None = None
    encode_rate: float | None = None
    rate: float | None = None
    limit: str | None = None


def make_report(
    dataset: str,
    encoder_id: str,
    listing: Listing,
    plan: Plan,
    writer: Writer,
    pipeline: Pipeline | None = None,
    seconds: float = 0.0,
) -> EmbedReport:
    """Count what plan, writer and pipeline did; the counts of the three never overlap."""
    errors: Counter[str] = plan.errors + writer.errors
    report = EmbedReport(
        dataset=dataset,
        encoder_id=encoder_id,
        inputs=len(listing.entries),
        encoded=writer.encoded,
        reused=plan.reused + writer.reused,
        errors={str(kind): count for kind, count in sorted(errors.items())},
        gone=plan.gone,
        seconds=seconds,
    )
    if pipeline is None or not writer.encoded:
        return report
    # Work is measured in seconds of one worker; at most one worker a core decodes at a time.
    decoders = min(pipeline.workers, cores())
    encoders = 1 if pipeline.on_gpu else decoders
    decode_rate = decoders * pipeline.decoding.images / max(pipeline.decoding.seconds, 1e-9)
    encode_rate = encoders * pipeline.encoding.images / max(pipeline.encoding.seconds, 1e-9)
    return EmbedReport(
        **{
            **asdict(report),
            "decode_rate": decode_rate,
            "encode_rate": encode_rate,
            "rate": writer.encoded / seconds,
            "limit": "decode" if decode_rate < encode_rate else "encode",
        }
    )
