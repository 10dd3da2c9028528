"""What can be asked for: methods, and what parts of a picture are hidden by."""

from __future__ import annotations

from dataclasses import dataclass

from icehouse.errors import UsageError

OCCLUSION, LIME, GREY = "occlusion", "lime", "black-and-white"
GRADIENTS, GRAD_CAM = "integrated-gradients", "grad-cam"
METHODS = (OCCLUSION, LIME, GRADIENTS, GRAD_CAM, GREY)
BY_GRADIENT = (GRADIENTS, GRAD_CAM)
HIDES = ("blur", "mean")
SYNONYMS = {"ig": GRADIENTS, "gradcam": GRAD_CAM, "grey": GREY, "gray": GREY, "bw": GREY}


@dataclass(frozen=True)
class ExplainOptions:
    """How to explain.

    Attributes
    ----------
    method : {"occlusion", "lime", "integrated-gradients", "grad-cam", "black-and-white"}
    shown : str or None
        The class whose probability is explained. None: the answer.
    hide : {"blur", "mean"}
        What takes the place of hidden parts: the picture blurred, or its mean colour.
        "black-and-white" hides colour alone.
    scores : bool
        Also measure how good the map is: :class:`Scores`.
    check : bool
        Also compare the map with those of heads whose weights are shuffled.
    seed : int
        Of all that is drawn by lot.

    Raises
    ------
    UsageError
        No such method, or nothing to hide parts by.
    """

    method: str = OCCLUSION
    shown: str | None = None
    hide: str = "blur"
    scores: bool = True
    check: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", SYNONYMS.get(self.method, self.method))
        if self.method not in METHODS:
            raise UsageError(f"no method {self.method!r}; give one of: {', '.join(METHODS)}")
        if self.hide not in HIDES:
            raise UsageError(f"parts are hidden by: {', '.join(HIDES)}; got {self.hide!r}")
        if self.seed < 0:
            raise UsageError(f"a seed is 0 or more, got {self.seed}")
