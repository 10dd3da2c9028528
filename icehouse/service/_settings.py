"""Settings of ``icehouse serve``: options, then the environment, then a file, then defaults."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from icehouse.errors import UsageError
from icehouse.service.http import MIB, Limits, People, Terms, is_loopback
from icehouse.service.inference import ServiceOptions, StationOptions

PREFIX = "ICEHOUSE_SERVE_"
CONFIG = f"{PREFIX}CONFIG"
SECRETS = ("token", "persons", "labels")  # are not shown where something is wrong with them
RATE = 20.0  # requests a second of one address, where other machines may ask


class ServeSettings(BaseSettings):
    """What is served, to whom, and how much of it; each also as ``ICEHOUSE_SERVE_<NAME>``.

    Lists are JSON in the environment: ``ICEHOUSE_SERVE_HEADS='["shapes/logistic"]'``.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid")

    store: str = Field(description="Folder or URL of the store.")
    labels: str | None = Field(None, description="URL of the database of the labels.")
    heads: tuple[str, ...] = Field((), description="TASK/NAME; none: all of the store.")
    encoders: tuple[str, ...] = Field((), description="Served besides those of the heads.")
    index: str | None = Field(None, description="A Milvus to search by: milvus:FILE.db or a URL.")
    queue: int | None = Field(None, description="Of the review page; none: the newest open one.")
    host: str = "127.0.0.1"
    port: int = Field(8400, ge=0, le=65535)
    engine: str = "auto"
    token: SecretStr | None = Field(None, description="Of visitors, who may ask and flag.")
    token_file: Path | None = Field(None, description="The same, one in a line.")
    persons: tuple[SecretStr, ...] = Field((), description="NAME:ROLE:TOKEN")
    people: Path | None = Field(None, description="The same, one in a line.")
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trust_proxy: str | None = Field(None, description="Addresses whose X-Forwarded is believed.")
    max_upload: float = Field(32, gt=0, description="MiB of one request.")
    max_pixels: float = Field(50, gt=0, description="Millions, of one image.")
    max_images: int = Field(64, ge=1, description="Of one request.")
    max_waiting: int = Field(256, ge=1, description="Images that may wait for an encoder.")
    timeout: float = Field(30, gt=0, description="Seconds of a request.")
    rate: float | None = Field(None, ge=0, description="Requests a second of one address; 0: any.")
    window_ms: float = Field(4, ge=0, description="For which a batch waits for more.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put options before the environment before the file that it or an option names."""
        file = TomlConfigSettingsSource(settings_cls, os.environ.get(CONFIG) or None)
        return (init_settings, env_settings, file)

    @classmethod
    def of(cls, file: Path | None = None, **given: Any) -> ServeSettings:
        """Return settings; options that are None or empty are as if they were not given.

        Raises
        ------
        UsageError
            A setting is unknown, missing or out of its range, or the file cannot be read.
        """
        said = {name: value for name, value in given.items() if value not in (None, ())}
        before = os.environ.get(CONFIG)
        try:
            if file is not None:
                os.environ[CONFIG] = str(file)
            if (named := os.environ.get(CONFIG)) and not Path(named).is_file():
                raise UsageError(f"there is no file of settings {named}")
            return cls(**said)
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False)
            raise UsageError(f"icehouse serve: {'; '.join(map(_words, wrong))}") from None
        except ValueError as error:  # the file is no TOML
            raise UsageError(f"{os.environ.get(CONFIG)} cannot be read: {error}") from error
        finally:
            if file is not None:
                os.environ.pop(CONFIG)
                if before is not None:
                    os.environ[CONFIG] = before

    def who(self) -> People:
        """Return who is let in.

        Raises
        ------
        UsageError
            A line is no person or token, or a file cannot be read.
        """
        lines = [secret.get_secret_value() for secret in self.persons]
        tokens = [] if self.token is None else [self.token.get_secret_value()]
        return People.of(lines, self.people, tokens, self.token_file)

    def limits(self) -> Limits:
        """Return what is too much of one request, and of all."""
        rate = self.rate
        if rate is None:
            rate = 0.0 if is_loopback(self.host) and self.trust_proxy is None else RATE
        body = int(self.max_upload * MIB)
        return Limits(body=body, memory=max(Limits.memory, 2 * body), rate=rate)

    def terms(self) -> Terms:
        """Return what one request may ask."""
        return Terms(min(self.max_images, self.max_waiting), self.timeout)

    def service(self) -> ServiceOptions:
        """Return what is served."""
        station = StationOptions(
            engine=self.engine,
            max_pixels=int(self.max_pixels * 10**6),
            limit=self.max_waiting,
            window=self.window_ms / 1000,
        )
        return ServiceOptions(self.heads, self.encoders, station, index=self.index)


def _words(wrong: ErrorDetails) -> str:
    """Return what is wrong with a setting, and what was got unless that may be a secret."""
    name = str(wrong["loc"][0]) if wrong["loc"] else ""
    words = f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}"
    if name in ServeSettings.model_fields and name not in SECRETS and wrong["type"] != "missing":
        words += f", got {wrong['input']!r}"
    return f"{words} (--{name.replace('_', '-')}, {PREFIX}{name.upper()} or a line of the file)"
