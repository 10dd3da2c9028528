"""``zero-shot``: answers by captions alone, measured on labels and beside a head.

An image belongs to the class whose captions its vector is nearest to: the probabilities are the
softmax of the cosines times the scale that the model has learnt (Radford et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from icehouse.embedder import TextEncoder, reopen_text_encoder
from icehouse.errors import LookupFailed, UsageError
from icehouse.heads import Metrics, choose_task, datasets_of, measure
from icehouse.review._oppose import oppose
from icehouse.review._prompts import (
    AS_IT_STANDS,
    TEMPLATES,
    Prompts,
    class_prompts,
    fill_templates,
)
from icehouse.review._zero_shot_report import ZeroShotReport
from icehouse.store import (
    FeatureMatrix,
    Place,
    Store,
    Task,
    ids_from_arrow,
    ids_from_bytes,
    positions,
    unit,
)

MULTI = "multi"
AT_ONCE = 65536


@dataclass(frozen=True)
class ZeroShotOptions:
    """What to ask about, and what to compare with.

    Attributes
    ----------
    task : str or None
        Whose labels measure, and whose classes are asked for where there are no captions. None:
        the only one, where its labels are among the classes of the captions.
    dataset : str or None
        Only images of this dataset. None: of the datasets of the task, where the task is named
        or gives the classes; else all.
    templates : sequence of str or None
        Put around every caption. None: captions as they stand, and :data:`TEMPLATES` around the
        names of a task's classes.
    against : str or None
        A head of the task. None: the one that is right most often, if there is any.
    folds : int
        For out-of-fold probabilities of the head that have to be computed.
    """

    task: str | None = None
    dataset: str | None = None
    templates: Sequence[str] | None = None
    against: str | None = None
    folds: int = 5


class CaptionClassifier:
    """Classes as directions in the space of images.

    Parameters
    ----------
    encoder : TextEncoder
    prompts : mapping
        Captions by class. Vectors of several captions of one class are averaged.

    Attributes
    ----------
    classes : tuple of str
        Sorted.
    vectors : array of float32, shape (n_classes, D)
        Of length 1.
    scale : float
    """

    def __init__(self, encoder: TextEncoder, prompts: Prompts) -> None:
        self.classes = tuple(sorted(prompts))
        counts = [len(prompts[name]) for name in self.classes]
        said = encoder.encode_text([text for name in self.classes for text in prompts[name]])
        groups = np.split(said, np.cumsum(counts)[:-1])
        self.vectors = unit(np.stack([group.mean(axis=0) for group in groups]))
        self.scale = encoder.logit_scale

    def predict_proba(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Return the probability of each class, float32 of shape (n, n_classes)."""
        proba = np.empty((len(vectors), len(self.classes)), np.float32)
        for start in range(0, len(vectors), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            proba[rows] = softmax(self.scale * (unit(vectors[rows]) @ self.vectors.T), axis=1)
        return proba


def zero_shot(
    store: Store,
    encoder_id: str,
    prompts: Prompts | None = None,
    options: ZeroShotOptions | None = None,
) -> ZeroShotReport:
    """Answer for images by captions of classes; nothing is fitted, and no label is needed.

    Parameters
    ----------
    store : Store
    encoder_id : str
        Of an encoder that takes words, which is opened again.
    prompts : mapping, optional
        Captions by class, two classes or more; by default made of the task's classes.
    options : ZeroShotOptions, optional

    Returns
    -------
    ZeroShotReport

    Raises
    ------
    UsageError
        Neither captions nor a task; labels that no caption stands for; a multi-label task; a
        head without a task, or with classes that no caption stands for; an encoder without
        text.
    LookupFailed
        No such task, dataset or head; no image that has features of the encoder.
    WeightsError, CanaryError
        The encoder is not what it was.
    """
    options = options or ZeroShotOptions()
    usual = TEMPLATES if prompts is None else AS_IT_STANDS
    task = _task(store, options.task, prompts)
    if prompts is None:
        assert task is not None
        prompts = class_prompts(task.classes)
    elif len(prompts) < 2:
        raise UsageError(f"images are compared with two classes or more, got {len(prompts)}")
    prompts = fill_templates(prompts, options.templates or usual)
    of_task = task is not None and (options.task is not None or usual is TEMPLATES)
    images, places, notes = _images(store, encoder_id, _datasets(store, options, task, of_task))
    labels = _labels(store, task, places)
    if task and (unknown := sorted(set(filter(None, labels)) - set(prompts))):
        what = f"no caption stands for these labels of task {task.name!r}: {', '.join(unknown)}"
        if of_task:
            raise UsageError(f"{what}. The classes of the captions are: {', '.join(prompts)}")
        notes.append(f"{what}; so labels and heads are not compared")
        task, labels = None, [None] * len(places)
    head, why = oppose(store, task, options.against, images, prompts, options.folds)
    notes += why
    classifier = CaptionClassifier(reopen_text_encoder(store, encoder_id), prompts)
    proba = classifier.predict_proba(images.vectors)
    return ZeroShotReport(
        encoder_id=encoder_id,
        task=task.name if task else None,
        classes=classifier.classes,
        prompts={name: prompts[name] for name in classifier.classes},
        scale=classifier.scale,
        places=places,
        labels=labels,
        proba=proba,
        metrics=_metrics(classifier.classes, labels, proba),
        head=head,
        notes=tuple(notes),
    )


def _task(store: Store, name: str | None, prompts: Prompts | None) -> Task | None:
    """Return the task whose labels or classes are meant; None where captions are on their own."""
    if name is None:
        tasks = store.labels.tasks() if store.has_labels else []
        if prompts is not None:
            return tasks[0] if len(tasks) == 1 and tasks[0].kind != MULTI else None
        store.require_labels()
        if not tasks:
            raise UsageError(
                "there is nothing to compare images with: the store has no task whose classes "
                'could be asked for. Give --captions "field=a photo of a field" and so on, or '
                "--prompts FILE"
            )
    task = choose_task(store, name)
    if task.kind == MULTI:
        raise UsageError(
            f"task {task.name!r} gives an image any number of labels, and captions are weighed "
            "against each other: one class wins. Give --captions of classes that exclude each "
            "other, without --task"
        )
    return task


def _datasets(
    store: Store, options: ZeroShotOptions, task: Task | None, of_task: bool
) -> list[str]:
    if options.dataset is not None:
        return [options.dataset]
    return datasets_of(store, task.name) if task and of_task else store.catalog.datasets()


def _images(
    store: Store, encoder_id: str, datasets: list[str]
) -> tuple[FeatureMatrix, list[Place], list[str]]:
    """Return the images of datasets that have features, by dataset and key, and what to know."""
    features = store.features(encoder_id).load()
    columns = [store.catalog.rows(each, ["image_id"])["image_id"] for each in datasets]
    there = [ids_from_arrow(column.drop_null()) for column in columns]
    scope = np.unique(np.concatenate([ids_from_bytes([]), *there]))
    rows = np.flatnonzero(positions(features.ids, scope) >= 0)
    if not len(rows):
        raise LookupFailed(
            f"no image of {', '.join(datasets) or 'the store'} has features of encoder "
            f"{encoder_id}. Run icehouse embed with this encoder first"
        )
    known = store.places(prefer=datasets)
    places = [known[features.ids[row].tobytes()] for row in rows]
    order = sorted(range(len(rows)), key=lambda i: (places[i].dataset, places[i].key))
    rows, missing = rows[order], len(scope) - len(rows)
    return (
        FeatureMatrix(encoder_id, features.ids[rows], features.vectors[rows]),
        [places[i] for i in order],
        [f"{missing} images have no features of this encoder"] if missing else [],
    )


def _labels(store: Store, task: Task | None, places: list[Place]) -> list[str | None]:
    said = store.labels.present(task.name) if task else {}
    return [said[p.image_id][0] if p.image_id in said else None for p in places]


def _metrics(
    classes: tuple[str, ...], labels: list[str | None], proba: npt.NDArray[np.float32]
) -> Metrics | None:
    rows = np.array([i for i, label in enumerate(labels) if label is not None], np.int64)
    if not len(rows):
        return None
    names, truth = np.array(classes), np.array([labels[i] for i in rows])
    return measure(truth, proba[rows], names[proba[rows].argmax(axis=1)], names)
