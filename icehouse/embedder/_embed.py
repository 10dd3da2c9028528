"""``embed``: freeze a dataset's features, once."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from icehouse.embedder import _canary
from icehouse.embedder._choose import find_request
from icehouse.embedder._decode import MAX_PIXELS
from icehouse.embedder._encoder import Encoder, EncoderRequest, like, open_encoder
from icehouse.embedder._pipeline import Pipeline, cores, one_thread_each
from icehouse.embedder._plan import Plan, known_rows, make_plan, refuse_stranger
from icehouse.embedder._sources import Listing
from icehouse.embedder._writer import Writer
from icehouse.errors import Interrupted, SourceError
from icehouse.store import Store, check_name

Progress = Callable[[int, int, int], None]
LIBRARIES = ("torch", "timm", "open-clip-torch", "scikit-image", "pillow", "simplejpeg")


@dataclass(frozen=True)
class EmbedOptions:
    """How to run, as far as it changes no vector.

    Attributes
    ----------
    batch_size : int
    workers : int or None
        None: one for each core, or 16 where a GPU encodes.
    max_pixels : int
        Images with more are errors.
    retry_errors : bool
        Read again what could not be decoded the last time.
    """

    batch_size: int = 32
    workers: int | None = None
    max_pixels: int = MAX_PIXELS
    retry_errors: bool = False


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
    decode_rate: float | None = None
    encode_rate: float | None = None
    rate: float | None = None
    limit: str | None = None


def embed(
    store: Store,
    listing: Listing,
    request: EncoderRequest | str,
    *,
    dataset: str | None = None,
    task: str | None = None,
    options: EmbedOptions | None = None,
    progress: Progress | None = None,
) -> EmbedReport:
    """Encode every image of a source that has no vector yet.

    Parameters
    ----------
    store : Store
    listing : Listing
        From :func:`list_source`.
    request : EncoderRequest or str
    dataset : str, optional
        Its name in the store; by default that of the folder or manifest.
    task : str, optional
        That the labels of the source belong to; by default called as the dataset.
    options : EmbedOptions, optional
    progress : callable, optional
        Called with the inputs done, their number, and the errors so far.

    Returns
    -------
    EmbedReport

    Raises
    ------
    Interrupted
        Ctrl-C. What was done is kept.
    EncoderError, StoreError, UsageError
        See :mod:`icehouse.errors`. What was committed before is kept.
    """
    options = options or EmbedOptions()
    request = EncoderRequest(request) if isinstance(request, str) else request
    dataset = check_name("dataset", dataset or listing.name)
    known = known_rows(store, dataset)
    refuse_stranger(dataset, listing, known)
    task = _prepare_task(store, listing, task or dataset)

    encoder: Encoder | None = None
    encoder_id = find_request(store, request)
    plan, done = _plan(store, encoder_id, listing, known, options)
    if plan.todo:
        card = store.features(encoder_id).card if encoder_id else None
        encoder = open_encoder(like(request, card["spec"]["precision"]) if card else request)
        if encoder.spec.encoder_id != encoder_id:
            encoder_id = encoder.spec.encoder_id
            plan, done = _plan(store, encoder_id, listing, known, options)
        _canary.check(store, encoder)
        store.features(encoder_id).describe(_card(encoder, request))
    if encoder_id is None:
        raise SourceError(_nothing_readable(listing, plan))

    writer = Writer(store, encoder.spec if encoder else None, dataset, task, listing.source, done)
    writer.add_rows(plan.rows)
    if encoder is None or not plan.todo:
        writer.commit()
        return _report(dataset, encoder_id, listing, plan, writer, None, 0.0)
    started = time.perf_counter()
    pipeline = Pipeline(
        encoder,
        plan.todo,
        listing.source,
        done,
        batch_size=options.batch_size,
        workers=options.workers,
        max_pixels=options.max_pixels,
    )
    _run(store, pipeline, writer, plan, listing, progress)
    seconds = time.perf_counter() - started
    return _report(dataset, encoder_id, listing, plan, writer, pipeline, seconds)


def _run(
    store: Store,
    pipeline: Pipeline,
    writer: Writer,
    plan: Plan,
    listing: Listing,
    progress: Progress | None,
) -> None:
    total = len(listing.entries)
    finished = total - len(plan.todo)
    store.files.sweep("features")
    undo_threads = one_thread_each()
    interrupted = False
    outcomes = pipeline.outcomes()
    try:
        while True:
            try:
                outcome = next(outcomes, None)
            except KeyboardInterrupt:
                interrupted = True
                pipeline.stop()
                outcomes = pipeline.remaining()
                continue
            if outcome is None:
                break
            writer.add(outcome)
            finished += len(outcome.rows)
            if progress:
                progress(finished, total, sum((plan.errors + writer.errors).values()))
    finally:
        pipeline.stop()
        writer.commit()
        undo_threads()
    if interrupted:
        raise Interrupted(
            f"stopped after {finished} of {total} inputs. All of them are kept; "
            "run the same command again to go on"
        )


def _prepare_task(store: Store, listing: Listing, task: str) -> str | None:
    classes = {label for entry in listing.entries for label in entry.labels or ()}
    if not classes:
        return None
    kind = "multi" if listing.multi_label else "single"
    store.labels.ensure_task(check_name("task", task), kind, classes)
    return task


def _plan(
    store: Store,
    encoder_id: str | None,
    listing: Listing,
    known: dict[str, Any],
    options: EmbedOptions,
) -> tuple[Plan, frozenset[bytes]]:
    ids = store.features(encoder_id).ids() if encoder_id else ()
    done = frozenset(i.tobytes() for i in ids)
    return make_plan(listing, known, done, retry_errors=options.retry_errors), done


def _card(encoder: Encoder, request: EncoderRequest) -> dict[str, Any]:
    return {
        "encoder_id": encoder.spec.encoder_id,
        "request": {**asdict(request), "stamps": request.stamps()},
        "spec": asdict(encoder.spec),
        "software": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in LIBRARIES},
        },
    }


def _nothing_readable(listing: Listing, plan: Plan) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in plan.errors.items())
    return f"none of the {len(listing.entries)} inputs of {listing.source} can be read: {kinds}"


def _report(
    dataset: str,
    encoder_id: str,
    listing: Listing,
    plan: Plan,
    writer: Writer,
    pipeline: Pipeline | None,
    seconds: float,
) -> EmbedReport:
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
