"""Encoders of open_clip: the image tower of a contrastive model, and its text tower."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from icehouse.embedder import _torchvision_ops  # noqa: F401  (before open_clip imports it)

# isort: split
import open_clip
import torch

from icehouse.embedder._clip_layers import trim
from icehouse.embedder._encoder import LOCAL, EncoderRequest
from icehouse.embedder._hub import explained, use_hub_or_cache
from icehouse.embedder._spec import INTERPOLATIONS, RESIZE_MODES, PreprocessSpec
from icehouse.embedder._torch_encoder import Network, TorchEncoder
from icehouse.errors import EncoderError, UnknownEncoder, WeightsError

TEXTS_AT_ONCE = 256


class ClipEncoder(TorchEncoder):
    """A CLIP model: images and texts in one space, both of length 1.

    Parameters
    ----------
    network : Network
    request : EncoderRequest
    tokenizer : callable
        Loads what turns texts into tokens. Images do not wait for it.
    """

    def __init__(
        self, network: Network, request: EncoderRequest, tokenizer: Callable[[], Any]
    ) -> None:
        model: Any = network.module
        # Before all is cast: what bfloat16 rounds off the logarithm would be 0.8 % of the scale.
        self.logit_scale = float(model.logit_scale.exp().item())
        self._name = request.name
        self._load_tokenizer = tokenizer
        super().__init__(network, request)

    @cached_property
    def _tokenizer(self) -> Any:
        try:
            with explained(self._name):
                return self._load_tokenizer()
        except ImportError as error:  # open_clip leaves what other tokenizers need to the user
            raise EncoderError(
                f"the tokenizer of {self._name} needs a package that is not installed: "
                f"{error}. Install it with pip; for tokenizers of Hugging Face it is transformers"
            ) from error

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Turn texts into vectors, float32 of shape (len(texts), D) and length 1.

        The text tower runs where and in what precision the image tower does. A text of more
        tokens than the model has places for (77 as a rule) is cut, as open_clip does it.

        Raises
        ------
        WeightsError
            The tokenizer that the model's configuration names cannot be loaded.
        EncoderError
            It needs a package that is not installed.
        """
        network: Any = self.module
        vectors = np.empty((len(texts), self.spec.dim), np.float32)
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = list(texts[start : start + TEXTS_AT_ONCE])
            raw = network.encode_text(self._tokenizer(some).to(self.device)).float()
            vectors[start : start + len(some)] = torch.nn.functional.normalize(raw, dim=1).cpu()
        return vectors


def load(request: EncoderRequest) -> ClipEncoder:
    """Load ``clip:MODEL/TAG`` or ``clip:local-dir:PATH``."""
    rest = request.name.partition(":")[2]
    model: Any
    with explained(request.name):
        if rest.startswith(LOCAL):
            architecture, config = "local", _read_config(Path(rest.removeprefix(LOCAL)))
            model = open_clip.create_model(rest, require_pretrained=True)
        else:
            architecture, _, tag = rest.partition("/")
            config = _named_config(architecture, tag)
            use_hub_or_cache()
            with warnings.catch_warnings():
                # A wrong activation is a warning to open_clip; here it would poison a store.
                warnings.filterwarnings("error", message="QuickGELU mismatch")
                model = open_clip.create_model(
                    architecture,
                    pretrained=tag,
                    require_pretrained=True,
                    force_quick_gelu=config.get("quick_gelu", False),
                )
        preprocess = preprocess_spec(model.visual.preprocess_cfg)
    trim(model.visual)
    network = Network("clip", architecture, config, model, model.encode_image, preprocess, "l2")
    # Of a folder the whole name, so that the tokenizer's files are looked for there too.
    named = rest if rest.startswith(LOCAL) else architecture
    return ClipEncoder(network, request, partial(open_clip.get_tokenizer, named))


def preprocess_spec(config: dict[str, Any]) -> PreprocessSpec:
    """Spell out open_clip's preprocessing configuration as its evaluation transform reads it."""
    if config["interpolation"] not in INTERPOLATIONS:
        raise EncoderError(
            f"the model wants interpolation {config['interpolation']!r}, "
            f"and only these are exact here: {', '.join(INTERPOLATIONS)}"
        )
    resize = config["resize_mode"] or "shortest"
    if resize not in RESIZE_MODES:
        raise EncoderError(f"the model wants resize mode {resize!r}, which is not known here")
    size = config["size"]
    height, width = (size, size) if isinstance(size, int) else size
    fill = int(config.get("fill_color", 0) or 0)
    return PreprocessSpec(
        size=(height, width),
        resize_to=(height, width),
        resize=resize,
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        fill=(fill, fill, fill),
    )


def _read_config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise WeightsError(
            f"there is no folder {folder}; it should hold open_clip_config.json and weights"
        )
    path = folder / "open_clip_config.json"
    if not path.is_file():
        raise WeightsError(f"{folder} has no open_clip_config.json, which says what network it is")
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["model_cfg"]
    return config


def _named_config(model: str, tag: str) -> dict[str, Any]:
    config = open_clip.get_model_config(model)
    if config is None:
        close = [name for name in open_clip.list_models() if name.startswith(model[:5])][:5]
        near = f" Near to it: {', '.join(close)}." if close else ""
        raise UnknownEncoder(
            f"open_clip has no model {model!r}.{near} All of them: "
            "python -c 'import open_clip; print(open_clip.list_models())'"
        )
    tags = open_clip.list_pretrained_tags_by_model(model)
    if tag not in tags:
        raise UnknownEncoder(
            f"open_clip's {model} has no weights {tag!r}. It has: {', '.join(tags) or 'none'}"
        )
    # The activation belongs to the weights: OpenAI's were trained with QuickGELU.
    quick = bool(open_clip.get_pretrained_cfg(model, tag).get("quick_gelu", False))
    return {**config, "quick_gelu": quick or bool(config.get("quick_gelu", False))}
