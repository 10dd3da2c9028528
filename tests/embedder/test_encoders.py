"""The encoder contract, over every kind of encoder; and what is refused while loading one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icehouse.embedder import (
    Encoder,
    EncoderRequest,
    EncoderSpec,
    PreprocessSpec,
    open_encoder,
    similarity,
)
from icehouse.embedder._device import best_device, best_precision
from icehouse.embedder._torch_encoder import (
    Network,
    TorchEncoder,
    weights_sha256,
)
from icehouse.errors import (
    EncoderError,
    UnknownEncoder,
    UsageError,
    VectorError,
    WeightsError,
)

Opened = Callable[[str], Encoder]
TORCH = ("timm-folder", "clip-folder", "timm-file", "tiny")
TOLERANCE = 1e-5
FILES = {
    "timm-folder": ("config.json", "model.safetensors", "layer1.0.conv1.weight"),
    "clip-folder": ("open_clip_config.json", "open_clip_model.safetensors", "visual.proj"),
}


def batch_of(encoder: Encoder, photos: list[np.ndarray]) -> np.ndarray:
    return np.stack([encoder.preprocess(photo) for photo in photos])


def float32(name: str) -> Encoder:
    return open_encoder(EncoderRequest(name, "float32"))


# The contract.


def test_it_satisfies_the_protocol(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert isinstance(encoder.spec, EncoderSpec)


def test_preprocess_gives_contiguous_bytes_of_the_stated_size(
    encoder: Encoder, photos: list[np.ndarray]
) -> None:
    for photo in photos[:4]:
        pixels = encoder.preprocess(photo)
        assert pixels.dtype == np.uint8
        assert pixels.shape == (*encoder.spec.preprocess.size, 3)
        assert pixels.flags.c_contiguous


def test_encode_gives_finite_float32_of_the_stated_length(
    encoder: Encoder, photos: list[np.ndarray]
) -> None:
    vectors = encoder.encode(batch_of(encoder, photos[:3]))
    assert vectors.dtype == np.float32
    assert vectors.shape == (3, encoder.spec.dim)
    assert np.isfinite(vectors).all()
    assert (np.linalg.norm(vectors, axis=1) > 0).all()


@pytest.mark.parametrize(("size", "images"), [(1, 16), (7, 64)])
def test_a_vector_does_not_depend_on_the_batch_size(
    encoder: Encoder, photos: list[np.ndarray], size: int, images: int
) -> None:
    batch = batch_of(encoder, photos)
    parts = [encoder.encode(batch[start : start + size]) for start in range(0, images, size)]
    np.testing.assert_allclose(
        np.concatenate(parts), encoder.encode(batch)[:images], rtol=TOLERANCE, atol=TOLERANCE
    )


def test_a_vector_does_not_depend_on_its_neighbours(
    encoder: Encoder, photos: list[np.ndarray]
) -> None:
    one, dark = batch_of(encoder, [photos[5], np.zeros((20, 30, 3), np.uint8)])
    others = batch_of(encoder, photos[8:15])
    alone = encoder.encode(one[None])[0]
    for place in (0, 3, 7):
        among = encoder.encode(np.insert(others, place, one, axis=0))[place]
        np.testing.assert_allclose(among, alone, rtol=TOLERANCE, atol=TOLERANCE)
    in_the_dark = encoder.encode(np.stack([dark, one, dark]))[1]
    np.testing.assert_allclose(in_the_dark, alone, rtol=TOLERANCE, atol=TOLERANCE)


def test_it_is_deterministic(encoder: Encoder, photos: list[np.ndarray]) -> None:
    batch = batch_of(encoder, photos[:8])
    np.testing.assert_array_equal(encoder.encode(batch), encoder.encode(batch))


def test_different_images_have_different_vectors(
    encoder: Encoder, photos: list[np.ndarray]
) -> None:
    vectors = encoder.encode(batch_of(encoder, photos[:8]))
    assert len(np.unique(vectors, axis=0)) == 8


def test_the_batch_given_is_not_changed(encoder: Encoder, photos: list[np.ndarray]) -> None:
    batch = batch_of(encoder, photos[:4])
    before = batch.copy()
    encoder.encode(batch)
    np.testing.assert_array_equal(batch, before)


def test_two_threads_get_what_one_gets(encoder: Encoder, photos: list[np.ndarray]) -> None:
    batch = batch_of(encoder, photos[:24])
    parts = [batch[start : start + 3] for start in range(0, 24, 3)] * 3
    alone = [encoder.encode(part) for part in parts]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(encoder.encode, parts))
    np.testing.assert_allclose(together, alone, rtol=TOLERANCE, atol=TOLERANCE)


def test_extreme_pictures_have_finite_vectors(encoder: Encoder) -> None:
    flat = [np.full((9, 9, 3), value, np.uint8) for value in (0, 128, 255)]
    extreme = [*flat, np.full((1, 1, 3), 9, np.uint8), np.zeros((1, 50, 3), np.uint8)]
    assert np.isfinite(encoder.encode(batch_of(encoder, extreme))).all()


@pytest.mark.parametrize("which", ["descriptor", *TORCH])
def test_two_loads_are_the_same_encoder(
    which: str, opened: Opened, encoder_names: dict[str, str], photos: list[np.ndarray]
) -> None:
    first, second = opened(which), float32(encoder_names[which])
    assert second is not first
    assert second.spec == first.spec
    assert second.spec.encoder_id == first.spec.encoder_id
    batch = batch_of(first, photos[:4])
    np.testing.assert_allclose(first.encode(batch), second.encode(batch), rtol=0, atol=1e-6)


@pytest.mark.parametrize("which", ["descriptor", *TORCH])
def test_what_is_stored_how_changes_the_encoder_id_alone(
    which: str, opened: Opened, encoder_names: dict[str, str]
) -> None:
    request = EncoderRequest(encoder_names[which], "float32", stored_as="float32")
    spec = open_encoder(request).spec
    assert spec.encoder_id != opened(which).spec.encoder_id
    assert replace(spec, stored_as="float16") == opened(which).spec


# What only torch's encoders promise.


@pytest.mark.parametrize("which", TORCH)
def test_networks_are_frozen(which: str, opened: Opened) -> None:
    encoder: Any = opened(which)
    assert not any(module.training for module in encoder.module.modules())
    assert not any(parameter.requires_grad for parameter in encoder.module.parameters())
    assert not encoder._forward(
        next(encoder.module.parameters()).new_zeros(1, 3, *encoder.spec.preprocess.size)
    ).requires_grad


@pytest.mark.parametrize("which", TORCH)
def test_encoding_leaves_no_trace_in_the_network(
    which: str, opened: Opened, photos: list[np.ndarray]
) -> None:
    encoder: Any = opened(which)
    before = {name: value.clone() for name, value in encoder.module.state_dict().items()}
    encoder.encode(batch_of(encoder, photos[:8]))
    for name, value in encoder.module.state_dict().items():
        assert value.equal(before[name]), name


@pytest.mark.parametrize("which", TORCH)
def test_bfloat16_is_near_float32_and_another_encoder(
    which: str, opened: Opened, encoder_names: dict[str, str], photos: list[np.ndarray]
) -> None:
    exact = opened(which)
    quick = open_encoder(EncoderRequest(encoder_names[which], "bfloat16"))
    assert quick.spec.encoder_id != exact.spec.encoder_id
    assert replace(quick.spec, precision="float32") == exact.spec
    batch = batch_of(exact, photos[:8])
    vectors = quick.encode(batch)
    assert vectors.dtype == np.float32
    assert similarity(vectors, exact.encode(batch)).min() > 0.999


@pytest.mark.parametrize("which", TORCH)
def test_precision_is_chosen_where_nobody_asks(which: str, encoder_names: dict[str, str]) -> None:
    assert open_encoder(encoder_names[which]).spec.precision in ("float32", "bfloat16")


def tiny_network(*, delicate: bool) -> Network:
    """Return a network of one matrix; a delicate one subtracts two numbers that are near."""
    import torch

    class Tiny(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            random = torch.Generator().manual_seed(3)
            self.matrix = torch.nn.Linear(3 * 16, 24)
            self.matrix.weight.data = torch.randn(24, 48, generator=random)
            self.matrix.bias.data = torch.full((24,), 0.1)
            table = torch.rand(24, generator=random) + 0.5
            self.register_buffer("table", table, persistent=False)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            much = 200.0 if delicate else 0.0
            return (self.matrix(pixels.reshape(len(pixels), -1)) + much - much) * self.table

    module = Tiny()
    layout = PreprocessSpec(size=(4, 4), resize_to=(4, 4), resize="squash")
    return Network("test", "tiny", {}, module, module.forward, layout, "none")


def on_fast_hardware() -> bool:
    return best_precision(best_device()) == "bfloat16"


@pytest.mark.parametrize("delicate", [False, True], ids=["robust", "delicate"])
def test_bfloat16_is_chosen_only_where_the_network_bears_it(delicate: bool) -> None:
    chosen = TorchEncoder(tiny_network(delicate=delicate), EncoderRequest("test"))
    quick = on_fast_hardware() and not delicate
    assert chosen.spec.precision == ("bfloat16" if quick else "float32")
    weights = chosen.module.state_dict().values()
    assert {str(weight.dtype) for weight in weights} == {f"torch.{chosen.spec.precision}"}


def test_float32_that_was_chosen_is_float32_that_was_asked_for(photos: list[np.ndarray]) -> None:
    chosen = TorchEncoder(tiny_network(delicate=True), EncoderRequest("test"))
    asked = TorchEncoder(tiny_network(delicate=True), EncoderRequest("test", "float32"))
    assert chosen.spec.encoder_id == asked.spec.encoder_id
    batch = batch_of(asked, photos[:8])
    np.testing.assert_array_equal(chosen.encode(batch), asked.encode(batch))


def test_vectors_of_clip_have_length_one(opened: Opened, photos: list[np.ndarray]) -> None:
    encoder = opened("clip-folder")
    assert encoder.spec.normalise == "l2"
    lengths = np.linalg.norm(encoder.encode(batch_of(encoder, photos[:8])), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)


def test_descriptor_has_three_parts_of_length_one(opened: Opened, photos: list[np.ndarray]) -> None:
    encoder = opened("descriptor")
    vectors = encoder.encode(batch_of(encoder, photos[:8]))
    for part in np.split(vectors, [72, 72 + 324], axis=1):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 1, atol=1e-5)


def test_descriptor_sees_colour_gradient_and_texture(opened: Opened) -> None:
    encoder = opened("descriptor")
    y, x = np.mgrid[0:64, 0:64]
    ramp = np.stack([x * 4, x * 4, x * 4], axis=2).astype(np.uint8)
    turned = ramp.transpose(1, 0, 2).copy()
    tinted = ramp * np.array([1, 0, 0], np.uint8)
    rough = ramp ^ ((x * 7 + y * 13) % 3 == 0)[:, :, None].astype(np.uint8) * 64
    plain, *others = encoder.encode(np.stack([ramp, turned, tinted, rough]))
    colour, gradient, texture = slice(0, 72), slice(72, 396), slice(396, 556)

    def same(other: np.ndarray, part: slice) -> bool:
        return bool(np.allclose(other[part], plain[part], atol=1e-4))

    # Turned, a picture keeps its colours and not its gradients; and so on.
    assert same(others[0], colour)
    assert not same(others[0], gradient)
    assert not same(others[1], colour)
    assert not same(others[2], texture)


# The fingerprint.

SPEC = EncoderSpec(
    family="timm",
    architecture="resnet50.a1_in1k",
    weights_sha256="ab" * 32,
    preprocess=PreprocessSpec(size=(224, 224), resize_to=(256, 256)),
    precision="float32",
    normalise="none",
    dim=2048,
    config={"depth": 3, "wide": {"a": 1, "b": [1, 2]}},
)
CHANGES: dict[str, Any] = {
    "family": "clip",
    "architecture": "resnet50",
    "weights_sha256": "cd" * 32,
    "precision": "bfloat16",
    "normalise": "l2",
    "dim": 2049,
    "stored_as": "float32",
    "config": {"depth": 3, "wide": {"a": 1, "b": [2, 1]}},
    "revision": 2,
}
PREPROCESS_CHANGES: dict[str, Any] = {
    "size": (224, 225),
    "resize_to": (255, 256),
    "resize": "squash",
    "interpolation": "bilinear",
    "mean": (0.0, 0.0, 0.1),
    "std": (1.0, 1.0, 0.9),
    "fill": (0, 0, 1),
    "decode": "fast",
    "adjust": ("grayscale",),
}


def test_every_field_of_the_spec_is_tried_here() -> None:
    assert {field.name for field in fields(EncoderSpec)} == {*CHANGES, "preprocess"}
    assert {field.name for field in fields(PreprocessSpec)} == set(PREPROCESS_CHANGES)


@pytest.mark.parametrize("field", CHANGES)
def test_whatever_can_change_a_vector_changes_the_encoder_id(field: str) -> None:
    assert replace(SPEC, **{field: CHANGES[field]}).encoder_id != SPEC.encoder_id


@pytest.mark.parametrize("field", PREPROCESS_CHANGES)
def test_every_part_of_the_preprocessing_changes_the_encoder_id(field: str) -> None:
    layout = replace(SPEC.preprocess, **{field: PREPROCESS_CHANGES[field]})
    assert replace(SPEC, preprocess=layout).encoder_id != SPEC.encoder_id


def test_the_encoder_id_is_the_same_in_every_release() -> None:
    # Stores name their folders by it: if this changes, every store is encoded anew.
    assert SPEC.encoder_id == "timm-resnet50.a1_in1k-69dda77863a9"


def test_the_encoder_id_does_not_depend_on_the_order_of_settings() -> None:
    turned = {"wide": {"b": [1, 2], "a": 1}, "depth": 3}
    assert replace(SPEC, config=turned).encoder_id == SPEC.encoder_id


def test_the_encoder_id_can_be_the_name_of_a_folder() -> None:
    odd = replace(SPEC, architecture="../a b:c/é@%")
    assert set(odd.encoder_id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-._")
    assert not odd.encoder_id.startswith(".")
    assert "/" not in odd.encoder_id


def test_the_spec_survives_json() -> None:
    known = json.loads(json.dumps(asdict(SPEC)))
    layout = known.pop("preprocess")
    again = EncoderSpec(preprocess=PreprocessSpec(**layout), **known)
    assert again.encoder_id == SPEC.encoder_id


def test_the_spec_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'dim'"):
        SPEC.dim = 3  # type: ignore[misc]


@pytest.fixture
def folder_of(
    timm_folder: Path, clip_folder: Path, tmp_path: Path
) -> Callable[[str], tuple[str, Path]]:
    """Copy the folder of an encoder, to be changed; return the name that opens it, and it."""

    def copy(which: str) -> tuple[str, Path]:
        original = {"timm-folder": timm_folder, "clip-folder": clip_folder}[which]
        folder = tmp_path / which
        shutil.copytree(original, folder)
        return f"{which.partition('-')[0]}:local-dir:{folder}", folder

    return copy


FolderOf = Callable[[str], tuple[str, Path]]


def change_weights(folder: Path, which: str, change: Callable[[dict[str, Any]], object]) -> None:
    from safetensors.torch import load_file, save_file

    state = load_file(folder / FILES[which][1])
    change(state)
    save_file(state, folder / FILES[which][1])


def change_config(folder: Path, which: str, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / FILES[which][0]
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize("which", FILES)
def test_the_same_weights_elsewhere_are_the_same_encoder(
    which: str, folder_of: FolderOf, opened: Opened
) -> None:
    assert float32(folder_of(which)[0]).spec == opened(which).spec


@pytest.mark.parametrize("which", FILES)
def test_one_other_weight_is_another_encoder(
    which: str, folder_of: FolderOf, opened: Opened
) -> None:
    name, folder = folder_of(which)
    change_weights(folder, which, lambda state: state[FILES[which][2]].view(-1)[0].add_(0.5))
    assert float32(name).spec.encoder_id != opened(which).spec.encoder_id


PREPROCESSING = {"timm-folder": "pretrained_cfg", "clip-folder": "preprocess_cfg"}


@pytest.mark.parametrize(
    "change",
    [{"mean": [0.5, 0.5, 0.5]}, {"std": [0.5, 0.5, 0.5]}, {"interpolation": "bilinear"}],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("which", FILES)
def test_other_preprocessing_is_another_encoder(
    which: str, change: dict[str, Any], folder_of: FolderOf, opened: Opened
) -> None:
    name, folder = folder_of(which)
    change_config(folder, which, lambda config: config[PREPROCESSING[which]].update(change))
    spec = float32(name).spec
    assert spec.encoder_id != opened(which).spec.encoder_id
    assert spec.weights_sha256 == opened(which).spec.weights_sha256


def test_weights_are_fingerprinted_whatever_their_file_is(
    timm_folder: Path, folder_of: FolderOf, opened: Opened
) -> None:
    import torch
    from safetensors.torch import load_file

    name, folder = folder_of("timm-folder")
    weights = folder / "model.safetensors"
    torch.save(load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    assert float32(name).spec == opened("timm-folder").spec


def test_weights_are_fingerprinted_by_name_shape_and_value() -> None:
    import torch

    state = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)}
    known = weights_sha256(state)
    assert weights_sha256({"b": state["b"], "a": state["a"].clone()}) == known
    assert weights_sha256({**state, "a": state["a"].to(torch.bfloat16)}) == known
    assert weights_sha256({**state, "a": state["a"].T.contiguous().T}) == known
    others = [
        {**state, "a": state["a"].reshape(3, 2)},
        {**state, "a": state["a"] + 1e-6},
        {"a": state["a"], "c": state["b"]},
        {"a": state["a"]},
    ]
    assert known not in {weights_sha256(other) for other in others}


def test_another_activation_is_another_encoder(folder_of: FolderOf, opened: Opened) -> None:
    name, folder = folder_of("clip-folder")
    change_config(folder, "clip-folder", lambda c: c["model_cfg"].update(quick_gelu=True))
    assert float32(name).spec.encoder_id != opened("clip-folder").spec.encoder_id


@pytest.mark.parametrize(
    ("crop_mode", "resize"), [("center", "shortest"), ("squash", "squash"), ("border", "longest")]
)
def test_crop_modes_of_timm_are_understood(
    crop_mode: str, resize: str, folder_of: FolderOf
) -> None:
    name, folder = folder_of("timm-folder")
    change_config(folder, "timm-folder", lambda c: c["pretrained_cfg"].update(crop_mode=crop_mode))
    layout = float32(name).spec.preprocess
    assert (layout.resize, layout.size, layout.resize_to) == (resize, (64, 64), (73, 73))
    assert layout.fill == (124, 116, 104)


@pytest.mark.parametrize("resize", ["shortest", "squash", "longest"])
def test_resize_modes_of_open_clip_are_understood(resize: str, folder_of: FolderOf) -> None:
    name, folder = folder_of("clip-folder")
    change_config(folder, "clip-folder", lambda c: c["preprocess_cfg"].update(resize_mode=resize))
    layout = float32(name).spec.preprocess
    assert (layout.resize, layout.size, layout.resize_to) == (resize, (32, 32), (32, 32))


# Names.


def test_local_paths_in_a_name_become_absolute(tmp_path: Path) -> None:
    here = Path.cwd()
    assert EncoderRequest("timm:local-dir:a/b").name == f"timm:local-dir:{here / 'a/b'}"
    assert EncoderRequest("timm:net@w.pth").name == f"timm:net@{here / 'w.pth'}"
    assert EncoderRequest("clip:local-dir:~/c").local_path == Path.home() / "c"
    assert EncoderRequest("clip:ViT-B-32/openai").name == "clip:ViT-B-32/openai"
    assert EncoderRequest("clip:ViT-B-32/openai").local_path is None


def test_stamps_change_with_the_files_of_the_encoder(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"12345")
    os.utime(tmp_path / "w.bin", ns=(5, 7))
    request = EncoderRequest(f"timm:local-dir:{tmp_path}")
    assert request.stamps() == [["w.bin", 5, 7]]
    (tmp_path / "config.json").write_text("{}")
    assert [stamp[0] for stamp in request.stamps()] == ["config.json", "w.bin"]
    assert EncoderRequest(f"timm:net@{tmp_path / 'w.bin'}").stamps() == [["w.bin", 5, 7]]
    assert EncoderRequest("descriptor").stamps() == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "no encoder ''. Give clip:MODEL/TAG"),
        ("resnet50", "no encoder 'resnet50'. Give clip:MODEL/TAG"),
        ("keras:resnet50", "timm:MODEL@FILE, tiny, descriptor or thumbnail"),
        ("tiny:x", "tiny takes nothing after it"),
        ("descriptor:x", "descriptor takes nothing after it"),
        ("timm:resnet5O", "timm has no model 'resnet5O'. Near to it: .*resnet50"),
        ("timm:", "timm has no model ''"),
        ("clip:ViT-B-33/openai", "open_clip has no model 'ViT-B-33'. Near to it: ViT-B"),
        ("clip:ViT-B-32/nobody", "ViT-B-32 has no weights 'nobody'. It has: openai"),
        ("clip:ViT-B-32", "ViT-B-32 has no weights ''. It has: openai"),
    ],
)
def test_an_unknown_encoder_is_named_with_what_there_is(name: str, message: str) -> None:
    with pytest.raises(UnknownEncoder, match=message):
        open_encoder(name)


@pytest.mark.parametrize("which", TORCH)
def test_an_unknown_precision_is_refused(which: str, encoder_names: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="no precision 'float64'; give one of: float32, bfloat16"):
        open_encoder(EncoderRequest(encoder_names[which], "float64"))


def test_descriptor_refuses_a_precision_that_it_has_not() -> None:
    with pytest.raises(UsageError, match="descriptor computes in float32, not bfloat16"):
        open_encoder(EncoderRequest("descriptor", "bfloat16"))


def test_an_unknown_type_of_stored_vector_is_refused() -> None:
    with pytest.raises(UsageError, match="int8"):
        open_encoder(EncoderRequest("descriptor", stored_as="int8"))


def test_openai_weights_get_their_own_activation() -> None:
    from icehouse.embedder import _clip

    assert _clip._named_config("ViT-B-32", "openai")["quick_gelu"] is True
    assert _clip._named_config("ViT-B-32", "laion2b_s34b_b79k")["quick_gelu"] is False
    assert _clip._named_config("ViT-B-32-quickgelu", "laion400m_e32")["quick_gelu"] is True


# Weights.


@pytest.mark.parametrize("which", FILES)
def test_a_missing_weight_is_named(which: str, folder_of: FolderOf) -> None:
    name, folder = folder_of(which)
    key = FILES[which][2]
    change_weights(folder, which, lambda state: state.pop(key))
    with pytest.raises(WeightsError, match=f'(?s)do not fit its network.*Missing.*"{key}"'):
        open_encoder(name)


@pytest.mark.parametrize("which", FILES)
def test_a_weight_too_many_is_named(which: str, folder_of: FolderOf) -> None:
    name, folder = folder_of(which)
    key = FILES[which][2]
    change_weights(folder, which, lambda state: state.update(other=state[key].clone()))
    with pytest.raises(WeightsError, match=r'(?s)do not fit its network.*Unexpected.*"other"'):
        open_encoder(name)


@pytest.mark.parametrize("which", FILES)
def test_a_weight_of_another_shape_is_named(which: str, folder_of: FolderOf) -> None:
    name, folder = folder_of(which)
    key = FILES[which][2]
    change_weights(folder, which, lambda state: state.update({key: state[key][:3].clone()}))
    with pytest.raises(WeightsError, match=f"(?s)do not fit its network.*size mismatch for {key}"):
        open_encoder(name)


def test_a_configuration_under_which_timm_would_load_in_part_is_refused(
    folder_of: FolderOf,
) -> None:
    name, folder = folder_of("timm-folder")
    change_config(folder, "timm-folder", lambda c: c.update(model_args={"num_classes": 5}))
    with pytest.raises(WeightsError, match="asks for num_classes=5, and its weights are for 10"):
        open_encoder(name)


@pytest.mark.parametrize("which", FILES)
def test_a_folder_without_weights_is_refused_and_not_filled_at_random(
    which: str, folder_of: FolderOf
) -> None:
    name, folder = folder_of(which)
    (folder / FILES[which][1]).unlink()
    with pytest.raises(WeightsError, match=f"cannot load {name}"):
        open_encoder(name)


@pytest.mark.parametrize("which", FILES)
def test_a_folder_without_a_configuration_is_refused(which: str, folder_of: FolderOf) -> None:
    name, folder = folder_of(which)
    (folder / FILES[which][0]).unlink()
    with pytest.raises(WeightsError, match=f"has no {FILES[which][0]}, which says"):
        open_encoder(name)


@pytest.mark.parametrize("text", ["{}", "not JSON"])
@pytest.mark.parametrize("which", FILES)
def test_a_broken_configuration_is_a_weights_error(
    which: str, text: str, folder_of: FolderOf
) -> None:
    name, folder = folder_of(which)
    (folder / FILES[which][0]).write_text(text)
    with pytest.raises(WeightsError, match=f"cannot load {name}"):
        open_encoder(name)


@pytest.mark.parametrize("which", FILES)
def test_half_a_file_of_weights_is_a_weights_error(which: str, folder_of: FolderOf) -> None:
    name, folder = folder_of(which)
    weights = folder / FILES[which][1]
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(WeightsError, match=f"cannot load {name}"):
        open_encoder(name)


@pytest.mark.parametrize("family", ["timm", "clip"])
def test_a_folder_that_is_not_there_is_named(family: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"there is no folder {tmp_path}/nowhere; it should"):
        open_encoder(f"{family}:local-dir:{tmp_path}/nowhere")


def test_a_file_of_weights_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"there is no file of weights {tmp_path}/w.pth"):
        open_encoder(f"timm:test_resnet@{tmp_path}/w.pth")


def test_a_file_of_weights_for_other_classes_is_refused(timm_folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"(?s)do not fit its network.*size mismatch for fc"):
        open_encoder(f"timm:test_resnet@{timm_folder / 'model.safetensors'}")


def test_a_pickle_that_could_run_code_is_not_loaded(tmp_path: Path) -> None:
    import torch

    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (ran.touch, ())

    torch.save({"conv1.weight": Trap()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="weights_only"):
        open_encoder(f"timm:test_resnet@{tmp_path / 'w.pth'}")
    assert not ran.exists()


def test_a_network_that_does_not_pool_is_refused(folder_of: FolderOf) -> None:
    name, folder = folder_of("timm-folder")
    change_config(folder, "timm-folder", lambda c: c.update(model_args={"global_pool": ""}))
    with pytest.raises(VectorError, match="not one vector; choose a model that pools"):
        open_encoder(name)


@pytest.mark.parametrize("which", FILES)
def test_an_interpolation_that_cannot_be_exact_is_refused(which: str, folder_of: FolderOf) -> None:
    name, folder = folder_of(which)
    change_config(folder, which, lambda c: c[PREPROCESSING[which]].update(interpolation="nearest"))
    with pytest.raises(EncoderError, match=r"wants interpolation 'nearest'.*bicubic, bilinear"):
        open_encoder(name)
