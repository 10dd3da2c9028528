"""Without a network: an answer within seconds, and the ways out."""

from __future__ import annotations

import shutil
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from icehouse.embedder._hub import explained, reachable
from icehouse.errors import UnknownEncoder, WeightsError

NO_PROXIES = dict.fromkeys(
    [f"{scheme}_proxy" for scheme in ("http", "https", "all")]
    + [f"{scheme}_PROXY" for scheme in ("HTTP", "HTTPS", "ALL")],
    "",
)
CLOSED = "http://127.0.0.1:9"
OPEN_ENCODER = """
import sys
from icehouse.embedder import EncoderRequest, open_encoder
from icehouse.errors import WeightsError

for name in sys.argv[1:]:
    print("=" * 10, name)
    try:
        print("opened", open_encoder(EncoderRequest(name, "float32")).spec.encoder_id)
    except WeightsError as error:
        print("refused", error)
"""
CACHED = "timm:test_resnet.r160_in1k"
ABSENT = ("timm:resnet18.a1_in1k", "clip:ViT-B-32/openai")


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of this machine on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_host_that_listens_is_reachable(listener: int) -> None:
    assert reachable(f"http://127.0.0.1:{listener}")
    assert reachable(f"https://127.0.0.1:{listener}/some/path?query")


def test_a_closed_port_is_not_reachable(closed: int) -> None:
    assert not reachable(f"http://127.0.0.1:{closed}")


def test_a_host_that_does_not_exist_is_not_reachable() -> None:
    assert not reachable("https://no-such-host.invalid", timeout=2)


def test_an_address_that_is_silent_is_not_reachable() -> None:
    assert not reachable("http://192.0.2.1", timeout=0.05)  # set apart for documentation


@pytest.fixture(scope="module")
def offline(
    timm_file: Path, tmp_path_factory: pytest.TempPathFactory, run_child: Callable[..., str]
) -> dict[str, str]:
    """What comes of each name where the hub is out of reach and its cache holds one of them."""
    home = tmp_path_factory.mktemp("hub")
    repository = home / "hub" / "models--timm--test_resnet.r160_in1k"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    shutil.copy(timm_file, snapshot / "model.safetensors")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    printed = run_child(
        OPEN_ENCODER, *ABSENT, CACHED, HF_ENDPOINT=CLOSED, HF_HOME=str(home), **NO_PROXIES
    )
    parts = [part.partition("\n") for part in printed.split("========== ")[1:]]
    return {name: text for name, _, text in parts}


@pytest.mark.parametrize("name", ABSENT)
def test_weights_of_a_hub_out_of_reach_name_the_ways_out(
    name: str, offline: dict[str, str]
) -> None:
    assert f"refused cannot load {name}" in offline[name]
    assert "copy its cache (the folder HF_HOME" in offline[name]
    assert f"{name.partition(':')[0]}:local-dir:PATH" in offline[name]
    assert "the encoder whose weights are in this package: tiny" in offline[name]


def test_weights_in_the_cache_need_no_network(offline: dict[str, str]) -> None:
    assert "opened timm-test_resnet.r160_in1k-" in offline[CACHED]


def test_a_proxy_is_asked_instead_of_the_hub(
    listener: int, closed: int, run_child: Callable[..., str]
) -> None:
    program = """
from icehouse.embedder._hub import use_hub_or_cache
import huggingface_hub.constants as constants
use_hub_or_cache()
print("offline:", constants.HF_HUB_OFFLINE)
"""
    hub = {"HF_ENDPOINT": "http://hub.invalid", "HF_HUB_OFFLINE": "0"}
    for port, offline in ((listener, False), (closed, True)):
        proxies = {**NO_PROXIES, "http_proxy": f"http://127.0.0.1:{port}"}
        assert f"offline: {offline}" in run_child(program, **hub, **proxies)


def test_what_a_library_raises_becomes_a_weights_error_that_says_why() -> None:
    with (
        pytest.raises(
            WeightsError, match=r"(?s)cannot load clip:x/y: .*boom.*clip:local-dir"
        ) as no,
        explained("clip:x/y"),
    ):
        raise RuntimeError("boom\nand a long story")
    assert isinstance(no.value.__cause__, RuntimeError)
    assert "long story" not in str(no.value)


def test_an_error_without_words_is_named() -> None:
    with (
        pytest.raises(WeightsError, match=r"cannot load timm:x: .*TimeoutError"),
        explained("timm:x"),
    ):
        raise TimeoutError


@pytest.mark.parametrize(
    "text", ['Missing key(s) in state_dict: "a.b"', "size mismatch for a.b: copying a param"]
)
def test_weights_that_do_not_fit_keep_the_names_of_the_keys(text: str) -> None:
    with (
        pytest.raises(WeightsError, match=r"(?s)of timm:x do not fit its network\..*a\.b"),
        explained("timm:x"),
    ):
        raise RuntimeError(f"Error(s) in loading state_dict:\n\t{text}")


def test_our_own_errors_are_left_as_they_are() -> None:
    error = UnknownEncoder("no such thing")
    with pytest.raises(UnknownEncoder, match="no such thing") as caught, explained("timm:x"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("error", [MemoryError("all of it"), ModuleNotFoundError("no timm")])
def test_what_is_not_about_weights_is_left_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)), explained("timm:x"):
        raise error


def test_success_passes_through() -> None:
    with explained("timm:x"):
        done = urllib.request.getproxies() is not None
    assert done
