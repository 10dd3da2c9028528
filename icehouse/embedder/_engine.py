"""Which library does an encoder's arithmetic, decided by a short measurement.

Vectors are the same on every engine as far as a canary can tell, so the engine is no part of an
encoder's fingerprint. A conversion takes seconds: it is tried where so much is to be encoded that
it can pay, and kept for the next time.
"""

from __future__ import annotations

import importlib.util
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from icehouse.embedder import _converted
from icehouse.embedder._canary import sing
from icehouse.embedder._encoder import Encoder, EncoderRequest, like, open_encoder
from icehouse.embedder._memory import keep_freed_memory
from icehouse.embedder._pictures import agree
from icehouse.embedder._threads import cores, one_torch_thread
from icehouse.errors import EncoderError, MissingExtra, UsageError

ARITHMETIC = ("auto", "torch", "openvino")
ENGINES = (*ARITHMETIC, "ray")
"""What a person may ask for: what computes, or, with "ray", where; each worker then chooses."""
WORTHWHILE_SECONDS = 20.0
MEASURED_SECONDS = 0.25
MEASURED_TIMES = 2
MEASURED_BATCH = 16


@dataclass(frozen=True)
class Opened:
    """An encoder, the engine that it runs on, and the images/s by which that was chosen."""

    encoder: Encoder
    engine: str
    rates: dict[str, float] = field(default_factory=dict)


def open_on(request: EncoderRequest, engine: str = "auto", images: int = 0) -> Opened:
    """Open an encoder on an engine.

    Parameters
    ----------
    request : EncoderRequest
    engine : {"auto", "torch", "openvino"}
        "auto": on an x86 processor where OpenVINO is installed, whichever was measured to be
        faster; torch where it was never measured and ``images`` would not make it pay.
    images : int
        How many there are to encode.

    Returns
    -------
    Opened

    Raises
    ------
    UsageError
        No such engine; or OpenVINO is asked for, and is not installed or nothing for this encoder.
    EncoderError
        As :func:`open_encoder`; or OpenVINO is asked for and cannot run this network.
    """
    if engine not in ARITHMETIC:
        raise UsageError(f"no engine {engine!r}; give one of: {', '.join(ARITHMETIC)}")
    installed = importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and not installed:
        raise MissingExtra("openvino", "openvino")
    suits = installed and platform.machine() in ("x86_64", "AMD64")
    if engine == "torch" or not (suits or engine == "openvino"):
        return Opened(open_encoder(request), "torch")
    if (engine == "openvino" or _on_a_cpu()) and (kept := _reopen(request, engine)) is not None:
        return kept
    encoder = open_encoder(request)
    if not _convertible(encoder):
        if engine == "openvino":
            raise UsageError(f"{request.name} does not run on OpenVINO; leave --engine out")
        return Opened(encoder, "torch")
    if engine == "auto" and images / _glance(encoder) < WORTHWHILE_SECONDS:
        return Opened(encoder, "torch")
    return _compare(request, encoder, engine)


def measure(encoder: Encoder) -> float:
    """Return how many images/s of noise an encoder takes when every core works on its own."""
    shape = (MEASURED_BATCH, *encoder.spec.preprocess.size, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    keep_freed_memory()

    def work(_: int) -> tuple[int, float]:
        encoder.encode(noise)
        started, images = time.perf_counter(), 0
        while not images or time.perf_counter() - started < MEASURED_SECONDS:
            encoder.encode(noise)
            images += MEASURED_BATCH
        return images, time.perf_counter() - started

    with one_torch_thread(), ThreadPoolExecutor(cores()) as threads:
        return sum(images / seconds for images, seconds in threads.map(work, range(cores())))


def _glance(encoder: Encoder) -> float:
    """Return the images/s at which an encoder takes the canary's pictures: fewer than it can."""
    started = time.perf_counter()
    return len(sing(encoder)) / (time.perf_counter() - started)


def _reopen(request: EncoderRequest, engine: str) -> Opened | None:
    """Open what an earlier conversion left, if it serves."""
    kept = _converted.find(request)
    if kept is None:
        return None
    if engine == "auto" and kept.rates["torch"] >= kept.rates["openvino"]:
        return Opened(open_encoder(request), "torch", kept.rates)
    from icehouse.embedder._openvino import OpenVinoEncoder

    try:
        return Opened(OpenVinoEncoder(kept.spec, kept.model), "openvino", kept.rates)
    except RuntimeError:  # it cannot be read any more: it is made again
        return None


def _on_a_cpu() -> bool:
    """Whether torch would compute on the CPU: a conversion kept from then is no rival of a GPU."""
    from icehouse.embedder._device import best_device

    return best_device().type == "cpu"


def _convertible(encoder: Encoder) -> bool:
    from icehouse.embedder._torch_encoder import TorchEncoder

    return isinstance(encoder, TorchEncoder) and encoder.device.type == "cpu"


def _compare(request: EncoderRequest, encoder: Encoder, engine: str) -> Opened:
    from icehouse.embedder._openvino import OpenVinoEncoder, convert

    exact: Any = open_encoder(like(request, "float32"))
    try:
        model = convert(exact)
        other = OpenVinoEncoder(encoder.spec, model)
        same = agree(sing(other), exact.sung_in_float32)
    except Exception as error:  # of another library's compiler: whatever it raises
        if engine == "openvino":
            raise EncoderError(
                f"OpenVINO cannot run {request.name}: {error}. Leave --engine out, or give torch"
            ) from error
        return Opened(encoder, "torch")
    if not same:
        if engine == "openvino":
            raise EncoderError(
                f"OpenVINO gives other vectors for {request.name} than torch in float32 does. "
                "Give --engine torch, or --precision float32"
            )
        return Opened(encoder, "torch")
    # In turn, and the best of each: other programs disturb one moment, not all.
    rates = {"openvino": 0.0, "torch": 0.0}
    for _ in range(MEASURED_TIMES):
        for name, one in (("openvino", other), ("torch", encoder)):
            rates[name] = max(rates[name], measure(one))
    _converted.keep(request, encoder.spec, rates, model)
    if engine == "auto" and rates["torch"] >= rates["openvino"]:
        return Opened(encoder, "torch", rates)
    return Opened(other, "openvino", rates)
