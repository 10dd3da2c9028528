"""From a file's bytes and a fitted head to the parts of the picture that its answer rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image

from icehouse.embedder import Encoder, NetworkEncoder, decode, reopen_encoder
from icehouse.errors import UsageError
from icehouse.explain._explanation import Explained, Explanation, Pixels
from icehouse.explain._gradients import BY_GRADIENTS, check_gradients
from icehouse.explain._logits import differentiable
from icehouse.explain._occlusion import Answer, lime, occlusion
from icehouse.explain._options import BY_GRADIENT, GREY, LIME, OCCLUSION, ExplainOptions
from icehouse.explain._question import Question
from icehouse.explain._scores import likeness, scores_of
from icehouse.explain._sight import Sight, look
from icehouse.heads import StoredHead
from icehouse.store import Store, image_id, parts_of

ENCODED = 250  # about so many versions of a picture, with scores
SHOWN = 640  # pixels of the longer side of a picture that is handed out
PROBABILITY = "change of probability"
LOGIT = "change of the logit, by 1 % of the picture"
ANSWERS: Mapping[str, Callable[[Sight, int], Answer]] = {
    OCCLUSION: occlusion,
    LIME: lime,
    GREY: occlusion,
    **BY_GRADIENTS,
}


class Explainer:
    """A head with its encoders, open and ready to be asked why.

    One may be used by several threads at once.

    Parameters
    ----------
    store : Store
    stored : StoredHead
    encoders : sequence of Encoder, optional
        Those of the head, in the order in which its encoder_id names them, if they are open
        already. By default they are opened when they are needed.
    pictures : int
        How many there are to explain, by which the engine is chosen.
    """

    def __init__(
        self,
        store: Store,
        stored: StoredHead,
        encoders: Sequence[Encoder] | None = None,
        pictures: int = 1,
    ) -> None:
        self.stored = stored
        self._images = pictures * ENCODED
        self._store = store
        self._parts = parts_of(stored.card.encoder_id)
        if encoders is not None:
            self._encoders = tuple(encoders)

    @cached_property
    def _encoders(self) -> tuple[Encoder, ...]:
        return tuple(reopen_encoder(self._store, p, images=self._images) for p in self._parts)

    @cached_property
    def _on_torch(self) -> tuple[Encoder, ...]:
        """The encoders on the engine that has gradients."""
        if all(isinstance(each, NetworkEncoder) for each in self.__dict__.get("_encoders", [None])):
            return self._encoders
        return tuple(reopen_encoder(self._store, each, "torch") for each in self._parts)

    def network(self) -> NetworkEncoder:
        """Return the encoder as a network that can be looked into.

        Raises
        ------
        UsageError
            It is none, or there are several.
        """
        encoder = self._on_torch[0]
        if len(self._parts) > 1 or not isinstance(encoder, NetworkEncoder):
            what = "several encoders" if len(self._parts) > 1 else encoder.spec.architecture
            raise UsageError(
                f"head {self.stored.card.name!r} rests on {what}, which is no network of torch "
                "that could be looked into. Name a head on an encoder of timm or open_clip"
            )
        return encoder

    def check(self, options: ExplainOptions) -> None:
        """Refuse what this head cannot be asked, before any picture is looked at.

        Raises
        ------
        UsageError
            No such class, or no gradients for a method that needs them.
        """
        if options.shown is not None and options.shown not in self.stored.card.classes:
            raise UsageError(
                f"head {self.stored.card.name!r} has no class {options.shown!r}; it has: "
                f"{', '.join(self.stored.card.classes)}"
            )
        if options.method in BY_GRADIENT:
            network = all(isinstance(each, NetworkEncoder) for each in self._on_torch)
            smooth = differentiable(self.stored.head)
            check_gradients(options.method, len(self._parts), network, smooth)

    def explain(
        self, data: bytes, name: str = "", options: ExplainOptions | None = None
    ) -> Explained:
        """Say which parts of a picture speak for a class.

        Parameters
        ----------
        data : bytes
            A file; it is not stored.
        name : str
            To show.
        options : ExplainOptions, optional

        Returns
        -------
        Explained

        Raises
        ------
        ImageError
            It is no picture.
        UsageError
            It has less than 8 pixels a side; or as :meth:`check`.
        """
        options = options or ExplainOptions()
        self.check(options)
        encoders = self._on_torch if options.method in BY_GRADIENT else self._encoders
        hide = "grey" if options.method == GREY else options.hide
        sight = look(encoders, data, hide)
        proba = self._probabilities(sight)
        [predicted] = self.stored.answers(proba[:1])
        question = Question(self.stored, self._column(options.shown, predicted, proba[0]))
        answer = ANSWERS[options.method](sight, options.seed)
        values = answer(question)
        alike, changed = None, None
        if options.check:
            alike, changed = likeness(answer, question, options.seed)
        card = self.stored.card
        explanation = Explanation(
            name=name,
            image_id=image_id(data).hex(),
            task=card.task,
            head=card.name,
            encoder_id=card.encoder_id,
            method=options.method,
            predicted=predicted,
            probabilities={
                card.classes[i]: float(proba[0, i]) for i in np.argsort(-proba[0], kind="stable")
            },
            shown=card.classes[question.column],
            probability=float(proba[0, question.column]),
            hidden=float(proba[1, question.column]),
            unit=LOGIT if options.method in BY_GRADIENT else PROBABILITY,
            scores=scores_of(sight, question, values, options.seed) if options.scores else None,
            randomised=alike,
            passed=changed,
        )
        if options.method in BY_GRADIENT:
            values = values * values.size / 100
        grey = sight.views[0].hidden if options.method == GREY else None
        return Explained(explanation, _small(decode(data)), sight.box, values, grey)

    def _probabilities(self, sight: Sight) -> npt.NDArray[np.float32]:
        """Return probabilities of the whole picture and of the hidden one, (2, n_classes)."""
        masks = np.zeros((2, *sight.shape), np.bool_)
        masks[1] = True
        return self.stored.calibrated(sight.vectors(masks)).astype(np.float32)

    def _column(
        self, shown: str | None, predicted: tuple[str, ...], proba: npt.NDArray[np.float32]
    ) -> int:
        """Return the class that is asked about: by default the answer, of several the surest."""
        classes = self.stored.card.classes
        if shown is not None:
            return classes.index(shown)
        among = [classes.index(label) for label in predicted] or range(len(classes))
        return max(among, key=lambda column: proba[column])


def _small(pixels: Pixels) -> Pixels:
    image = Image.fromarray(pixels)
    image.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    return np.asarray(image)
