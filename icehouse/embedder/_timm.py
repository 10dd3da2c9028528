"""Encoders of timm: a classification network up to its pooled features."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from icehouse.embedder import _torchvision_ops  # noqa: F401  (before timm imports torchvision)

# isort: split
import timm
from timm.data.config import resolve_model_data_config

from icehouse.embedder._encoder import LOCAL, TINY, EncoderRequest
from icehouse.embedder._hub import explained, use_hub_or_cache
from icehouse.embedder._spec import INTERPOLATIONS, PreprocessSpec
from icehouse.embedder._torch_encoder import Network, TorchEncoder
from icehouse.errors import EncoderError, UnknownEncoder, WeightsError

CROP_MODES = {"center": "shortest", "squash": "squash", "border": "longest"}


def load(request: EncoderRequest) -> TorchEncoder:
    """Load ``timm:MODEL.TAG``, ``timm:local-dir:PATH``, ``timm:MODEL@FILE`` or ``tiny``."""
    family, _, rest = request.name.partition(":")
    if family == "tiny":
        if rest:
            raise UnknownEncoder(f"no encoder {request.name!r}; tiny takes nothing after it")
        rest = f"{LOCAL}{TINY}"
    model: Any
    with explained(request.name):
        if rest.startswith(LOCAL):
            architecture, config = _read_config(Path(rest.removeprefix(LOCAL)))
            model = timm.create_model(rest, pretrained=True)
        elif "@" in rest:
            architecture, config = rest.partition("@")[0], {}
            _check_name(architecture)
            overlay = {"file": _existing(Path(rest.partition("@")[2]))}
            model = timm.create_model(architecture, pretrained=True, pretrained_cfg_overlay=overlay)
        else:
            architecture, config = rest, {}
            _check_name(architecture)
            use_hub_or_cache()
            model = timm.create_model(rest, pretrained=True)
        preprocess = preprocess_spec(resolve_model_data_config(model))
    # Every weight was loaded, strictly, classifier included; only now is the classifier dropped.
    model.reset_classifier(0)
    network = Network(family, architecture, config, model, model.forward, preprocess, "none")
    return TorchEncoder(network, request)


def preprocess_spec(config: dict[str, Any]) -> PreprocessSpec:
    """Spell out timm's data configuration as its evaluation transform reads it."""
    if config["interpolation"] not in INTERPOLATIONS:
        raise EncoderError(
            f"the model wants interpolation {config['interpolation']!r}, "
            f"and only these are exact here: {', '.join(INTERPOLATIONS)}"
        )
    mode = config["crop_mode"]
    if mode not in CROP_MODES:
        raise EncoderError(f"the model wants crop mode {mode!r}, which is not known here")
    height, width = config["input_size"][1:]
    return PreprocessSpec(
        size=(height, width),
        resize_to=(
            math.floor(height / config["crop_pct"]),
            math.floor(width / config["crop_pct"]),
        ),
        resize=CROP_MODES[mode],
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        fill=tuple(round(255 * channel) for channel in config["mean"]),
    )


def _read_config(folder: Path) -> tuple[str, dict[str, Any]]:
    if not folder.is_dir():
        raise WeightsError(f"there is no folder {folder}; it should hold config.json and weights")
    path = folder / "config.json"
    if not path.is_file():
        raise WeightsError(f"{folder} has no config.json, which says what network it is")
    config = json.loads(path.read_text(encoding="utf-8"))
    stated, arguments = config.get("pretrained_cfg", {}), config.get("model_args", {})
    for name, weights in (
        ("num_classes", stated.get("num_classes", config.get("num_classes"))),
        ("in_chans", (stated.get("input_size") or [3])[0]),
    ):
        # timm would then load what fits, and leave the rest at random.
        if arguments.get(name, weights) != weights:
            raise WeightsError(
                f"{path} asks for {name}={arguments[name]}, and its weights are for {weights}"
            )
    return config["architecture"], config.get("model_args", {})


def _existing(file: Path) -> str:
    if not file.is_file():
        raise WeightsError(f"there is no file of weights {file}. Give the path of one after the @")
    return str(file)


def _check_name(name: str) -> None:
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        close = timm.list_models(f"*{architecture[:6]}*")[:5]
        near = f" Near to it: {', '.join(close)}." if close else ""
        raise UnknownEncoder(
            f"timm has no model {architecture!r}.{near} "
            "All of them: python -c 'import timm; print(timm.list_pretrained())'"
        )
