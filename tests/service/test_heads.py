"""Heads at work: each is asked once about all that wait for it, and fails alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from icehouse.errors import LookupFailed
from icehouse.service.inference._batcher import Batcher
from icehouse.service.inference._heads import Asked, Heads, HeadWork, Served
from icehouse.store import FeatureMatrix, Store


class Counted:
    """Answers with the sum of a vector, and counts how often it is asked."""

    stored = SimpleNamespace(card=SimpleNamespace(encoder_id="e"))

    def __init__(self) -> None:
        self.asked: list[int] = []

    def predict(self, features: FeatureMatrix, names: list[str]) -> list[Any]:
        self.asked.append(len(features))
        return features.vectors.sum(axis=1).tolist()


class Broken(Counted):
    """Fails whenever it is asked."""

    def predict(self, features: FeatureMatrix, names: list[str]) -> list[Any]:
        raise ValueError("it is broken")


def served(predictor: Counted) -> Served:
    return Served("task", "head", "v", predictor)  # type: ignore[arg-type]


def asked(head: Served, number: int) -> Asked:
    return Asked(head, bytes(31) + bytes([number]), np.full(2, number, np.float32))


def test_each_head_is_asked_once_and_each_image_gets_its_own_answer() -> None:
    one, two, broken = served(Counted()), served(Counted()), served(Broken())
    batch = [asked((one, two, broken)[n % 3], n) for n in range(9)]
    said = HeadWork().run(batch)
    assert [s if isinstance(s, float) else str(s) for s in said] == [
        0, 2, "it is broken", 6, 8, "it is broken", 12, 14, "it is broken",
    ]  # fmt: skip
    assert (one.predictor.asked, two.predictor.asked) == ([3], [3])  # type: ignore[attr-defined]


def test_all_that_wait_are_asked_about_together() -> None:
    head = served(Counted())
    batcher = Batcher(HeadWork(), "heads")
    futures = batcher.submit([asked(head, n) for n in range(40)])
    assert [future.result(30) for future in futures] == [2 * n for n in range(40)]
    assert head.predictor.asked == [40]  # type: ignore[attr-defined]
    batcher.close()


def test_a_head_that_is_not_there_is_named_with_those_that_are(reviewed: Store) -> None:
    with pytest.raises(LookupFailed, match=r"no head 'forest'.*logistic"):
        Heads(reviewed, ("shapes/forest",))
