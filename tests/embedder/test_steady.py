"""No vector depends on its batch, and one for which there is no memory is halved."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from icehouse.embedder import Encoder, SteadyEncoder
from icehouse.errors import EncoderError


class Small:
    """Encodes as many as its memory holds: each picture to its mean."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.sizes: list[int] = []

    def encode(self, batch: np.ndarray) -> np.ndarray:
        if len(batch) > self.memory:
            raise MemoryError("out of it")
        self.sizes.append(len(batch))
        return batch.reshape(len(batch), -1).mean(axis=1, keepdims=True).astype(np.float32)


def pixels(count: int) -> list[np.ndarray]:
    return [np.full((4, 4, 3), number, np.uint8) for number in range(count)]


def test_vectors_are_the_same_alone_and_in_any_company(encoder: Encoder) -> None:
    random = np.random.default_rng(3)
    size = encoder.spec.preprocess.size
    pictures = [random.integers(0, 256, (*size, 3), np.uint8) for _ in range(21)]
    steady = SteadyEncoder(encoder)
    together = steady.encode(pictures)
    assert (np.concatenate([steady.encode([picture]) for picture in pictures]) == together).all()
    assert (steady.encode(pictures[5:12]) == together[5:12]).all()


def test_few_images_are_filled_up() -> None:
    small = Small(100)
    assert SteadyEncoder(small).encode(pixels(3))[:, 0].tolist() == [0, 1, 2]  # type: ignore[arg-type]
    assert small.sizes == [16]


def test_without_memory_batches_become_smaller_and_stay_so() -> None:
    small = Small(5)
    steady = SteadyEncoder(small)  # type: ignore[arg-type]
    assert steady.encode(pixels(20))[:, 0].tolist() == list(range(20))
    assert steady.batch_size == 5
    assert steady.full == 5
    small.sizes.clear()
    steady.encode(pixels(1))
    assert small.sizes == [5]
    with pytest.raises(EncoderError, match="no memory for even one image"):
        SteadyEncoder(Small(0)).encode(pixels(2))  # type: ignore[arg-type]


def test_a_gpu_takes_more_at_once_and_two_batches() -> None:
    small = Small(1000)
    small.device = SimpleNamespace(type="cuda")  # type: ignore[attr-defined]
    steady = SteadyEncoder(small)  # type: ignore[arg-type]
    assert (steady.on_gpu, steady.batch_size, steady.at_once) == (True, 256, 2)
    assert not SteadyEncoder(Small(1)).on_gpu  # type: ignore[arg-type]
