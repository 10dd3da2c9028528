"""Which thumbnails are alike; against a search that looks at each pair on its own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from icehouse.embedder import Looks, Pairs, clusters_of, find_alike, find_similar, needed
from icehouse.store import unit


def scenes(n: int, seed: int = 0) -> np.ndarray:
    """Thumbnails of things that have nothing to do with each other, shape (n, 256)."""
    random = np.random.default_rng(seed)
    waves = np.array([np.cos(np.pi * k * (np.arange(16) + 0.5) / 16) for k in range(6)])
    amount = random.normal(size=(n, 6, 6)) * 30
    grey = np.einsum("nij,ix,jy->nxy", amount, waves, waves) + 128
    return grey.clip(0, 255).round().reshape(n, 256).astype(np.float16)


def mirrored(thumbnails: np.ndarray) -> np.ndarray:
    return thumbnails.reshape(-1, 16, 16)[:, :, ::-1].reshape(-1, 256)


def noisy(thumbnails: np.ndarray, by: float = 4.0) -> np.ndarray:
    noise = np.random.default_rng(1).normal(scale=by, size=thumbnails.shape)
    return (thumbnails + noise).clip(0, 255).round().astype(np.float16)


def linked(pairs: Pairs) -> set[frozenset[int]]:
    both = zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)
    return {frozenset(pair) for pair in both}


def test_the_hash_of_a_mirrored_picture_follows_from_its_own():
    thumbnails = scenes(50)
    looks, other = Looks(thumbnails), Looks(mirrored(thumbnails))
    plain, turned, cut, cut_turned = looks.probes
    assert (plain.hashes == looks.hashes).all()
    assert (turned.hashes == other.hashes).all()
    assert (cut_turned.hashes == other.probes[2].hashes).all()
    assert (cut.hashes != plain.hashes).any()


def test_copies_are_found_and_others_are_not():
    thumbnails = scenes(60)
    both = np.concatenate([thumbnails, noisy(thumbnails[:20]), mirrored(thumbnails[20:30])])
    pairs = find_alike(Looks(both))
    copies = {frozenset((n, 60 + n)) for n in range(30)}
    assert linked(pairs) == copies
    assert (pairs.mirrored == (np.minimum(pairs.one, pairs.other) >= 20)).all()
    assert (pairs.distance <= 16).all()
    assert (pairs.correlation >= 0.9).all()


def test_it_finds_what_looking_at_each_pair_finds():
    thumbnails = np.concatenate([scenes(300), noisy(scenes(250), 25), scenes(50, seed=3)])
    looks, n = Looks(thumbnails), len(thumbnails)  # more than are looked at together
    pairs = find_alike(looks, 20, 0.6)
    found = clusters_of(n, pairs)
    links = np.eye(n, dtype=bool)
    for probe in looks.probes:
        one, other = np.nonzero(np.bitwise_count(probe.hashes[:, None] ^ looks.hashes) <= 20)
        links[one, other] |= looks.correlation(probe, one, other) >= 0.6
    assert links.sum() > n
    _, components = connected_components(links | links.T, directed=False)
    assert len(pairs) == n - len(set(components.tolist()))
    assert len(set(zip(found.tolist(), components.tolist(), strict=True))) == found.max() + 1


def test_other_light_is_another_picture_where_there_is_little_else():
    faint = (scenes(1).astype(np.float32) - 128) / 8
    assert len(find_alike(Looks(np.concatenate([faint + 60, faint + 61])))) == 1
    assert len(find_alike(Looks(np.concatenate([faint + 60, faint + 160])))) == 0


def test_what_compression_does_is_not_held_against_pictures_of_little_contrast():
    faint = (scenes(30).astype(np.float32) - 128) / 16 + 60
    both = np.concatenate([faint, noisy(faint, 1.0)]).round()
    pairs = find_alike(Looks(both), 24)
    assert {frozenset((n, 30 + n)) for n in range(30)} <= linked(pairs)


def test_pictures_of_one_colour_are_like_none():
    flat = np.full((30, 256), 90, np.float16)
    flat[::2, 5] += 1
    looks = Looks(np.concatenate([flat, scenes(1), scenes(1)]))
    assert looks.flat.tolist() == [True] * 30 + [False] * 2
    assert linked(find_alike(looks)) == {frozenset((30, 31))}


def test_of_many_copies_only_pairs_that_connect_them_are_kept():
    thumbnails = noisy(np.repeat(scenes(2), 60, axis=0), 2)
    pairs = find_alike(Looks(thumbnails))
    assert len(pairs) == 118
    assert len(set(clusters_of(120, pairs).tolist())) == 2


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_pictures(n):
    looks = Looks(scenes(2)[:n])
    pairs = find_alike(looks)
    assert len(pairs) == 0
    assert clusters_of(n, pairs).tolist() == list(range(n))
    assert len(find_similar(looks, np.eye(2, dtype=np.float32)[:n], 0.99)) == 0


def test_the_closest_pair_of_each_cluster_is_kept():
    def column(*values, kind):
        return np.array(values, kind)

    pairs = Pairs(
        column(0, 1, 0, 3, 4, 3, kind=np.int64),
        column(1, 2, 2, 4, 3, 4, kind=np.int64),
        column(9, 3, 5, 7, 7, 2, kind=np.uint8),
        column(0.9, 0.9, 0.9, 0.8, 0.95, 0.85, kind=np.float32),
        np.zeros(6, bool),
    )
    kept = needed(5, pairs)
    assert linked(kept) == {frozenset((1, 2)), frozenset((0, 2)), frozenset((3, 4))}
    first = kept.take(kept.closest()[:1])
    assert (first.one[0], first.other[0], first.distance[0]) == (3, 4, 2)


def test_vectors_that_are_similar_are_pairs_with_evidence():
    thumbnails = np.concatenate([scenes(10), mirrored(scenes(3))])
    random = np.random.default_rng(5)
    directions = unit(random.normal(size=(13, 32)))
    directions[10:] = directions[:3]
    pairs = find_similar(Looks(thumbnails), directions, 0.999)
    assert linked(pairs) == {frozenset((n, 10 + n)) for n in range(3)}
    assert pairs.mirrored.all()
    assert (pairs.correlation > 0.99).all()
