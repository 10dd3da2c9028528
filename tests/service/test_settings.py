"""Settings: options, then the environment, then a file, then defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from icehouse.errors import UsageError
from icehouse.service import Person, ServeSettings, Wire

TOKEN = "visitor-0123456789abcdef"


def test_options_come_before_the_environment_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "serve.toml"
    file.write_text('store = "a"\nheads = ["t/file"]\nport = 1\nmax_images = 7\n')
    monkeypatch.setenv("ICEHOUSE_SERVE_PORT", "2")
    monkeypatch.setenv("ICEHOUSE_SERVE_HEADS", '["t/env"]')
    settings = ServeSettings.of(file, port=3, host=None, heads=())
    assert (settings.store, settings.heads, settings.port) == ("a", ("t/env",), 3)
    assert (settings.host, settings.terms().images) == ("127.0.0.1", 7)
    monkeypatch.setenv("ICEHOUSE_SERVE_CONFIG", str(file))
    assert ServeSettings.of().port == 2
    monkeypatch.delenv("ICEHOUSE_SERVE_PORT")
    assert ServeSettings.of().port == 1


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({}, "store: Field required"),
        (
            {"store": "s", "port": 70_000},
            "port: Input should be less than or equal to 65535, got 7",
        ),
        ({"store": "s", "max_upload": -1}, "got -1 .--max-upload, ICEHOUSE_SERVE_MAX_UPLOAD or a"),
        ({"store": "s", "max_images": 0}, "max_images: "),
        ({"store": "s", "what": 1}, "what: Extra inputs"),
    ],
)
def test_what_is_no_setting_is_refused(said: dict[str, object], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        ServeSettings.of(**said)


@pytest.mark.parametrize(
    "said", [{"token": 123_456}, {"persons": (123_456,)}, {"tokn": 123_456}, {"labels": 123_456}]
)
def test_what_may_be_a_secret_is_not_shown(said: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="icehouse serve: ") as refused:
        ServeSettings.of(store="s", **said)
    assert "123" not in str(refused.value)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file of settings"):
        ServeSettings.of(tmp_path / "none.toml", store="s")
    (tmp_path / "bad.toml").write_text("store = ")
    with pytest.raises(UsageError, match=r"bad.toml cannot be read"):
        ServeSettings.of(tmp_path / "bad.toml")


def test_tokens_come_from_a_file_or_the_environment_and_are_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# of the page\n{TOKEN}\n\n{TOKEN}2\n")
    monkeypatch.setenv("ICEHOUSE_SERVE_TOKEN", f"{TOKEN}3")
    settings = ServeSettings.of(store="s", token_file=file, persons=(f"ann:owner:{TOKEN}4",))
    people = settings.who()
    for token in (TOKEN, f"{TOKEN}2", f"{TOKEN}3"):
        assert people.who(token, "eve") == Person("visitor", "reader")
    assert people.who(f"{TOKEN}4", None) == Person("ann", "owner")
    assert TOKEN not in repr(settings) + str(settings)
    file.write_text("# none\n")
    with pytest.raises(UsageError, match="holds no token"):
        settings.who()


def test_other_machines_may_ask_only_so_often() -> None:
    def rate(**said: object) -> float:
        return ServeSettings.of(store="s", **said).limits().rate

    assert rate() == 0
    assert rate(host="0.0.0.0") == 20
    assert rate(trust_proxy="127.0.0.1") == 20
    assert rate(host="0.0.0.0", rate=0.0) == 0
    assert ServeSettings.of(store="s", max_upload=1.5).limits().body == 1.5 * 2**20
    assert ServeSettings.of(store="s", max_waiting=5).terms().images == 5


def test_tls_takes_both_of_its_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="both a certificate and its key"):
        Wire(tls_cert=tmp_path / "cert.pem")
    with pytest.raises(UsageError, match="there is no file"):
        Wire(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")
