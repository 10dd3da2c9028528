"""A head, with or without its encoder, as an ONNX file that was seen to answer as it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse import __version__
from icehouse.embedder import OnnxEncoder, encoder_to_onnx, similarity
from icehouse.errors import ExportError, MissingExtra, UsageError
from icehouse.heads._base import AnyArray
from icehouse.heads._card import HeadCard
from icehouse.heads._stored import StoredHead
from icehouse.heads.export._calibrate import calibrated
from icehouse.heads.export._graph import FLOAT, FLOAT16, Graph, extend, library, start
from icehouse.heads.export._kinds import EXPORTED
from icehouse.store import FeatureMatrix, Store, files_at, ids_from_bytes, image_id

Floats = npt.NDArray[np.float32]
TOLERANCE = 1e-4
MIN_COSINE = 0.9999  # of vectors, both computed in float32
CHECKED = 1024
BATCH = 64
LARGEST = 2**31 - 2**20  # protobuf's limit, less something for names


@dataclass(frozen=True)
class HeadExport:
    """A file that was written.

    Attributes
    ----------
    path : str
    task, head, kind, encoder_id : str
    inputs : str
        "features", float32 (n, D), or "image", uint8 (n, H, W, 3).
    bytes : int
    checked : int
        Rows of stored features for which its probabilities were compared with the head's.
    difference : float
        The largest one.
    pictures : int
        Drawn pictures that went through encoder and head; 0 without the encoder.
    picture_difference : float or None
        The largest one of their probabilities, to torch in float32 and the head.
    notes : tuple of str
    """

    path: str
    task: str
    head: str
    kind: str
    encoder_id: str
    inputs: str
    bytes: int
    checked: int
    difference: float
    pictures: int
    picture_difference: float | None
    notes: tuple[str, ...]


def export_head(
    store: Store, stored: StoredHead, out: str, *, with_encoder: bool = False
) -> HeadExport:
    """Write a head as ONNX, calibrated probabilities as its output.

    Before the file is put in place onnxruntime computes it on stored features, and with the
    encoder also on drawn pictures; nothing is written where its probabilities are not ours.

    Parameters
    ----------
    store : Store
    stored : StoredHead
    out : str
        File, or URL of one.
    with_encoder : bool
        From pictures of the encoder's size to probabilities.

    Raises
    ------
    ExportError
        There is no way to write it as ONNX, it would be too large, or it answers otherwise.
    MissingExtra
        The packages onnx and onnxruntime are not installed.
    UsageError
        There is a folder where the file is to be.
    """
    folder, slash, name = out.rpartition("/")
    files = files_at(folder or slash or ".")
    if not name or Path(files.where(name)).is_dir():
        raise UsageError(
            f"{out} is a folder; give the name of a file in it, such as "
            f"{out.rstrip('/')}/{stored.card.name}.onnx"
        )
    onnx, card = library(), stored.card
    _runtime()
    spec = store.features(card.encoder_id).card["spec"]
    graph = Graph()
    proba = _head(graph, stored, spec.get("stored_as"))
    encoder = encoder_to_onnx(store, card.encoder_id) if with_encoder else None
    _refuse_too_large(card, graph, encoder)
    model = start(int(spec["dim"]))
    extend(model, graph, proba, len(card.classes))
    some = _some(store.features(card.encoder_id).load(), card)
    difference = _compare(_computed(model, "features", some.vectors)[0], stored, some)
    seen = None
    if encoder is not None:
        model = onnx.load_from_string(encoder.model)
        extend(model, graph, proba, len(card.classes))
        seen = _compare_pictures(model, encoder, stored)
    onnx.helper.set_model_props(model, _metadata(stored, spec))
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    return HeadExport(
        path=files.commit(name, data),
        task=card.task,
        head=card.name,
        kind=card.kind,
        encoder_id=card.encoder_id,
        inputs="features" if encoder is None else "image",
        bytes=len(data),
        checked=len(some),
        difference=difference,
        pictures=0 if encoder is None else len(encoder.pictures),
        picture_difference=seen,
        notes=tuple(_notes(stored, encoder)),
    )


def _head(graph: Graph, stored: StoredHead, stored_as: str | None) -> str:
    """Add a head and its calibration behind ``features``, and return its output."""
    kind = stored.card.kind
    if kind not in EXPORTED:
        raise ExportError(
            f"a head {kind!r} cannot be written as ONNX; these can: {', '.join(EXPORTED)}"
        )
    features = "features"
    if stored_as == "float16":  # as the head has seen all features, which trees are picky about
        features = graph.cast(graph.cast(features, FLOAT16), FLOAT)
    return calibrated(graph, EXPORTED[kind](graph, features, stored.head), stored)


def _refuse_too_large(card: HeadCard, graph: Graph, encoder: OnnxEncoder | None) -> None:
    size = graph.nbytes + (0 if encoder is None else len(encoder.model))
    if size > LARGEST:
        raise ExportError(
            f"head {card.name!r} would be a file of {size / 2**30:.1f} GiB, and one of ONNX holds "
            "2 GiB at most. Export without the encoder, or a head of another kind"
        )


def _some(features: FeatureMatrix, card: HeadCard) -> FeatureMatrix:
    """Return features to compare answers for, evenly from all that there are."""
    if not len(features):
        raise ExportError(
            f"the store has no features of {card.encoder_id} any more, so that nothing shows "
            "whether the file answers as the head does. Embed some images first"
        )
    rows = np.unique(np.linspace(0, len(features) - 1, CHECKED).astype(np.int64))
    return FeatureMatrix(features.encoder_id, features.ids[rows], features.vectors[rows])


def _compare(proba: Floats, stored: StoredHead, features: FeatureMatrix) -> float:
    """Return the largest difference from the head's own probabilities, or refuse it."""
    difference = float(np.abs(proba - stored.predict_proba(features)).max())
    if not difference <= TOLERANCE:
        raise ExportError(
            f"head {stored.card.name!r} as ONNX gives probabilities that differ by up to "
            f"{difference:.2g} from its own (allowed are {TOLERANCE:g}), so nothing was written. "
            "Fit it again, or export a head of another kind"
        )
    return difference


def _compare_pictures(model: Any, encoder: OnnxEncoder, stored: StoredHead) -> float:
    """Return the largest difference for pictures, from torch in float32 and the head."""
    proba, features = _computed(model, "image", encoder.pictures)
    cosine = float(similarity(features, encoder.vectors).min())
    if not cosine >= MIN_COSINE:
        raise ExportError(
            f"encoder {stored.card.encoder_id} as ONNX gives other vectors than torch does "
            f"(cosine {cosine:.4f}), so nothing was written. Export without --with-encoder"
        )
    ids = ids_from_bytes(image_id(picture.tobytes()) for picture in encoder.pictures)
    vectors = encoder.vectors.astype(encoder.spec.stored_as)
    return _compare(proba, stored, FeatureMatrix(stored.card.encoder_id, ids, vectors))


def _computed(model: Any, name: str, rows: AnyArray) -> list[Floats]:
    """Run a model on rows, a batch at a time, and return its outputs."""
    rows = rows if rows.dtype == np.uint8 else rows.astype(np.float32)
    runtime = _runtime()
    try:
        session = runtime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        parts = [
            session.run(None, {name: rows[at : at + BATCH]}) for at in range(0, len(rows), BATCH)
        ]
    except Exception as error:  # of another library: whatever it raises
        said = " ".join(str(error).split())[:300]
        raise ExportError(f"onnxruntime cannot run it, so nothing was written: {said}") from error
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def _metadata(stored: StoredHead, spec: dict[str, Any]) -> dict[str, str]:
    """Return what a program has to know that uses the file."""
    card = stored.card
    return {
        "icehouse": __version__,
        "task": card.task,
        "head": card.name,
        "kind": card.kind,
        "classes": json.dumps(card.classes, ensure_ascii=False),
        "threshold": json.dumps(np.asarray(stored.threshold).tolist()),
        "answer": _answer(stored),
        "encoder_id": card.encoder_id,
        "preprocess": json.dumps(spec.get("preprocess")),
        "fitted_at": card.fitted_at,
    }


def _answer(stored: StoredHead) -> str:
    if stored.head.multi_label_:
        return "every class from its threshold on"
    if len(stored.card.classes) == 2:
        return "the second class from the threshold on, else the first"
    return "the most probable class"


def _notes(stored: StoredHead, encoder: OnnxEncoder | None) -> Iterator[str]:
    if stored.card.kind == "knn":
        count = len(stored.head.to_arrays()["vectors"])
        yield f"it holds the vectors of {count:,} training images; forget does not reach them there"
    if encoder is not None and encoder.spec.precision != "float32":
        yield (
            f"the store's features were computed in {encoder.spec.precision}, the file computes in "
            "float32: answers near a threshold may differ"
        )


def _runtime() -> Any:
    # Imported here because it is an extra.
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("onnxruntime", "onnx") from None
    return onnxruntime
