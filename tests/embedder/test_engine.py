"""Engines: the same vectors from each, the choice between them, and what is kept of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from icehouse.embedder import (
    EmbedOptions,
    EncoderRequest,
    ViewOptions,
    embed,
    list_source,
    open_encoder,
    open_on,
    rehearse,
    reopen_encoder,
    similarity,
)
from icehouse.embedder._converted import cache_folder, find
from icehouse.errors import MissingExtra, UsageError, WeightsError
from icehouse.store import Store


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder for one test."""
    monkeypatch.setenv("ICEHOUSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def kept(encoder_names: dict[str, str]) -> EncoderRequest:
    """A request whose conversion is kept."""
    request = EncoderRequest(encoder_names["timm-folder"], "float32")
    open_on(request, "openvino")
    return request


def entry_of(request: EncoderRequest) -> Path:
    found = find(request)
    assert found is not None
    return found.model.parent


# The same vectors.


@pytest.mark.parametrize("which", ["timm-folder", "clip-folder"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_both_engines_give_the_same_vectors(
    which: str, precision: str, encoder_names: dict[str, str], photos: list[np.ndarray]
) -> None:
    request = EncoderRequest(encoder_names[which], precision)
    opened = open_on(request, "openvino")
    exact = open_encoder(EncoderRequest(encoder_names[which], "float32"))
    assert opened.engine == "openvino"
    assert opened.encoder.spec == open_encoder(request).spec
    batch = np.stack([exact.preprocess(photo) for photo in photos])
    ours, theirs = opened.encoder.encode(batch), exact.encode(batch)
    mean = theirs.mean(axis=0)
    assert similarity(ours, theirs).min() >= 0.999
    worst = similarity(ours - mean, theirs - mean).min()
    assert worst >= (0.9999 if precision == "float32" else 0.99)


def test_a_resumed_run_ends_with_the_same_bits(
    kept: EncoderRequest, pictures: Path, tmp_path: Path
) -> None:
    options = EmbedOptions(engine="openvino", workers=1)
    listing = list_source(pictures)
    stores = [Store.create(tmp_path / name) for name in ("whole", "parts")]
    embed(stores[0], listing, kept, options=options)
    for end in (3, 22, 40):
        part = replace(listing, entries=listing.entries[:end])
        report = embed(stores[1], part, kept, options=options)
    whole, parts = (store.features(report.encoder_id).load() for store in stores)
    order, other = np.argsort(whole.ids), np.argsort(parts.ids)
    np.testing.assert_array_equal(whole.ids[order], parts.ids[other])
    np.testing.assert_array_equal(whole.vectors[order], parts.vectors[other])


def test_a_store_takes_vectors_of_both_engines(
    kept: EncoderRequest, pictures: Path, store: Store
) -> None:
    listing = list_source(pictures)
    half = replace(listing, entries=listing.entries[::2])
    first = embed(store, half, kept, options=EmbedOptions(engine="torch"))
    second = embed(store, listing, kept, options=EmbedOptions(engine="openvino"))
    assert first.encoder_id == second.encoder_id
    assert (first.encoded, second.encoded) == (20, 20)
    assert second.speed is not None
    assert first.speed is not None
    assert (first.speed.engine, second.speed.engine) == ("torch", "openvino")


# The choice.


def test_little_work_is_not_worth_a_conversion(own_cache: Path, timm_folder: Path) -> None:
    opened = open_on(EncoderRequest(f"timm:local-dir:{timm_folder}"), "auto", images=40)
    assert (opened.engine, opened.rates) == ("torch", {})
    assert not own_cache.exists()


def test_much_work_is_measured_once(own_cache: Path, timm_folder: Path) -> None:
    request = EncoderRequest(f"timm:local-dir:{timm_folder}", "float32")
    first = open_on(request, "auto", images=10**9)
    assert set(first.rates) == {"torch", "openvino"}
    assert first.engine == max(first.rates, key=lambda engine: first.rates[engine])
    again = open_on(request, "auto", images=1)
    assert (again.engine, again.rates) == (first.engine, first.rates)


@pytest.mark.parametrize("faster", ["torch", "openvino"])
def test_what_was_measured_to_be_faster_is_taken(kept: EncoderRequest, faster: str) -> None:
    path = entry_of(kept) / "encoder.json"
    before = path.read_text()
    said = json.loads(before)
    said["rates"] = {"torch": 100, "openvino": 100, faster: 200}
    path.write_text(json.dumps(said))
    try:
        assert open_on(kept).engine == faster
        assert open_on(kept, "openvino").engine == "openvino"
        assert open_on(kept, "torch").engine == "torch"
    finally:
        path.write_text(before)


def test_a_kept_conversion_opens_without_libraries_that_it_does_not_need(
    kept: EncoderRequest, run_child: Callable[..., str]
) -> None:
    program = """
import sys
from icehouse.embedder import EncoderRequest, open_on
opened = open_on(EncoderRequest(sys.argv[1], "float32"), "openvino")
loaded = {"timm", "open_clip", "pyarrow", "sqlalchemy", "sklearn"} & set(sys.modules)
print(opened.engine, *loaded, opened.encoder.spec.encoder_id)
"""
    expected = open_encoder(kept).spec.encoder_id
    assert run_child(program, kept.name).split() == ["openvino", expected]


def test_a_precision_that_was_chosen_serves_one_who_asks_for_it(
    own_cache: Path, timm_folder: Path
) -> None:
    name = f"timm:local-dir:{timm_folder}"
    chosen = open_on(EncoderRequest(name), "openvino").encoder.spec.precision
    assert find(EncoderRequest(name, chosen)) is not None
    other = {"float32": "bfloat16", "bfloat16": "float32"}[chosen]
    assert find(EncoderRequest(name, other)) is None


def test_how_vectors_are_stored_is_no_part_of_what_is_kept(kept: EncoderRequest) -> None:
    wide = open_on(replace(kept, stored_as="float32"), "openvino")
    assert wide.encoder.spec.stored_as == "float32"
    assert wide.encoder.spec == open_encoder(replace(kept, stored_as="float32")).spec


# What is kept is never trusted blindly.


def test_new_weights_are_converted_anew(own_cache: Path, timm_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(timm_folder, folder)
    request = EncoderRequest(f"timm:local-dir:{folder}", "float32")
    open_on(request, "openvino")
    assert find(request) is not None
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert find(request) is None


@pytest.fixture
def copied(kept: EncoderRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EncoderRequest:
    """A request whose conversion is kept in a cache of the test's own, to be damaged."""
    source = cache_folder()
    monkeypatch.setenv("ICEHOUSE_CACHE", str(tmp_path / "copied"))
    shutil.copytree(source, tmp_path / "copied")
    return kept


@pytest.mark.parametrize("file", ["model.bin", "model.xml"])
def test_a_single_changed_bit_is_noticed(copied: EncoderRequest, file: str) -> None:
    path = entry_of(copied) / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert find(copied) is None


@pytest.mark.parametrize("file", ["model.bin", "encoder.json"])
def test_an_entry_that_was_cut_is_not_taken(copied: EncoderRequest, file: str) -> None:
    path = entry_of(copied) / file
    path.write_bytes(path.read_bytes()[:-100])
    assert find(copied) is None


def test_a_damaged_entry_is_made_again(copied: EncoderRequest, photos: list[np.ndarray]) -> None:
    good = open_encoder(copied)
    (entry_of(copied) / "model.xml").write_text("<net")
    batch = np.stack([good.preprocess(photo) for photo in photos[:16]])
    again = open_on(copied, "openvino").encoder
    np.testing.assert_allclose(again.encode(batch), good.encode(batch), atol=1e-5)
    assert (entry_of(copied) / "model.xml").read_text() != "<net"


def test_a_cache_that_cannot_be_written_is_done_without(
    timm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ICEHOUSE_CACHE", str(tmp_path / "file"))
    request = EncoderRequest(f"timm:local-dir:{timm_folder}", "float32")
    assert open_on(request, "openvino").engine == "openvino"
    assert find(request) is None


def test_the_cache_is_where_the_system_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ICEHOUSE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/icehouse")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "icehouse"


def test_an_encoder_that_was_replaced_is_noticed(
    own_cache: Path, timm_folder: Path, pictures: Path, store: Store
) -> None:
    """The kept conversion answers for the fingerprint of what was converted, not of the store."""
    request = EncoderRequest(f"timm:local-dir:{timm_folder}", "float32")
    report = embed(store, list_source(pictures), request, options=EmbedOptions(engine="openvino"))
    assert reopen_encoder(store, report.encoder_id).spec.encoder_id == report.encoder_id
    path = entry_of(request) / "encoder.json"
    said = json.loads(path.read_text())
    said["spec"]["weights_sha256"] = "0" * 64
    said["rates"] = {"torch": 1, "openvino": 2}
    path.write_text(json.dumps(said))
    with pytest.raises(WeightsError, match="is no longer the encoder"):
        reopen_encoder(store, report.encoder_id)


# What cannot be.


def test_an_unknown_engine_is_refused(timm_folder: Path) -> None:
    with pytest.raises(UsageError, match="no engine 'onnx'; give one of: auto, torch, openvino"):
        open_on(EncoderRequest(f"timm:local-dir:{timm_folder}"), "onnx")


def test_the_descriptor_has_no_network_to_convert() -> None:
    assert open_on(EncoderRequest("descriptor"), "auto", images=10**9).engine == "torch"
    with pytest.raises(UsageError, match="descriptor does not run on OpenVINO"):
        open_on(EncoderRequest("descriptor"), "openvino")


def test_without_openvino_torch_is_taken_and_asking_for_it_names_the_install_line(
    run_child: Callable[..., str], timm_folder: Path
) -> None:
    program = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "openvino":
            raise ModuleNotFoundError(name)
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "openvino" else found(name)
sys.meta_path.insert(0, Absent())
from icehouse.embedder import EncoderRequest, open_on
from icehouse.errors import MissingExtra
request = EncoderRequest(sys.argv[1])
print(open_on(request, "auto", images=10**9).engine)
try:
    open_on(request, "openvino")
except MissingExtra as error:
    print(error)
"""
    printed = run_child(program, f"timm:local-dir:{timm_folder}").splitlines()
    assert printed[0] == "torch"
    assert printed[1] == str(MissingExtra("openvino", "openvino"))


# A dry run.


def test_a_rehearsal_measures_and_writes_nothing(
    pictures: Path, timm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    found = rehearse(list_source(pictures), f"timm:local-dir:{timm_folder}", 10)
    assert (found.inputs, found.tried, found.encoded, found.errors) == (40, 10, 10, {})
    assert found.speed is not None
    assert found.estimate == pytest.approx(found.opening + 4 * found.seconds)
    assert found.opening > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_a_rehearsal_takes_inputs_from_all_of_the_source(pictures: Path, tmp_path: Path) -> None:
    for number in range(9):
        source = pictures / "disc" / f"{number:02d}.png"
        bad = number >= 6
        (tmp_path / f"{number}.png").write_bytes(b"words" if bad else source.read_bytes())
    found = rehearse(list_source(tmp_path), "descriptor", 3)
    assert (found.tried, found.encoded, found.errors) == (3, 2, {"not-an-image": 1})
    assert rehearse(list_source(tmp_path), "descriptor", 100).tried == 9


def test_a_rehearsal_makes_the_views_that_are_wanted(pictures: Path) -> None:
    options = EmbedOptions(views=ViewOptions(3))
    found = rehearse(list_source(pictures), "descriptor", 10, options=options)
    assert (found.encoded, found.views) == (10, 30)


def test_a_rehearsal_of_nothing_is_refused(pictures: Path) -> None:
    with pytest.raises(UsageError, match="1 image or more, got 0"):
        rehearse(list_source(pictures), "descriptor", 0)
