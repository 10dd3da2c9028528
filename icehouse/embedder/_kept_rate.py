"""How fast an encoder was, kept beside its vectors: what it costs to embed more.

``speed.json`` is of the last run that says something, and may be lost at any time.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from icehouse.embedder._report import Speed
from icehouse.store import Store

FILE = "speed.json"
ENOUGH = 64  # of fewer images the start is most of the time


def keep_rate(store: Store, encoder_id: str, images: int, speed: Speed) -> None:
    """Keep how fast a run was, if it encoded enough images to tell."""
    if images >= ENOUGH:
        said = json.dumps({"images": images, **asdict(speed)}, indent=2)
        store.files.commit(f"features/{encoder_id}/{FILE}", said.encode())


def kept_rate(store: Store, encoder_id: str) -> float | None:
    """Return the images/s of an encoder, from source to store, when it last encoded enough.

    None where that is not known.
    """
    try:
        return float(json.loads(store.files.read(f"features/{encoder_id}/{FILE}"))["achieved"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
