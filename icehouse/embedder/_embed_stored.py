"""Another encoder for all that a store holds: images are fetched again from where they came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from icehouse.embedder._choose import find_request, request_of
from icehouse.embedder._embed import EmbedOptions
from icehouse.embedder._encoder import EncoderRequest
from icehouse.embedder._engine import open_on
from icehouse.embedder._meet import meet
from icehouse.embedder._pipeline import Outcome, Pipeline
from icehouse.embedder._plan import Plan
from icehouse.embedder._report import Failure
from icehouse.embedder._run import Progress, run
from icehouse.embedder._views import Coverage
from icehouse.embedder._writer import Writer
from icehouse.embedder.sources import Entry, Stored, read_ahead
from icehouse.errors import UsageError
from icehouse.store import Place, Store, ids_from_arrow, positions

COLUMNS = ["dataset", "key", "source", "image_id"]


@dataclass(frozen=True)
class Completed:
    """What came of giving the images of a store the vectors of an encoder.

    Attributes
    ----------
    encoder_id : str or None
        None where the store has no images, and has not met the encoder.
    images : int
        Of the store, or of the dataset.
    encoded : int
        By this run.
    lost : tuple of Failure
        Images that cannot be read any more, by one of their keys.
    """

    encoder_id: str | None
    images: int
    encoded: int
    lost: tuple[Failure, ...]


def embed_stored(
    store: Store,
    request: EncoderRequest | str,
    *,
    dataset: str | None = None,
    options: EmbedOptions | None = None,
    progress: Progress | None = None,
) -> Completed:
    """Encode every image that the catalog holds and that has no vector of this encoder yet.

    No source is listed for what is new in it, no label is recorded, and no row of the catalog
    changes. An image is read from the first of its places where its bytes still are what they were.

    Parameters
    ----------
    store : Store
    request : EncoderRequest or str
    dataset : str, optional
        Only its images.
    options : EmbedOptions, optional
        Neither views nor a cluster.
    progress : callable, optional
        Called with the images done, their number, and those that could not be read.

    Raises
    ------
    Interrupted
        Ctrl-C. What was done is kept.
    LookupFailed
        No such dataset.
    EncoderError, StoreError, UsageError
        See :mod:`icehouse.errors`. What was committed before is kept.
    """
    options = options or EmbedOptions()
    if options.views.views or options.engine == "ray":
        raise UsageError("views and clusters are for what is embedded from its source")
    request = EncoderRequest(request) if isinstance(request, str) else request
    if request.pictures.normalise == "dataset":
        raise UsageError("the mean of a dataset is measured when it is embedded from its source")
    everything = store.catalog.everything(COLUMNS)
    rows = store.catalog.rows(dataset, COLUMNS) if dataset is not None else everything
    rows = rows.filter(pc.is_valid(pc.field("image_id")))
    images = len(rows["image_id"].unique())
    encoder_id = find_request(store, request)
    missing = _missing(store, encoder_id, rows)
    if not len(missing):
        return Completed(encoder_id, images, 0, ())
    card = store.features(encoder_id).card if encoder_id else None
    encoder = open_on(request_of(card) if card else request, options.engine, len(missing)).encoder
    if encoder.spec.encoder_id != encoder_id:
        missing = _missing(store, encoder.spec.encoder_id, rows)
    meet(store, encoder, request)
    entries = _entries(missing, everything)
    pipeline = _Watched(
        encoder,
        read_ahead(entries),
        "",
        Coverage(),
        batch_size=options.batch_size,
        workers=options.workers,
        max_pixels=options.max_pixels,
    )
    writer = Writer(store, encoder.spec, None, ())
    run(pipeline, writer, Plan(todo=entries), len(entries), progress)
    return Completed(encoder.spec.encoder_id, images, writer.encoded, tuple(pipeline.lost))


class _Watched(Pipeline):
    """A pipeline that remembers what could not be read."""

    lost: Sequence[Failure] = ()

    def outcomes(self) -> Iterator[Outcome]:
        """See :meth:`Pipeline.outcomes`."""
        lost = []
        for outcome in super().outcomes():
            failed = [row for row in outcome.rows if row.error is not None]
            lost += [Failure(r.key, str(r.error), r.error_detail or "") for r in failed]
            yield outcome
        self.lost = sorted(lost, key=lambda failure: failure.key)


def _missing(store: Store, encoder_id: str | None, rows: pa.Table) -> pa.Array:
    """Return the images that have no vector, without repetition."""
    images = rows["image_id"].unique()
    if encoder_id is None:
        return images
    known, _ = store.features(encoder_id).held()
    return images.filter(pa.array(positions(ids_from_arrow(images), known) < 0))


def _entries(images: pa.Array, everything: pa.Table) -> list[Entry]:
    """Return an entry for each image, in the order in which they are best read."""
    wanted = everything.filter(pc.is_in(everything["image_id"], value_set=images))
    places: dict[bytes, list[Place]] = {}
    for row in wanted.sort_by([("dataset", "ascending"), ("key", "ascending")]).to_pylist():
        places.setdefault(row["image_id"], []).append(Place(**row))
    return [Entry(several[0].key, Stored(tuple(several))) for several in places.values()]
