"""Downloads the files of metrics: shown before, checked after, and tried before they are used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from enhancers.errors import FetchFailed, MetricUnavailable, ParameterError
from enhancers.metrics import METRICS, Metric
from enhancers.metrics.catalog import ModelFile
from enhancers.metrics.pyiqa_metrics import create_metric, file_path
from enhancers.networks import download
from enhancers.networks.digests import sha256_of
from enhancers.networks.entry import Download
from enhancers.networks.progress import Progress

SHA256, GIT_BLOB = 64, 40
"""Hexadecimal digits of the digests that a hub states: large files have the first, small ones the
SHA-1 of git, which is over a header and the content."""


@dataclass(frozen=True)
class Digest:
    """The digest of a file as its server, or the project, states it."""

    value: str

    @property
    def label(self) -> str:
        """The kind of the digest, for people."""
        return "SHA-256" if len(self.value) == SHA256 else "SHA-1 as a git object"

    def of(self, path: Path) -> str:
        """The digest of the same kind of a file on this machine."""
        if len(self.value) == SHA256:
            return sha256_of(path)
        content = path.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class Offer:
    """What the server says that it would send; the address is that of one revision."""

    address: str
    size: int
    digest: Digest


def published_file(metric: Metric) -> ModelFile:
    """The file of a metric that can be fetched.

    Raises
    ------
    ParameterError
        The metric needs none, or its file comes with the project.
    """
    if metric.file is None or not metric.file.address:
        others = " and ".join(one.key for one in METRICS if one.needs_download)
        raise ParameterError(f"{metric.label} needs no download; {others} do.")
    return metric.file


def offered(file: ModelFile) -> Offer:
    """Ask the server for the size and the digest of a file; nothing is downloaded.

    Raises
    ------
    FetchFailed
        Network access is switched off, the server cannot be reached, or it states no digest.
    """
    from huggingface_hub import get_hf_file_metadata

    if download.offline():
        raise FetchFailed(
            f"{file.name} is not fetched, because HF_HUB_OFFLINE forbids network access: unset it, "
            f"or copy the file to {file_path(file).parent}."
        )
    try:
        stated = get_hf_file_metadata(file.address, token=False)
    except Exception as error:
        # The errors of the hub's library are its own and those of the client that it brings.
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160].rstrip(". ")
        raise FetchFailed(f"{file.address} cannot be reached ({reason}).") from error
    digest = file.sha256 or stated.etag or ""
    if len(digest) not in (SHA256, GIT_BLOB) or not stated.size:
        raise FetchFailed(
            f"{file.address} states no size or no digest, so that a download could not be checked; "
            f"copy {file.name} to {file_path(file).parent} yourself."
        )
    address = file.address
    if stated.commit_hash:
        address = address.replace("/resolve/main/", f"/resolve/{stated.commit_hash}/")
    return Offer(address, stated.size, Digest(digest))


def fetch(file: ModelFile, offer: Offer) -> Generator[Progress, None, None]:
    """Download the file, continuing an interrupted download; it is used from then on.

    Raises
    ------
    FetchFailed
        There is no connection or no room on the disk, the file is another one, or the metric
        cannot be computed with it.
    """
    path = file_path(file)
    partial = path.parent / "partial" / file.name
    download.check_space(path.parent, offer.size, file.name, setting="TORCH_HOME")
    yield from download.received(Download(offer.address, offer.size, offer.digest.value), partial)
    found = offer.digest.of(partial)
    try:
        if found != offer.digest.value:
            raise FetchFailed(
                f"What {offer.address} sent has {offer.digest.label} {found} and not "
                f"{offer.digest.value}: it is another or a damaged file, and was deleted."
            )
        _try(file, partial)
    except FetchFailed:
        partial.unlink()
        raise
    os.replace(partial, path)
    partial.parent.rmdir()
    create_metric.cache_clear()


def _try(file: ModelFile, path: Path) -> None:
    """Load the metric with the file."""
    try:
        create_metric(file.metric, str(path))
    except MetricUnavailable as error:
        raise FetchFailed(f"{error}, and was deleted.") from error
    except Exception as error:
        # What reads the file may raise anything on a file that is something else.
        raise FetchFailed(
            f"{file.name} does not hold the parameters of the metric ({type(error).__name__}), and "
            "was deleted."
        ) from error
