"""An encoder that computes something else than before is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import (
    MIN_COSINE,
    Encoder,
    EncoderRequest,
    EncoderSpec,
    PreprocessSpec,
    _canary,
    _pictures,
    embed,
    list_source,
    open_encoder,
    reopen_encoder,
    similarity,
)
from icehouse.embedder._preprocess import preprocess
from icehouse.errors import CanaryError, StoreCorrupt
from icehouse.store import Store


class Altered:
    """An encoder that still claims to be another, and does one thing differently.

    Parameters
    ----------
    encoder : Encoder
    layout : PreprocessSpec, optional
        What it really does with images.
    change : callable, optional
        What it does with their pixels after that.
    """

    def __init__(
        self,
        encoder: Encoder,
        layout: PreprocessSpec | None = None,
        change: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels,
    ) -> None:
        self.spec = encoder.spec
        self._encoder = encoder
        self._layout = layout or encoder.spec.preprocess
        self._change = change

    def preprocess(self, image: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self._change(preprocess(image, self._layout)))

    def encode(self, batch: np.ndarray) -> np.ndarray:
        return self._encoder.encode(batch)


class Tiles:
    """Mean colours of four tiles: an encoder whose every vector is known."""

    spec = EncoderSpec(
        family="test",
        architecture="tiles",
        weights_sha256="",
        preprocess=PreprocessSpec(size=(2, 2), resize_to=(2, 2), resize="squash"),
        precision="float32",
        normalise="none",
        dim=12,
    )

    def __init__(self, error: float = 0.0) -> None:
        self._error = error

    def preprocess(self, image: np.ndarray) -> np.ndarray:
        return preprocess(image, self.spec.preprocess)

    def encode(self, batch: np.ndarray) -> np.ndarray:
        vectors = batch.reshape(len(batch), 12).astype(np.float32)
        return vectors + self._error


def stored(store: Store, encoder: Encoder) -> str:
    return f"features/{encoder.spec.encoder_id}/canary.npy"


def test_the_pictures_are_what_they_always_were() -> None:
    pictures = _pictures.draw()
    assert [picture.shape for picture in pictures] == [(*size, 3) for size in _pictures.SIZES]
    digest = hashlib.sha256(b"".join(picture.tobytes() for picture in pictures)).hexdigest()
    # Every store holds vectors of these pictures: another digest makes all of them false.
    assert digest[:16] == "febf65f53cc3fe6f"


def test_the_pictures_differ_in_every_respect() -> None:
    pictures = _pictures.draw()
    assert len({picture.tobytes() for picture in pictures}) == 8
    assert all(picture.dtype == np.uint8 and picture.std() > 30 for picture in pictures)
    assert {np.sign(height - width) for height, width in _pictures.SIZES} == {-1, 0, 1}


def test_it_is_written_at_the_first_meeting(store: Store, encoder: Encoder) -> None:
    _canary.check_canary(store, encoder)
    vectors = np.load(store.files.path(stored(store, encoder)), allow_pickle=False)
    assert vectors.shape == (8, encoder.spec.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, _canary.sing(encoder))


def test_it_is_written_once_and_only_read_after(store: Store, encoder: Encoder) -> None:
    _canary.check_canary(store, encoder)
    path = store.files.path(stored(store, encoder))
    first = path.stat()
    _canary.check_canary(store, encoder)
    assert path.stat().st_ino == first.st_ino
    assert path.stat().st_mtime_ns == first.st_mtime_ns


def test_two_encoders_have_two_canaries(store: Store, opened: Callable[[str], Encoder]) -> None:
    for which in ("descriptor", "clip-folder"):
        _canary.check_canary(store, opened(which))
    assert store.files.path(stored(store, opened("descriptor"))).is_file()
    assert store.files.path(stored(store, opened("clip-folder"))).is_file()


def test_bgr_for_rgb_is_refused(store: Store, encoder: Encoder) -> None:
    _canary.check_canary(store, encoder)
    with pytest.raises(CanaryError, match="does not give the vectors"):
        _canary.check_canary(store, Altered(encoder, change=lambda pixels: pixels[:, :, ::-1]))


def test_another_resize_is_refused(store: Store, encoder: Encoder) -> None:
    _canary.check_canary(store, encoder)
    layout = encoder.spec.preprocess
    for resize in {"shortest", "squash", "longest"} - {layout.resize}:
        with pytest.raises(CanaryError, match="does not give the vectors"):
            _canary.check_canary(store, Altered(encoder, replace(layout, resize=resize)))


def test_another_crop_is_refused(store: Store, encoder: Encoder) -> None:
    _canary.check_canary(store, encoder)
    height, width = encoder.spec.preprocess.resize_to
    layout = replace(encoder.spec.preprocess, resize_to=(height * 5 // 4, width * 5 // 4))
    with pytest.raises(CanaryError, match="does not give the vectors"):
        _canary.check_canary(store, Altered(encoder, layout))


def test_another_mean_is_refused(store: Store, encoder: Encoder) -> None:
    _canary.check_canary(store, encoder)
    with pytest.raises(CanaryError, match="does not give the vectors"):
        _canary.check_canary(store, Altered(encoder, change=lambda pixels: pixels // 2 + 100))


def test_a_resize_without_a_filter_is_refused(store: Store, encoder: Encoder) -> None:
    class Nearest(Altered):
        def preprocess(self, image: np.ndarray) -> np.ndarray:
            height, width = self.spec.preprocess.size
            picture = Image.fromarray(image).resize((width, height), Image.Resampling.NEAREST)
            return np.array(picture)

    _canary.check_canary(store, encoder)
    with pytest.raises(CanaryError, match="does not give the vectors"):
        _canary.check_canary(store, Nearest(encoder))


def test_another_interpolation_is_refused(store: Store, opened: Callable[[str], Encoder]) -> None:
    encoder = opened("timm-folder")
    _canary.check_canary(store, encoder)
    layout = replace(encoder.spec.preprocess, interpolation="bilinear")
    with pytest.raises(CanaryError, match="does not give the vectors"):
        _canary.check_canary(store, Altered(encoder, layout))


def test_a_small_difference_of_arithmetic_is_let_pass(store: Store) -> None:
    _canary.check_canary(store, Tiles())
    _canary.check_canary(store, Tiles(error=0.05))
    with pytest.raises(CanaryError, match="does not give the vectors"):
        _canary.check_canary(store, Tiles(error=-60.0))


def test_vectors_that_are_not_numbers_are_refused(store: Store) -> None:
    _canary.check_canary(store, Tiles())
    with pytest.raises(CanaryError, match="does not give the vectors"):
        _canary.check_canary(store, Tiles(error=np.nan))


def test_one_picture_of_eight_is_enough_to_refuse(store: Store) -> None:
    _canary.check_canary(store, Tiles())
    path = store.files.path(stored(store, Tiles()))
    known = np.load(path)
    known[3] = -known[3]
    np.save(path, known)
    with pytest.raises(CanaryError, match=r"their cosine falls to -1\.0000"):
        _canary.check_canary(store, Tiles())


def test_a_changed_canary_stops_embedding_before_anything_is_written(
    store: Store, pictures: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "a.png").write_bytes((pictures / "disc" / "00.png").read_bytes())
    encoder_id = embed(store, list_source(first), "descriptor", dataset="d").encoder_id
    path = store.files.path(f"features/{encoder_id}/canary.npy")
    np.save(path, np.load(path)[::-1])
    before = store.features(encoder_id).shards()
    (first / "b.png").write_bytes((pictures / "disc" / "01.png").read_bytes())
    with pytest.raises(CanaryError, match=f"encoder {encoder_id} does not give"):
        embed(store, list_source(first), "descriptor", dataset="d")
    assert store.features(encoder_id).shards() == before
    assert len(store.catalog.rows("d")) == 1


def test_a_changed_canary_stops_an_encoder_from_being_opened_again(embedded: Store) -> None:
    [encoder_id] = embedded.encoder_ids()
    assert reopen_encoder(embedded, encoder_id).spec.encoder_id == encoder_id
    path = embedded.files.path(f"features/{encoder_id}/canary.npy")
    np.save(path, np.load(path)[::-1])
    with pytest.raises(CanaryError, match=r"Install the versions that encoder.json names"):
        reopen_encoder(embedded, encoder_id)


def test_a_lost_canary_is_written_again(embedded: Store) -> None:
    [encoder_id] = embedded.encoder_ids()
    path = embedded.files.path(f"features/{encoder_id}/canary.npy")
    known = np.load(path)
    path.unlink()
    reopen_encoder(embedded, encoder_id)
    np.testing.assert_array_equal(np.load(path), known)


@pytest.mark.parametrize("damage", ["nothing", "half", "text"])
def test_a_damaged_canary_is_a_corrupt_store(store: Store, damage: str) -> None:
    _canary.check_canary(store, Tiles())
    path = store.files.path(stored(store, Tiles()))
    data = path.read_bytes()
    path.write_bytes({"nothing": b"", "half": data[: len(data) // 2], "text": b"hello"}[damage])
    with pytest.raises(StoreCorrupt, match=r"canary\.npy is damaged"):
        _canary.check_canary(store, Tiles())


def test_a_canary_of_another_shape_is_a_corrupt_store(store: Store) -> None:
    _canary.check_canary(store, Tiles())
    np.save(store.files.path(stored(store, Tiles())), np.ones((8, 5), np.float32))
    with pytest.raises(StoreCorrupt, match="damaged"):
        _canary.check_canary(store, Tiles())


def test_similarity_is_the_cosine_of_rows() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=(2, 5, 9)).astype(np.float32)
    expected = [
        np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)
        for a, b in zip(one, other, strict=True)
    ]
    np.testing.assert_allclose(similarity(one, other), expected, rtol=1e-5)
    np.testing.assert_allclose(similarity(one, 3 * one), 1, rtol=1e-5)
    assert similarity(one, 0 * one).tolist() == [0] * 5
    assert similarity(one, other).dtype == np.float32


def test_the_limit_is_what_the_documentation_says() -> None:
    assert MIN_COSINE == 0.999


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_second_load_passes_in_either_precision(
    store: Store, clip_folder: Path, precision: str
) -> None:
    request = EncoderRequest(f"clip:local-dir:{clip_folder}", precision)
    _canary.check_canary(store, open_encoder(request))
    _canary.check_canary(store, open_encoder(request))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_wrong_activation_is_refused(
    store: Store, clip_folder: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a library's default changes, and weights made with GELU are run with QuickGELU.

    With random weights the difference is smaller than the rounding of bfloat16.
    """
    import open_clip.model
    from open_clip.transformer import QuickGELU
    from torch import nn

    name = EncoderRequest(f"clip:local-dir:{clip_folder}", precision)
    _canary.check_canary(store, open_encoder(name))
    monkeypatch.setattr(open_clip.model.nn, "GELU", QuickGELU)
    other = open_encoder(name)
    monkeypatch.setattr(open_clip.model.nn, "GELU", nn.GELU)
    assert any(isinstance(part, QuickGELU) for part in other.module.modules())
    with pytest.raises(CanaryError, match="does not give the vectors"):
        _canary.check_canary(store, other)
