"""Settings of the process, read from the environment: READINGROOM_PORT=8000 sets `port`."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from enhancers.asset_files import ASSETS
from enhancers.errors import ParameterError
from enhancers.http_limits.addresses import LOOPBACK, PRIVATE, networks
from enhancers.http_limits.upload_quota import FILES_PER_HOUR, GB_PER_HOUR
from enhancers.user_folders import default_cache_dir, default_models_dir

PREFIX = "READINGROOM_"


def on_a_space() -> bool:
    """Whether this process runs on Hugging Face Spaces, on any hardware."""
    return bool(os.environ.get("SPACE_ID"))


def default_host() -> str:
    """Only this machine; on a Space, whose proxy is another machine, all addresses."""
    return "0.0.0.0" if on_a_space() else "127.0.0.1"


def default_proxies() -> str:
    """The proxies that are trusted: those on this machine, on a Space its proxy too."""
    return PRIVATE if on_a_space() else LOOPBACK


class Settings(BaseSettings):
    """The configuration by the user; an empty environment variable counts as unset.

    Parameters
    ----------
    host : str
        Address the page is served on; the default answers this machine only, except on a Space.
    port : int
        TCP port of the page.
    allowed_hosts : str
        Names that browsers use for this server, with commas or spaces between them. Without one, a
        server for this machine answers to localhost and addresses, any other to every name.
    trusted_proxies : str
        Addresses and networks of proxies, with commas or spaces between them, whose
        ``X-Forwarded-For``, ``-Proto`` and ``-Host`` are believed; 172.17.0.0/16 is Docker's
        bridge. The default is this machine, on a Space private networks too.
    max_file_mb : float
        Largest file that is read, in MB (10^6 bytes).
    upload_gb_per_hour : float
        Most GB (10^9 bytes) that one address may upload in an hour.
    uploads_per_hour : int
        Most files that one address may upload in an hour.
    max_megapixels : float
        Largest image that is decoded, in 10^6 pixels.
    decode_workers : int
        Most uploads that are decoded at once, each in a process of its own; others wait.
    decode_memory_mb : float
        Memory for decoding one upload, in MB.
    decode_seconds : float
        Time for decoding one upload.
    slice_store_mb : float
        Memory for decoded slices and volumes of open files, so that a second look decodes nothing,
        in MB.
    cache_dir : Path
        Folder of the result cache and of temporary files.
    cache_gb : float
        Size of the result cache on disk in GB (10^9 bytes). Results show the images they were made
        of, so that by default, 0, none is written.
    memory_cache_mb : float
        Size of the result cache in memory in MB, where there is none on disk; 0 switches it off.
    pixel_store_mb : float
        Memory for the images of open pages, in MB.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps"; auto takes the fastest there is.
    threads : int or None
        CPU threads of the networks; None leaves it to torch.
    precision : {"auto", "full", "half"}
        How networks compute: float32, 16 bits, or 16 bits on a GPU alone (auto).
    compile : bool
        Whether networks on an NVIDIA GPU are compiled: minutes once for every size of image.
    model_memory_gb : float or None
        Memory for networks that wait on a device, in GB (10^9 bytes); None is a share of it.
    priors_dir : Path
        Folder of the embedded networks.
    models_dir : Path
        Folder of the networks that were fetched or added.
    network_changes : bool
        Whether visitors of the page may fetch, add and remove networks; off on a Space.
    network_folder : Path or None
        Folder on the server from which visitors may add networks by naming a file or folder below
        it; None takes uploads only.
    study_dir : Path or None
        Folder of the reader study that is served beside the compare page, or of several studies.
    study_key : Path or None
        Its key file, for what coordinators do before the freeze and after the close; of several
        studies the folder of their key files.
    study_database : str or None
        SQLAlchemy address of its database; None is SQLite in the folder.
    cookie_key : Path or None
        File with the key that signs the study's sign-in cookies, made at the first start, outside
        the study; None is ``~/.local/state/reading-room/cookie.key``.
    disk_may_vanish : bool
        Whether the study is served although it is in memory or in a container, and would be lost
        with it.
    study_demo : bool
        Whether the Study tab offers a demo while no study is served.
    mcp : bool
        Whether the endpoints of the compare page are served as MCP tools too; needs the package
        ``mcp``.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    host: str = Field(default_factory=default_host)
    port: Annotated[int, Field(ge=1, le=65535)] = 7860
    allowed_hosts: str = ""
    trusted_proxies: str = Field(default_factory=default_proxies)
    max_file_mb: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 200.0
    upload_gb_per_hour: Annotated[float, Field(gt=0, allow_inf_nan=False)] = GB_PER_HOUR
    uploads_per_hour: Annotated[int, Field(ge=1)] = FILES_PER_HOUR
    max_megapixels: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 64.0
    decode_workers: Annotated[int, Field(ge=1, le=64)] = 2
    decode_memory_mb: Annotated[float, Field(ge=100, allow_inf_nan=False)] = 2500.0
    decode_seconds: Annotated[float, Field(ge=1, le=3600)] = 20.0
    slice_store_mb: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 512.0
    cache_dir: Path = Field(default_factory=default_cache_dir)
    cache_gb: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    memory_cache_mb: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 512.0
    pixel_store_mb: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1024.0
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    threads: Annotated[int | None, Field(ge=1)] = None
    precision: Literal["auto", "full", "half"] = "auto"
    compile: bool = False
    model_memory_gb: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    priors_dir: Path = ASSETS / "networks"
    models_dir: Path = Field(default_factory=default_models_dir)
    network_changes: bool = Field(default_factory=lambda: not on_a_space())
    network_folder: Path | None = None
    study_dir: Path | None = None
    study_key: Path | None = None
    study_database: str | None = None
    cookie_key: Path | None = None
    disk_may_vanish: bool = False
    study_demo: bool = True
    mcp: bool = False

    @field_validator(
        "cache_dir",
        "priors_dir",
        "models_dir",
        "network_folder",
        "study_dir",
        "study_key",
        "cookie_key",
    )
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and path.expanduser().absolute()

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, named: str) -> str:
        networks(named)
        return named

    @property
    def max_file_bytes(self) -> int:
        """`max_file_mb` in bytes."""
        return round(self.max_file_mb * 1e6)

    @property
    def max_pixels(self) -> int:
        """`max_megapixels` in pixels."""
        return round(self.max_megapixels * 1e6)

    @property
    def memory_cache_bytes(self) -> int:
        """`memory_cache_mb` in bytes."""
        return round(self.memory_cache_mb * 1e6)

    @property
    def cache_bytes(self) -> int:
        """`cache_gb` in bytes."""
        return round(self.cache_gb * 1e9)


def read_settings() -> Settings:
    """Read the settings from the environment now.

    Raises
    ------
    ParameterError
        A value is not possible: one line with the variable, the value and what it accepts.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise not_possible(PREFIX + str(error.errors()[0]["loc"][0]).upper(), error) from None


def not_possible(name: str, error: ValidationError) -> ParameterError:
    """The first of pydantic's errors as one sentence: name, value and what is accepted."""
    first = error.errors()[0]
    expected = first["msg"][0].lower() + first["msg"][1:]
    value = " ".join(str(first["input"]).split())[:80]
    return ParameterError(f"{name}={value} is not possible: {expected}.")


@functools.cache
def get_settings() -> Settings:
    """The settings, read at the first call (see `read_settings`)."""
    return read_settings()
