"""Pictures that an encoder is to see otherwise than its makers meant: options and their trace."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import (
    EncoderRequest,
    PictureOptions,
    PreprocessSpec,
    decode,
    embed,
    enough,
    find_request,
    list_source,
    open_encoder,
    reopen_encoder,
)
from icehouse.embedder._adjust import adjust
from icehouse.embedder._preprocess import preprocess
from icehouse.embedder._statistics import channel_statistics
from icehouse.errors import SourceError, UsageError
from icehouse.store import Store

SPEC = PreprocessSpec(size=(32, 32), resize_to=(32, 32))


def picture(height: int = 40, width: int = 40, seed: int = 0) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(seed).integers(0, 30, (height, width, 3))
    planes = [x * 90 // width + 60, y * 90 // height + 40, (x + y) * 60 // (width + height) + 80]
    return (np.stack(planes, axis=2) + noise).astype(np.uint8)


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


# Each adjustment.


def test_grayscale_gives_one_value_in_all_channels() -> None:
    grey = adjust(picture(), ["grayscale"])
    assert (grey[..., 0] == grey[..., 1]).all()
    assert (grey[..., 0] == grey[..., 2]).all()
    expected = picture() @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey[..., 0] - expected).max() <= 1


def test_equalise_makes_the_histogram_of_luminance_flat() -> None:
    before, after = picture(200, 200), adjust(picture(200, 200), ["equalise"])
    luminance = after @ np.array([0.299, 0.587, 0.114])
    counts = np.histogram(luminance, bins=8, range=(0, 256))[0] / luminance.size
    assert counts.min() > 0.08
    assert before.max() - before.min() < 200


def test_denoise_takes_noise_and_leaves_edges() -> None:
    clean = np.full((48, 48, 3), 60, np.uint8)
    clean[:, 24:] = 180
    noisy = clean + np.random.default_rng(0).normal(0, 8, clean.shape)
    noisy = np.clip(noisy, 0, 255).astype(np.uint8)
    denoised = adjust(noisy, ["denoise"]).astype(float)
    assert np.abs(denoised - clean).mean() < np.abs(noisy.astype(float) - clean).mean() / 2
    assert denoised[:, 26].mean() - denoised[:, 21].mean() > 100


def test_adjustments_are_done_in_one_order_whatever_was_said() -> None:
    said = PictureOptions(adjust=("grayscale", "denoise", "equalise", "denoise"))
    assert said.adjust == ("denoise", "equalise", "grayscale")


@pytest.mark.parametrize("spelling", ["greyscale", "grey", "gray", "grayscale"])
def test_other_spellings_are_the_same_adjustment(spelling: str) -> None:
    wanted = PictureOptions(adjust=("equalise", "grayscale"))
    assert PictureOptions(adjust=(spelling, "equalize")) == wanted


def test_an_adjustment_is_a_part_of_the_preprocessing() -> None:
    image = picture(80, 64)
    spec = replace(SPEC, adjust=("grayscale",))
    np.testing.assert_array_equal(
        preprocess(image, spec), adjust(preprocess(image, SPEC), ["grayscale"])
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adjust": ("sharpen",)}, "no adjustment sharpen; there are: denoise, equalise, gray"),
        ({"decode": "quick"}, "decode is one of: exact, fast; got 'quick'"),
        ({"resize": "stretch"}, "resize is one of: shortest, longest, squash; got 'stretch'"),
        ({"normalise": "none"}, "normalise is one of: encoder, dataset; got 'none'"),
    ],
)
def test_what_is_not_known_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        PictureOptions(**options)


# Fast decoding.


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (1000, 300)])
@pytest.mark.parametrize("resize", ["shortest", "longest", "squash"])
def test_fast_decoding_stays_at_twice_the_target(
    shape: tuple[int, int], orientation: int, resize: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = jpeg(picture(*shape), exif=exif)
    spec = replace(SPEC, resize=resize, decode="fast")
    exact, fast = decode(data), decode(data, enough=enough(spec))
    scale = exact.shape[0] / fast.shape[0]
    assert scale > 1.9
    assert exact.shape[1] / fast.shape[1] == pytest.approx(scale, rel=0.02)
    ours, full = preprocess(fast, spec).astype(int), preprocess(exact, spec).astype(int)
    assert np.abs(ours - full).mean() < 1.5
    height, width = spec.resize_to
    if resize == "squash":
        assert fast.shape[0] >= 2 * height
        assert fast.shape[1] >= 2 * width
    elif resize == "shortest":
        assert min(fast.shape[:2]) >= 2 * height


def test_fast_decoding_leaves_small_pictures_alone() -> None:
    data = jpeg(picture(100, 100))
    spec = replace(SPEC, decode="fast")
    np.testing.assert_array_equal(decode(data, enough=enough(spec)), decode(data))


def test_exact_decoding_asks_for_nothing() -> None:
    assert enough(SPEC) is None


def test_fast_decoding_of_other_formats_is_exact() -> None:
    buffer = io.BytesIO()
    Image.fromarray(picture(300, 300)).save(buffer, "PNG")
    spec = replace(SPEC, decode="fast")
    assert decode(buffer.getvalue(), enough=enough(spec)).shape == (300, 300, 3)


# Mean and deviation of the dataset.


def test_channel_statistics_are_those_of_all_pixels(pictures: Path) -> None:
    entries = list_source(pictures).entries
    encoder = open_encoder("descriptor")
    seen = [encoder.preprocess(decode(entry.origin.read().data)) for entry in entries]
    pixels = np.stack(seen).reshape(-1, 3) / 255
    mean, std = channel_statistics(entries, encoder, 10**6)
    np.testing.assert_allclose(mean, pixels.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(std, pixels.std(axis=0), atol=1e-6)
    assert channel_statistics(entries[::-1], encoder, 10**6) == (mean, std)


def test_channel_statistics_need_pictures_that_vary(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"words")
    with pytest.raises(SourceError, match="none of the inputs can be read"):
        channel_statistics(list_source(tmp_path).entries, open_encoder("descriptor"), 10**6)
    Image.new("RGB", (9, 9), "red").save(tmp_path / "a.png")
    with pytest.raises(SourceError, match="leave --normalise dataset out"):
        channel_statistics(list_source(tmp_path).entries, open_encoder("descriptor"), 10**6)


def test_a_dataset_is_measured_once(store: Store, pictures: Path, timm_folder: Path) -> None:
    request = EncoderRequest(
        f"timm:local-dir:{timm_folder}", pictures=PictureOptions(normalise="dataset")
    )
    listing = list_source(pictures)
    first = embed(store, replace(listing, entries=listing.entries[:20]), request, dataset="d")
    spec = store.features(first.encoder_id).card["spec"]["preprocess"]
    own = open_encoder(EncoderRequest(request.name)).spec.preprocess
    assert tuple(spec["mean"]) != own.mean
    second = embed(store, listing, request, dataset="d")
    assert (second.encoder_id, second.encoded) == (first.encoder_id, 20)
    assert reopen_encoder(store, first.encoder_id).spec.encoder_id == first.encoder_id


def test_normalisation_changes_vectors_as_arithmetic_says(
    timm_folder: Path, photos: list[np.ndarray]
) -> None:
    """What the network sees is (pixels / 255 - mean) / std, whoever states mean and std."""
    name = f"timm:local-dir:{timm_folder}"
    own = open_encoder(EncoderRequest(name, "float32"))
    mean, std = own.spec.preprocess.mean, own.spec.preprocess.std
    stated = PictureOptions(normalise="dataset", statistics=(mean, std))
    same = open_encoder(EncoderRequest(name, "float32", pictures=stated))
    batch = np.stack([own.preprocess(photo) for photo in photos[:8]])
    np.testing.assert_array_equal(same.encode(batch), own.encode(batch))
    assert same.spec.encoder_id == own.spec.encoder_id


def test_the_descriptor_has_no_mean(store: Store, pictures: Path) -> None:
    request = EncoderRequest("descriptor", pictures=PictureOptions(normalise="dataset"))
    with pytest.raises(UsageError, match="descriptor has no mean to replace"):
        embed(store, list_source(pictures), request)


# The trace that options leave.


@pytest.mark.parametrize(
    "options",
    [
        PictureOptions(decode="fast"),
        PictureOptions(resize="squash"),
        PictureOptions(resize="longest"),
        PictureOptions(adjust=("grayscale",)),
        PictureOptions(adjust=("equalise", "denoise")),
    ],
)
def test_every_option_makes_an_encoder_of_its_own_that_opens_again(
    options: PictureOptions, store: Store, pictures: Path, timm_folder: Path
) -> None:
    name = f"timm:local-dir:{timm_folder}"
    listing = list_source(pictures)
    plain = embed(store, listing, name, dataset="d").encoder_id
    request = EncoderRequest(name, pictures=options)
    report = embed(store, listing, request, dataset="d")
    assert report.encoder_id != plain
    assert report.encoded == 40
    assert embed(store, listing, request, dataset="d").reused == 40
    assert find_request(store, request) == report.encoder_id
    assert find_request(store, EncoderRequest(name)) == plain
    assert reopen_encoder(store, report.encoder_id).spec.preprocess.adjust == options.adjust


def test_resize_changes_the_size_before_the_crop(timm_folder: Path) -> None:
    name = f"timm:local-dir:{timm_folder}"
    own = open_encoder(EncoderRequest(name)).spec.preprocess
    squashed = PictureOptions(resize="squash")
    spec = open_encoder(EncoderRequest(name, pictures=squashed)).spec.preprocess
    assert (spec.resize, spec.resize_to, spec.size) == ("squash", own.size, own.size)
    kept = open_encoder(EncoderRequest(name, pictures=PictureOptions(resize="shortest"))).spec
    assert kept.preprocess == own
