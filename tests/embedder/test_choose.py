"""Which of the store's encoders is meant, and whether it is still the same."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from icehouse.embedder import (
    Encoder,
    EncoderRequest,
    PictureOptions,
    choose_encoder,
    embed,
    find_request,
    list_source,
    reopen_encoder,
)
from icehouse.errors import LookupFailed, WeightsError
from icehouse.store import Store


@pytest.fixture
def few(pictures: Path, tmp_path: Path) -> Path:
    """Three pictures."""
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(3):
        shutil.copy(pictures / "disc" / f"{number:02d}.png", folder)
    return folder


@pytest.fixture
def network(timm_folder: Path, tmp_path: Path) -> Path:
    """A folder of weights that may be changed."""
    return Path(shutil.copytree(timm_folder, tmp_path / "network"))


def embedded_by(store: Store, few: Path, request: EncoderRequest | str) -> str:
    return embed(store, list_source(few), request, dataset="few").encoder_id


def test_a_request_is_found_again_without_loading(store: Store, few: Path, network: Path) -> None:
    request = EncoderRequest(f"timm:local-dir:{network}", "float32")
    assert find_request(store, request) is None
    encoder_id = embedded_by(store, few, request)
    assert find_request(store, request) == encoder_id
    assert find_request(store, EncoderRequest(request.name)) == encoder_id


@pytest.mark.parametrize("changed", [{"precision": "bfloat16"}, {"stored_as": "float32"}], ids=str)
def test_another_request_is_not_found(
    store: Store, few: Path, network: Path, changed: dict[str, str]
) -> None:
    name = f"timm:local-dir:{network}"
    embedded_by(store, few, EncoderRequest(name, "float32"))
    settings = {"precision": "float32", **changed}
    assert find_request(store, EncoderRequest(name, **settings)) is None
    assert find_request(store, EncoderRequest("descriptor")) is None


def test_a_request_is_not_found_once_its_files_changed(
    store: Store, few: Path, network: Path
) -> None:
    request = EncoderRequest(f"timm:local-dir:{network}", "float32")
    embedded_by(store, few, request)
    os.utime(network / "model.safetensors", ns=(1, 1))
    assert find_request(store, request) is None


def test_a_request_whose_files_moved_away_is_not_found(
    store: Store, few: Path, network: Path
) -> None:
    request = EncoderRequest(f"timm:local-dir:{network}", "float32")
    embedded_by(store, few, request)
    shutil.rmtree(network)
    assert find_request(store, request) is None


def test_files_that_were_only_touched_are_known_again_after_one_run(
    store: Store, few: Path, network: Path
) -> None:
    request = EncoderRequest(f"timm:local-dir:{network}", "float32")
    encoder_id = embedded_by(store, few, request)
    os.utime(network / "model.safetensors", ns=(1, 1))
    assert embedded_by(store, few, request) == encoder_id
    assert find_request(store, request) == encoder_id


def test_the_only_encoder_needs_no_name(store: Store, few: Path) -> None:
    encoder_id = embedded_by(store, few, "descriptor")
    assert choose_encoder(store) == encoder_id
    assert choose_encoder(store, "descriptor") == encoder_id
    assert choose_encoder(store, encoder_id) == encoder_id
    assert choose_encoder(store, encoder_id[:13]) == encoder_id


def test_an_empty_store_says_that_it_has_none(store: Store) -> None:
    with pytest.raises(LookupFailed, match=r"the store has no features yet\. Make some with"):
        choose_encoder(store)


def test_an_encoder_that_the_store_has_not_is_named_with_what_it_has(
    store: Store, few: Path
) -> None:
    encoder_id = embedded_by(store, few, "descriptor")
    with pytest.raises(LookupFailed, match=f"no encoder 'timm:x'; it has: {encoder_id} \\(desc"):
        choose_encoder(store, "timm:x")


def test_one_of_several_has_to_be_chosen(store: Store, few: Path, network: Path) -> None:
    name = f"timm:local-dir:{network}"
    one = embedded_by(store, few, "descriptor")
    other = embedded_by(store, few, EncoderRequest(name, "float32"))
    with pytest.raises(LookupFailed, match="has several encoders; choose one with --encoder"):
        choose_encoder(store)
    assert choose_encoder(store, "descriptor") == one
    assert choose_encoder(store, name) == other
    assert choose_encoder(store, "timm") == other


def test_a_relative_path_names_the_same_encoder(
    store: Store, few: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder_id = embedded_by(store, few, EncoderRequest(f"timm:local-dir:{network}", "float32"))
    monkeypatch.chdir(network.parent)
    assert choose_encoder(store, "timm:local-dir:network") == encoder_id


def test_one_name_in_two_precisions_is_ambiguous(store: Store, few: Path, network: Path) -> None:
    name = f"timm:local-dir:{network}"
    ids = {embedded_by(store, few, EncoderRequest(name, p)) for p in ("float32", "bfloat16")}
    assert len(ids) == 2
    with pytest.raises(LookupFailed, match="has several encoders"):
        choose_encoder(store, name)
    for encoder_id in ids:
        assert choose_encoder(store, encoder_id) == encoder_id


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_encoder_is_opened_again_as_it_was(
    store: Store, few: Path, network: Path, precision: str
) -> None:
    request = EncoderRequest(f"timm:local-dir:{network}", precision, stored_as="float32")
    encoder_id = embedded_by(store, few, request)
    spec = reopen_encoder(store, encoder_id).spec
    assert spec.encoder_id == encoder_id
    assert (spec.precision, spec.stored_as) == (precision, "float32")


def test_an_encoder_that_was_never_met_cannot_be_opened_again(
    store: Store, opened: Callable[[str], Encoder]
) -> None:
    with pytest.raises(LookupFailed, match="the store has no features of encoder descriptor-"):
        reopen_encoder(store, opened("descriptor").spec.encoder_id)


def test_other_weights_under_the_same_name_are_not_opened(
    store: Store, few: Path, network: Path, timm_folder: Path
) -> None:
    from safetensors.torch import load_file, save_file

    encoder_id = embedded_by(store, few, EncoderRequest(f"timm:local-dir:{network}", "float32"))
    state = load_file(network / "model.safetensors")
    state["layer1.0.conv1.weight"] += 1
    save_file(state, network / "model.safetensors")
    with pytest.raises(WeightsError, match=f"no longer the encoder {encoder_id}: it is now timm-"):
        reopen_encoder(store, encoder_id)
    shutil.copy(timm_folder / "model.safetensors", network / "model.safetensors")
    assert reopen_encoder(store, encoder_id).spec.encoder_id == encoder_id


def test_weights_that_moved_away_are_named(store: Store, few: Path, network: Path) -> None:
    encoder_id = embedded_by(store, few, EncoderRequest(f"timm:local-dir:{network}", "float32"))
    shutil.rmtree(network)
    with pytest.raises(
        WeightsError, match=f"was loaded from {network}, which is gone. If it has moved"
    ):
        reopen_encoder(store, encoder_id)


def test_of_several_with_one_name_the_plain_one_is_meant(store: Store, pictures: Path) -> None:
    listing = list_source(pictures)
    grey = EncoderRequest("descriptor", pictures=PictureOptions(adjust=("grayscale",)))
    other = embed(store, listing, grey, dataset="d").encoder_id
    assert choose_encoder(store, "descriptor") == other
    plain = embed(store, listing, "descriptor", dataset="d").encoder_id
    assert choose_encoder(store, "descriptor") == plain
    with pytest.raises(LookupFailed, match=r"\(descriptor --adjust grayscale\)"):
        choose_encoder(store)
