"""Converted networks, kept in the user's cache folder; all of it may be deleted at any time.

The folder is ``ICEHOUSE_CACHE``, else ``icehouse`` in ``XDG_CACHE_HOME`` or ``~/.cache``. An entry
belongs to one request, one state of the local files that it names, and the versions of all the
libraries that had a part in it. What it computes was compared with torch when it was made, and
its checksums say that it is still that: no canary is encoded again to open it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icehouse.embedder._encoder import EncoderRequest, like
from icehouse.embedder._spec import EncoderSpec, PreprocessSpec
from icehouse.embedder._threads import cpu_name
from icehouse.store import cache_folder

if TYPE_CHECKING:
    import openvino

LIBRARIES = ("openvino", "torch", "timm", "open-clip-torch")


@dataclass(frozen=True)
class Converted:
    """What is kept of one conversion.

    Attributes
    ----------
    spec : EncoderSpec
    rates : dict
        Images/s of each engine, as measured when it was converted.
    model : Path
        OpenVINO's own format: model.xml, with model.bin beside it.
    """

    spec: EncoderSpec
    rates: dict[str, float]
    model: Path


def find(request: EncoderRequest) -> Converted | None:
    """Return what is kept for a request, if anything is, without loading any library."""
    entry = _read(_folder(request))
    if entry is None and request.precision is not None:
        # What was chosen for one who did not say may be what is asked for now.
        entry = _read(_folder(like(request, None)))
        if entry is not None and entry.spec.precision != request.precision:
            return None
    return entry and replace(entry, spec=replace(entry.spec, stored_as=request.stored_as))


def keep(
    request: EncoderRequest, spec: EncoderSpec, rates: Mapping[str, float], model: openvino.Model
) -> None:
    """Keep a conversion, whole or not at all; where it cannot be written, it is made again."""
    import openvino

    final = _folder(request)
    temporary = final.with_name(f".tmp-{uuid.uuid4().hex}")
    try:
        temporary.mkdir(parents=True)
        openvino.save_model(model, temporary / "model.xml", compress_to_fp16=False)
        said = {"spec": asdict(spec), "rates": dict(rates), "sha256": _checksums(temporary)}
        text = json.dumps(said, indent=2)
        (temporary / "encoder.json").write_text(text, encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
    except (OSError, RuntimeError):  # no home, no space, or another process was first
        shutil.rmtree(temporary, ignore_errors=True)


def _folder(request: EncoderRequest) -> Path:
    said = {
        "name": request.name,
        "precision": request.precision,
        "pictures": asdict(request.pictures),
        "stamps": request.stamps(),
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "cpu": cpu_name(),
        "revision": EncoderSpec.revision,
    }
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "openvino" / digest[:24]


def _read(folder: Path) -> Converted | None:
    try:
        kept = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
        if kept["sha256"] != _checksums(folder):
            return None
        return Converted(_spec(kept["spec"]), kept["rates"], folder / "model.xml")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checksums(folder: Path) -> dict[str, str]:
    found = {}
    for name in ("model.xml", "model.bin"):
        with (folder / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _spec(said: dict[str, Any]) -> EncoderSpec:
    layout: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in said["preprocess"].items()
    }
    return EncoderSpec(**{**said, "preprocess": PreprocessSpec(**layout)})
