"""An encoder meets a store: it is made known there, or has to be what it was."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import asdict, replace
from typing import Any

from icehouse.embedder import _canary
from icehouse.embedder._encoder import Encoder, EncoderRequest
from icehouse.store import Store

LIBRARIES = ("torch", "timm", "open-clip-torch", "scikit-image", "pillow", "simplejpeg")


def meet(store: Store, encoder: Encoder, request: EncoderRequest) -> None:
    """Compare an encoder with what the store knows of it, or write down what there is to know.

    Parameters
    ----------
    store : Store
        Made, if it was only planned.
    encoder : Encoder
    request : EncoderRequest
        By which a person asked for it.

    Raises
    ------
    CanaryError
        It computes something else than before.
    """
    store.make()
    _canary.check_canary(store, encoder)
    features = store.features(encoder.spec.encoder_id)
    store.files.sweep(features.folder)
    features.describe(_card(encoder, request))


def _card(encoder: Encoder, request: EncoderRequest) -> dict[str, Any]:
    request = replace(request, pictures=replace(request.pictures, statistics=None))
    return {
        "encoder_id": encoder.spec.encoder_id,
        "request": {**asdict(request), "stamps": request.stamps()},
        "spec": encoder.spec.said(),
        "software": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in LIBRARIES},
        },
    }
