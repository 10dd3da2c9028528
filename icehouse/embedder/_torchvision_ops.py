"""Let torchvision import beside a build of torch that it was not compiled for.

torchvision registers fake kernels for its operators ``nms`` and ``qnms`` while it is imported,
and fails where its compiled library, which defines them, does not fit the installed torch (the
index's torchvision beside a CPU build of torch). open_clip and timm need its transforms only,
so declaring the two operators, without kernels, is enough. Where the compiled library fits, it
defines them itself and nothing is done here.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def _loads() -> bool:
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return True
    libraries = [
        path
        for suffix in importlib.machinery.EXTENSION_SUFFIXES
        for path in Path(found.origin).parent.glob(f"_C{suffix}")
    ]
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except (OSError, RuntimeError):
        return False
    return bool(libraries)


def _declare() -> torch.library.Library | None:
    missing = [name for name in _SCHEMAS if not hasattr(torch.ops.torchvision, name)]
    if not missing or _loads():
        return None
    library = torch.library.Library("torchvision", "DEF")
    for name in missing:
        library.define(_SCHEMAS[name])
    return library


# Kept, because the operators vanish with the object that defined them.
LIBRARY = _declare()
