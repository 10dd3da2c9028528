"""``embed``: freeze a dataset's features, once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from icehouse.embedder._choose import find_request, request_of
from icehouse.embedder._crew import Crew
from icehouse.embedder._decode import MAX_PIXELS
from icehouse.embedder._encoder import EncoderRequest
from icehouse.embedder._engine import ENGINES, Opened, open_on
from icehouse.embedder._kept_rate import keep_rate
from icehouse.embedder._known import Known
from icehouse.embedder._meet import meet
from icehouse.embedder._pipeline import Pipeline, StageTimes
from icehouse.embedder._plan import Plan, make_plan, refuse_stranger
from icehouse.embedder._ray import RayPipeline, Settings
from icehouse.embedder._ray_cluster import require_ray
from icehouse.embedder._reading import timed
from icehouse.embedder._report import EmbedReport, Failure, make_report, make_speed
from icehouse.embedder._run import Progress, run
from icehouse.embedder._source_labels import check_task, record_labels
from icehouse.embedder._statistics import with_statistics
from icehouse.embedder._views import Coverage, ViewOptions, Wanted, agree_on_recipe
from icehouse.embedder._writer import Writer
from icehouse.embedder.sources import Listing, keys_of, read_ahead
from icehouse.errors import Interrupted, SourceError, UsageError
from icehouse.store import Store, check_name


@dataclass(frozen=True)
class EmbedOptions:
    """How to run, as far as it changes no vector.

    Attributes
    ----------
    batch_size : int or None
        None: 16, or 256 where a GPU encodes.
    workers : int or None
        None: one for each core, or 16 where a GPU encodes.
    max_pixels : int
        Images with more are errors.
    retry_errors : bool
        Read again what could not be decoded the last time.
    engine : {"auto", "torch", "openvino", "ray"}
        What does the encoder's arithmetic; "auto" measures where it can pay. "ray": workers on a
        Ray cluster, each of which chooses as "auto" does.
    address : str or None
        Of the cluster: "auto" or host:port. None: one on this machine that ends with the run.
    views : ViewOptions
        Augmented views that are wanted too.
    """

    batch_size: int | None = None
    workers: int | None = None
    max_pixels: int = MAX_PIXELS
    retry_errors: bool = False
    engine: str = "auto"
    address: str | None = None
    views: ViewOptions = field(default_factory=ViewOptions)

    def __post_init__(self) -> None:
        for name in ("batch_size", "workers", "max_pixels"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is 1 or more, got {value}")
        if self.engine not in ENGINES:
            raise UsageError(f"no engine {self.engine!r}; give one of: {', '.join(ENGINES)}")
        if self.address is not None and self.engine != "ray":
            raise UsageError("an address is that of a Ray cluster; give --engine ray with it")


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
        One from :meth:`Store.open_or_plan` is made when source and encoder were found good.
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
    SourceError
        Nothing of it can be read, and the store has not met the encoder; nothing was written.
    EncoderError, StoreError, UsageError
        See :mod:`icehouse.errors`. What was committed before is kept.
    """
    options = options or EmbedOptions()
    if options.engine == "ray":
        require_ray()
    request = EncoderRequest(request) if isinstance(request, str) else request
    dataset = check_name("dataset", dataset or listing.name)
    store.files.sweep(f"catalog/{dataset}")
    known = Known.of(store, dataset)
    refuse_stranger(dataset, listing, known)
    task = check_task(store, listing, task or dataset)

    work = _resolve(store, request, listing, known, options)
    if work.encoder_id is None:
        raise SourceError(_nothing_readable(listing, work.plan, known))
    del known  # it is as large as the dataset, and all that matters of it is planned
    spec = work.opened.encoder.spec if work.opened else None
    writer = Writer(store, spec, dataset, work.coverage.held)
    writer.add_rows(work.plan.rows)
    if work.opened is None or not work.plan.todo:
        writer.commit()
        notes = record_labels(store, listing, dataset, task)
        report = make_report(dataset, work.encoder_id, listing, work.plan, writer, notes)
        return replace(report, failures=_failures(store, dataset))
    started = time.perf_counter()
    reading = StageTimes()
    pipeline = _crew(store, listing, work, reading, options)
    try:
        run(pipeline, writer, work.plan, len(listing.entries), progress)
    except Interrupted:  # labels of what was done before are labels too
        record_labels(store, listing, dataset, task)
        raise
    notes = record_labels(store, listing, dataset, task)
    seconds = time.perf_counter() - started
    report = make_report(dataset, work.encoder_id, listing, work.plan, writer, notes)
    speed = make_speed(pipeline, work.opened, seconds, reading)
    if speed is not None:
        keep_rate(store, work.encoder_id, report.encoded, speed)
    return replace(report, failures=_failures(store, dataset), seconds=seconds, speed=speed)


@dataclass(frozen=True)
class _Work:
    """What is to be done, and by whom; no encoder where nothing has to be encoded."""

    plan: Plan
    coverage: Coverage
    encoder_id: str | None
    opened: Opened | None


def _resolve(
    store: Store,
    request: EncoderRequest,
    listing: Listing,
    known: Known,
    options: EmbedOptions,
) -> _Work:
    encoder_id = find_request(store, request)
    plan, coverage = _plan(store, encoder_id, listing, known, options)
    if not plan.todo:
        return _Work(plan, coverage, encoder_id, None)
    card = store.features(encoder_id).card if encoder_id else None
    wanted = request_of(card) if card else with_statistics(request, plan.todo, options.max_pixels)
    # On a cluster the encoder is only looked at here, and works elsewhere.
    engine = "torch" if options.engine == "ray" else options.engine
    opened = open_on(wanted, engine, len(plan.todo))
    encoder = opened.encoder
    if encoder.spec.encoder_id != encoder_id:
        encoder_id = encoder.spec.encoder_id
        plan, coverage = _plan(store, encoder_id, listing, known, options)
    meet(store, encoder, request)
    agree_on_recipe(store, encoder_id, options.views)
    return _Work(plan, coverage, encoder_id, opened)


def _crew(
    store: Store, listing: Listing, work: _Work, reading: StageTimes, options: EmbedOptions
) -> Crew:
    assert work.opened is not None
    encoder = work.opened.encoder
    if options.engine == "ray":
        request = request_of(store.features(encoder.spec.encoder_id).card)
        settings = Settings(
            options.address,
            options.batch_size,
            options.workers,
            options.max_pixels,
            options.views.augment,
        )
        return RayPipeline(
            encoder, request, work.plan.todo, listing.source, work.coverage, settings
        )
    return Pipeline(
        encoder,
        timed(read_ahead(work.plan.todo), reading),
        listing.source,
        work.coverage,
        options.views.augment,
        batch_size=options.batch_size,
        workers=options.workers,
        max_pixels=options.max_pixels,
    )


def _failures(store: Store, dataset: str) -> tuple[Failure, ...]:
    if dataset not in store.catalog.datasets():
        return ()
    rows = store.catalog.rows(dataset, ["key", "error", "error_detail"])
    failed = rows.filter(rows["error"].is_valid()).sort_by("key").to_pylist()
    return tuple(Failure(r["key"], r["error"], r["error_detail"] or "") for r in failed)


def _plan(
    store: Store,
    encoder_id: str | None,
    listing: Listing,
    known: Known,
    options: EmbedOptions,
) -> tuple[Plan, Coverage]:
    held: dict[bytes, int] = {}
    if encoder_id:
        ids, counts = store.features(encoder_id).held()
        held = dict(zip((i.tobytes() for i in ids), counts.tolist(), strict=True))
    coverage = Coverage(held, Wanted.by(options.views, listing.entries))
    return make_plan(listing, known, coverage, retry_errors=options.retry_errors), coverage


def _nothing_readable(listing: Listing, plan: Plan, known: Known) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in plan.errors.items())
    first = listing.entries[0]
    row = next(known.rows(keys_of(listing.entries[:1])))
    detail = first.detail if first.error or row is None else row.error_detail
    return (
        f"nothing of {listing.source} can be read: {kinds}. The first is {first.key}: {detail}. "
        "Mend or replace them; --retry-errors reads again what could not be decoded before"
    )
